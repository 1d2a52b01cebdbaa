"""Packed evidence gives back what was packed, to the last bit."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subnets import evidence, payroll
from subnets.metrics import Metrics
from tests.subnets import worlds


def seen_before_packing(record):
    return replace(record, scores=(), deliveries=())


def test_a_later_epoch_is_read_back_as_it_was():
    first = worlds.record(versions=(worlds.version(smoothing={"ema_alpha_ppm": 300_000}),))
    second = worlds.following(first, payroll.settle(first))
    measured = payroll.measured(second)

    read = evidence.unpacked(evidence.packed(second, measured))

    assert second.smoothed, "it carries scores on"
    assert any(seat.has_permit for seat in second.seats)
    assert read.record == seen_before_packing(second)
    assert read.measured == measured


def test_bonds_are_read_back():
    seated = worlds.seats()
    bound = (replace(seated[0], bonds={2: 65_535, 4: 7}), *seated[1:])
    record = worlds.record(seats=bound)

    read = evidence.unpacked(evidence.packed(record, payroll.measured(record)))

    assert read.record.seats == bound


def test_an_epoch_that_nobody_scored_is_read_back():
    record = worlds.record(scores=(), deliveries=())

    read = evidence.unpacked(evidence.packed(record, payroll.measured(record)))

    assert read.record == record
    assert read.measured == {}


def test_what_left_the_subnet_is_not_kept():
    smoothed = {worlds.VALIDATORS[0]: {worlds.HOTKEYS[0]: 5, "gone": 6}, "gone too": {"gone": 1}}
    record = worlds.record(smoothed=smoothed)

    read = evidence.unpacked(evidence.packed(record, payroll.measured(record)))

    assert read.record.smoothed == {worlds.VALIDATORS[0]: {worlds.HOTKEYS[0]: 5}}


REALS = st.floats(allow_nan=False, allow_infinity=False, min_value=0)
COUNTS = st.integers(min_value=0, max_value=2**80)
ROWS = st.builds(
    Metrics,
    quality=REALS,
    sample_count=COUNTS,
    canary_quality=REALS,
    canary_count=COUNTS,
    latency_ms=REALS,
    work_units=COUNTS,
    credited_work_units=REALS,
    offered_count=COUNTS,
    completed_count=COUNTS,
    failed_count=COUNTS,
    success_rate=REALS,
)


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from(worlds.VALIDATORS),
        st.dictionaries(st.sampled_from(worlds.HOTKEYS), ROWS, min_size=1),
    )
)
def test_any_metrics_are_read_back_to_the_bit(measured):
    record = worlds.record(scores=())

    assert evidence.unpacked(evidence.packed(record, measured)).measured == measured


def test_evidence_of_another_format_is_refused(monkeypatch):
    record = worlds.record()
    monkeypatch.setattr(evidence, "FORMAT", 2)
    at_rest = evidence.packed(record, payroll.measured(record))
    monkeypatch.undo()

    with pytest.raises(ValueError, match="format 2"):
        evidence.unpacked(at_rest)
