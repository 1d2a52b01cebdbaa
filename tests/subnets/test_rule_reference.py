"""The rule language on the page where a rule is written, made from the tables that check it."""

import pytest

from subnets import rules
from subnets.admin.rule_reference import reference
from tests.subnets.consoles import Owner
from tests.subnets.rule_builders import document


@pytest.fixture
def ada(db):
    return Owner("ada")


def test_a_draft_shows_every_word_that_a_rule_may_hold(ada):
    page = ada.get("subnets_incentiverule_change", ada.draft().pk).content.decode()

    assert "<details" in page.split("rule-reference")[0][-40:]
    parameters = {name for shaping in rules.SHAPINGS.values() for name in shaping.parameters}
    for name in (*rules.METRICS, *rules.FUNCTIONS, *rules.SHAPINGS, *parameters):
        assert f"<code>{name}</code>" in page
    assert "100000 to 16000000" in page


def test_a_new_rule_shows_it_and_a_published_one_does_not(ada):
    published = ada.get("subnets_incentiverule_change", ada.rule.pk).content.decode()

    assert "rule-reference" in ada.get("subnets_incentiverule_add").content.decode()
    assert "rule-reference" not in published


def test_every_member_of_a_document_is_in_the_reference():
    full = document(
        gates=[{"if": "true", "reason": "Never."}],
        smoothing={"ema_alpha_ppm": 1, "idle_keep_ppm": 0, "bias_corrected": True},
        one_per_owner=True,
        max_share_ppm=500_000,
        floor_ppm=100,
        burn_bps=1,
    )
    told = rules.parse(full).document()
    names = {name for name in told if name not in {"format", "smoothing"}}
    names |= {f"smoothing.{name}" for name in told["smoothing"]}

    assert {line.name for line in reference()["members"]} == names
