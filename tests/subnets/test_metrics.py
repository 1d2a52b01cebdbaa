"""Metrics are what one validator measured, and nothing it did not."""

from dataclasses import asdict, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subnets.measuring import measured as measured_by_validator
from subnets.metrics import METRICS, Delivery, Metrics
from tests.subnets import slow_metrics
from tests.subnets.slow_metrics import Observation

SCORE = Observation(
    validator="alice",
    miner="m1",
    result_id="r1",
    score_ppm=500_000,
    latency_ms=200,
    work_units=10,
    is_canary=False,
)


def metrics_of(scores, deliveries, *, validator):
    """Measure in columns; return what one validator sees, a row a miner."""
    rows = [asdict(score) for score in scores]
    tables = measured_by_validator(rows, deliveries, seated={"alice", "bob", "m0", "m1", "m2"})
    return dict(tables.get(validator, {}))


def test_the_table_names_every_field_of_metrics_with_its_type():
    types = {"double": float, "int": int}

    assert {name: types[metric.type] for name, metric in METRICS.items()} == {
        field.name: field.type for field in fields(Metrics)
    }
    assert all(metric.unit and metric.doc.endswith(".") for metric in METRICS.values())


def test_a_miner_is_measured_from_its_scores():
    scores = [
        SCORE,
        replace(SCORE, result_id="r2", score_ppm=1_000_000, latency_ms=400, is_canary=True),
        replace(SCORE, result_id="r3", score_ppm=0, latency_ms=900, work_units=4),
    ]

    measured = metrics_of(scores, [Delivery("m1", 9, 6, 2)], validator="alice")

    assert measured == {
        "m1": Metrics(
            quality=0.5,
            sample_count=3,
            canary_quality=1.0,
            canary_count=1,
            latency_ms=400.0,
            work_units=24,
            credited_work_units=15.0,
            offered_count=9,
            completed_count=6,
            failed_count=2,
            success_rate=0.75,
        )
    }


def test_a_miner_nobody_sampled_is_absent_and_not_failed():
    assert metrics_of([], [Delivery("m1", 5, 0, 5)], validator="alice") == {}


def test_scores_of_other_validators_do_not_count():
    foreign = replace(SCORE, validator="bob", score_ppm=0)

    measured = metrics_of([SCORE, foreign], [], validator="alice")

    assert (measured["m1"].quality, measured["m1"].sample_count) == (0.5, 1)


def test_a_miner_without_deliveries_or_canaries_is_not_blamed_for_either():
    measured = metrics_of([SCORE], [], validator="alice")["m1"]

    assert (measured.success_rate, measured.failed_count) == (1.0, 0)
    assert (measured.canary_quality, measured.canary_count) == (1.0, 0)


def test_a_wrong_canary_lowers_canary_quality():
    wrong = replace(SCORE, score_ppm=0, is_canary=True)

    assert metrics_of([wrong], [], validator="alice")["m1"].canary_quality == 0.0


def test_a_latency_below_the_clock_counts_as_one_millisecond():
    instant = replace(SCORE, latency_ms=0)

    assert metrics_of([instant], [], validator="alice")["m1"].latency_ms == 1.0


def test_the_median_latency_of_two_results_lies_between_them():
    slow = replace(SCORE, result_id="r2", latency_ms=301)

    assert metrics_of([SCORE, slow], [], validator="alice")["m1"].latency_ms == 250.5


def test_the_order_of_scores_does_not_matter():
    scores = [
        replace(SCORE, result_id=f"r{number}", miner=f"m{number % 3}", score_ppm=number * 7_919)
        for number in range(60)
    ]

    forward = metrics_of(scores, [], validator="alice")

    assert metrics_of(scores[::-1], [], validator="alice") == forward
    assert list(forward) == ["m0", "m1", "m2"]


def test_a_result_scored_twice_by_one_validator_is_refused():
    with pytest.raises(ValueError, match="r1 was scored twice by alice"):
        metrics_of([SCORE, replace(SCORE, miner="m2")], [], validator="alice")


def test_two_deliveries_of_one_miner_are_refused():
    with pytest.raises(ValueError, match="m1 has two deliveries"):
        metrics_of([SCORE], [Delivery("m1", 1, 1, 0), Delivery("m1", 2, 2, 0)], validator="alice")


@pytest.mark.parametrize(
    "numbers", [{"score_ppm": -1}, {"score_ppm": 1_000_001}, {"latency_ms": -1}, {"work_units": -1}]
)
def test_a_score_out_of_range_is_refused(numbers):
    with pytest.raises(ValueError, match=r"not within|negative"):
        measured_by_validator([asdict(SCORE) | numbers], [], seated={"alice", "m1"})


WORK = st.one_of(st.integers(0, 10**6), st.integers(2**50, 2**70))
SCORES = st.lists(
    st.builds(
        replace,
        st.just(SCORE),
        validator=st.sampled_from(["alice", "bob"]),
        miner=st.sampled_from(["m0", "m1", "m2", "gone"]),
        score_ppm=st.integers(0, 1_000_000),
        latency_ms=st.integers(0, 10**9),
        work_units=WORK,
        is_canary=st.booleans(),
    ),
    max_size=30,
).map(lambda scores: [replace(one, result_id=f"r{place}") for place, one in enumerate(scores)])


@given(scores=SCORES, counts=st.lists(st.integers(0, 9), min_size=9, max_size=9))
def test_columns_say_to_the_bit_what_is_measured_miner_by_miner(scores, counts):
    deliveries = [Delivery(f"m{place}", *counts[3 * place : 3 * place + 3]) for place in range(2)]
    seated = [one for one in scores if one.miner != "gone"]

    for validator in ("alice", "bob"):
        slow = slow_metrics.metrics_of(seated, deliveries, validator=validator)
        seen = metrics_of(scores, deliveries, validator=validator)
        assert seen == slow
        assert [repr(seen[miner]) for miner in seen] == [repr(slow[miner]) for miner in slow]


def test_a_negative_delivery_count_is_refused():
    with pytest.raises(ValueError, match="negative"):
        Delivery("m1", 1, -1, 0)
