"""What the scores of validators say of a result."""

import pytest

from compute.verification import YES_PPM, Verdict, verdict

RIGHT, WRONG = 1_000_000, 0


def judged(scores_ppm, stakes_rao, *, is_due=False):
    return verdict(scores_ppm=scores_ppm, stakes_rao=stakes_rao, is_due=is_due)


def test_more_than_half_of_the_stake_accepts_at_once():
    assert judged({"a": RIGHT}, {"a": 51, "b": 49}) is Verdict.ACCEPTED


def test_half_of_the_stake_is_not_enough_to_accept_before_the_deadline():
    assert judged({"a": RIGHT}, {"a": 50, "b": 50}) is Verdict.PENDING


def test_half_of_the_stake_rejects_because_it_can_no_longer_be_outvoted():
    assert judged({"a": WRONG}, {"a": 50, "b": 50}) is Verdict.REJECTED


@pytest.mark.parametrize(
    ("ppm", "expected"), [(YES_PPM, Verdict.ACCEPTED), (YES_PPM - 1, Verdict.REJECTED)]
)
def test_a_score_of_one_half_is_a_yes(ppm, expected):
    assert judged({"a": ppm}, {"a": 1}) is expected


def test_stake_decides_and_not_heads():
    scores = {"a": WRONG, "b": WRONG, "c": RIGHT}

    assert judged(scores, {"a": 10, "b": 10, "c": 21}) is Verdict.ACCEPTED


def test_at_the_deadline_the_larger_side_of_those_who_spoke_decides():
    stakes = {"a": 20, "b": 10, "silent": 70}

    assert judged({"a": RIGHT, "b": WRONG}, stakes, is_due=True) is Verdict.ACCEPTED
    assert judged({"a": WRONG, "b": RIGHT}, stakes, is_due=True) is Verdict.REJECTED


def test_a_tie_at_the_deadline_is_no_yes():
    scores = {"a": RIGHT, "b": WRONG}

    assert judged(scores, {"a": 5, "b": 5, "c": 5}, is_due=True) is Verdict.REJECTED


@pytest.mark.parametrize("stakes", [{}, {"a": 10}])
def test_a_result_nobody_judged_in_time_is_neither_right_nor_wrong(stakes):
    assert judged({}, stakes) is Verdict.PENDING
    assert judged({}, stakes, is_due=True) is Verdict.UNJUDGED


def test_the_score_of_somebody_without_stake_counts_nothing():
    assert judged({"stranger": RIGHT}, {"a": 10}, is_due=True) is Verdict.UNJUDGED
