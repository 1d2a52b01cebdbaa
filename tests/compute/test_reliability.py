"""What a machine did lately, and what counts of it."""

from datetime import UTC, datetime, timedelta

import pytest

from compute.reliability import HALF_LIFE, ONE, REST, UNKNOWN, Fault

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
A_SECOND = timedelta(seconds=1)


def after(*faults, record=UNKNOWN, now=NOON):
    for fault in faults:
        record = record.after(fault, busy=A_SECOND, now=now)
    return record


@pytest.mark.parametrize("fault", [Fault.VALIDATOR, Fault.PLATFORM, Fault.CONSUMER])
def test_what_is_not_the_miners_fault_changes_neither_trust_nor_rest(fault):
    before = after(None, Fault.MINER)

    known = after(*[fault] * 20, record=before)

    assert (known.trust, known.failures_count) == (before.trust, before.failures_count)
    assert known.rests_until is None
    assert known.busy_ms == 22_000


def test_trust_rises_with_successes_and_falls_with_failures():
    assert after(Fault.MINER).trust < UNKNOWN.trust < after(None).trust < after(None, None).trust


def test_what_was_long_ago_weighs_less_until_a_machine_is_a_newcomer_again():
    known = after(None, None, None, Fault.MINER)

    later = known.at(NOON + HALF_LIFE)

    assert (later.good_milli, later.bad_milli) == (3 * ONE // 2, ONE // 2)
    assert (known.is_newcomer, later.is_newcomer) == (False, True)


def test_rest_grows_with_failures_in_a_row_and_has_an_end():
    rests = [after(*[Fault.MINER] * count).rests_until for count in (1, 2, 3, 4, 50)]

    assert rests == [None, NOON + REST, NOON + 2 * REST, NOON + 4 * REST, NOON + 32 * REST]


def test_a_success_ends_the_row():
    assert after(Fault.MINER, None, Fault.MINER).rests_until is None


def test_time_does_not_run_backwards():
    known = after(None)

    assert known.at(NOON - HALF_LIFE) == known
