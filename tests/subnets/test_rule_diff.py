"""Two versions of a rule are compared in words and by the places where they differ."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subnets.rule_diff import changes
from tests.subnets.rule_builders import DOCUMENT, document

WINS = {"kind": "winner_takes_all", "margin_ppm": 30_000}
FIRST = {"if": "sample_count >= 3", "reason": "Too few."}
SECOND = {"if": "quality > 0.5", "reason": "Poor."}
THIRD = {"if": "success_rate > 0.8", "reason": "Late."}


def told(before, after):
    return {change.pointer: change.words for change in changes(before, after)}


@pytest.mark.parametrize("source", [DOCUMENT, document(), {}])
def test_a_version_does_not_differ_from_itself(source):
    assert changes(source, source) == ()


def test_a_default_written_out_is_no_change():
    plain = document(smoothing={"ema_alpha_ppm": 1}, shaping={"kind": "winner_takes_all"})
    written = document(
        smoothing={"ema_alpha_ppm": 1, "idle_keep_ppm": 900_000, "bias_corrected": False},
        shaping={"kind": "winner_takes_all", "margin_ppm": 0},
        gates=[],
        burn_bps=0,
        floor_ppm=0,
        max_share_ppm=1_000_000,
        one_per_owner=False,
    )

    assert changes(plain, written) == ()


@pytest.mark.parametrize(
    ("before", "after", "pointer", "words"),
    [
        ({}, {"title": "New"}, "/title", "The title: New; before: Plain."),
        ({}, {"score": "1.0"}, "/score", "The score: 1.0; before: quality."),
        (
            {},
            {"burn_bps": 125},
            "/burn_bps",
            "The burned part of what miners earn: 1.25 %; before: 0 %.",
        ),
        (
            {},
            {"max_share_ppm": 250_000},
            "/max_share_ppm",
            "The most that one miner gets of the weight: 0.25; before: 1.",
        ),
        (
            {"one_per_owner": True},
            {},
            "/one_per_owner",
            "One miner of each owner is paid: no; before: yes.",
        ),
        (
            {},
            {"shaping": WINS},
            "/shaping",
            "Scores become weights by winner takes all (margin 0.03); before: by linear.",
        ),
        (
            {"shaping": WINS},
            {"shaping": WINS | {"margin_ppm": 0}},
            "/shaping/margin_ppm",
            "Shaping, margin: 0; before: 0.03.",
        ),
        (
            {},
            {"smoothing": {"ema_alpha_ppm": 300_000}},
            "/smoothing",
            "Scores are smoothed now. What a miner without a score keeps of its average: 0.9; ",
        ),
        (
            {"smoothing": {"ema_alpha_ppm": 1}},
            {},
            "/smoothing",
            "Scores are no longer smoothed.",
        ),
        (
            {"smoothing": {"ema_alpha_ppm": 1}},
            {"smoothing": {"ema_alpha_ppm": 2}},
            "/smoothing/ema_alpha_ppm",
            "The share of the newest score: 0.000002; before: 0.000001.",
        ),
        ({}, {"gates": [FIRST]}, "/gates/0", "New gate: sample_count >= 3 (else: “Too few.”)."),
        ({"gates": [FIRST]}, {}, "/gates/0", "Gate gone: sample_count >= 3 (else: “Too few.”)."),
        ({"shaping": {"kind": "forgotten"}}, {}, "/shaping", "Scores become weights by linear;"),
        ({"a/b": 1}, {"a/b": 2}, "/a~1b", "a/b: 2; before: 1."),
    ],
)
def test_a_change_is_said_in_words_at_its_place(before, after, pointer, words):
    said = told(document(**before), document(**after))

    assert list(said) == [pointer]
    assert said[pointer].startswith(words)


def test_a_gate_put_between_two_others_is_one_new_gate():
    before, after = document(gates=[FIRST, THIRD]), document(gates=[FIRST, SECOND, THIRD])

    (change,) = changes(before, after)

    assert (change.pointer, change.before, change.after) == ("/gates/1", None, SECOND)


def test_a_gate_that_changed_is_told_with_what_it_was():
    stricter = FIRST | {"if": "sample_count >= 9"}

    (change,) = changes(document(gates=[FIRST, THIRD]), document(gates=[stricter, THIRD]))

    assert change.pointer == "/gates/0"
    assert "sample_count >= 9" in change.words.split("before")[0]
    assert "sample_count >= 3" in change.words.split("before")[1]


def test_changes_come_in_the_order_in_which_a_rule_is_read():
    after = document(title="New", score="1.0", burn_bps=1, gates=[FIRST], shaping=WINS, floor_ppm=1)

    assert [change.pointer for change in changes(document(), after)] == [
        "/title",
        "/gates/0",
        "/score",
        "/shaping",
        "/floor_ppm",
        "/burn_bps",
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
members = st.sampled_from([*DOCUMENT, "one_per_owner", "max_share_ppm", "floor_ppm", "odd"])


@given(st.dictionaries(members, json_values), st.dictionaries(members, json_values))
def test_whatever_was_stored_is_compared(before, after):
    found = changes(before, after)

    assert all(change.words for change in found)
    if json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True):
        assert found == ()
