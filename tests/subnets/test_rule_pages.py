"""Every example of docs/rules.md is a rule that can be published, and its bounds are those of the code."""

import re
from pathlib import Path

import pytest

from subnets import rule_document, rule_trial, rules
from subnets.rule_expression import EXPRESSION_CHARACTERS_MAX
from tests.subnets.rule_builders import METRIC, document

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
DOCUMENTS = re.findall(r"```json rule\n(.*?)```", PAGE, re.DOTALL)
EXPRESSIONS = re.findall(r"```cel\n(.*?)\n```", PAGE, re.DOTALL)
MEMBERS = dict(re.findall(r"^\| `([\w.]+)` \|(.*)\|$", PAGE, re.MULTILINE))


@pytest.mark.parametrize("text", DOCUMENTS)
def test_an_example_is_a_rule_without_warnings(text):
    assert rule_trial.opinion(text).trial == rule_trial.Trial((), ())


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_example_of_an_expression_scores(text):
    parsed = rule_trial.checked(document(score=text))

    assert rule_trial.tried(parsed).warnings == ()
    assert rules.evaluate(parsed, {"a": METRIC}).of("a").score > 0


def test_there_are_examples():
    assert (len(DOCUMENTS), len(EXPRESSIONS)) == (3, 4)


@pytest.mark.parametrize(
    ("member", "bounds"),
    [
        ("title", [rule_document.TITLE_CHARACTERS_MAX]),
        ("gates", [rule_document.GATES_MAX, rule_document.REASON_CHARACTERS_MAX]),
        ("score", [EXPRESSION_CHARACTERS_MAX, rules.SCORE_MAX]),
        ("smoothing.idle_keep_ppm", [rule_document.IDLE_KEEP_PPM]),
        ("max_share_ppm", [rule_document.MAX_SHARE_PPM_MIN]),
        ("floor_ppm", [rule_document.FLOOR_PPM_MAX]),
        ("burn_bps", [rule_document.BURN_BPS_MAX]),
    ],
)
def test_a_bound_on_the_page_is_the_bound_in_the_code(member, bounds):
    for bound in bounds:
        assert re.search(rf"\b{bound}\b", MEMBERS[member]), bound


def test_every_member_is_on_the_page():
    full = rules.parse(
        document(
            gates=[{"if": "true", "reason": "Never."}],
            smoothing={"ema_alpha_ppm": 1, "bias_corrected": True},
            one_per_owner=True,
            max_share_ppm=10_000,
            floor_ppm=1,
            burn_bps=1,
        )
    ).document()

    assert full.keys() <= MEMBERS.keys()
    assert {f"smoothing.{name}" for name in full["smoothing"]} <= MEMBERS.keys()
