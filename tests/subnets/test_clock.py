"""The clock: blocks from time, epochs from blocks."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subnets import clock
from subnets.errors import EpochTriggerRefused, HyperparametersFrozen
from tests.subnets.vector_files import cases, kinds_of

GENESIS = datetime(2026, 11, 22, tzinfo=UTC)
U64_MAX = 2**64 - 1


@pytest.mark.parametrize("case", cases("tempo", "blocks until next epoch"))
def test_blocks_until_the_next_epoch_follow_the_chain(case):
    remaining = clock.blocks_until_next_epoch(**case["inputs"])

    assert (U64_MAX if remaining is None else remaining) == case["expected"]


@pytest.mark.parametrize("case", cases("tempo", "next epoch block"))
def test_the_next_epoch_block_follows_the_chain(case):
    assert clock.next_epoch_block(**case["inputs"]) == case["expected"]


@pytest.mark.parametrize("case", cases("tempo", "activity cutoff blocks"))
def test_the_activity_cutoff_follows_the_chain(case):
    assert clock.activity_cutoff_blocks(**case["inputs"]) == case["expected"]


REFUSALS = {
    "DynamicTempoBlockedByCommitReveal": "commit_reveal",
    "AutoEpochAlreadyImminent": "imminent",
}


@pytest.mark.parametrize(
    "case",
    [case for case in cases("tempo", "owner trigger") if case.id.startswith("tempo_trigger")],
)
def test_an_epoch_triggered_by_the_owner_follows_the_chain(case):
    inputs = {"block": 1, "last_epoch_block": 0, "tempo": 360, "freeze_window": 5} | case["inputs"]
    inputs["has_commit_reveal"] = inputs.pop("commit_reveal")

    if "error" not in case["expected"]:
        assert clock.triggered_epoch_block(**inputs) == case["expected"]["pending_epoch_at"]
        return
    with pytest.raises(EpochTriggerRefused) as refusal:
        clock.triggered_epoch_block(**inputs)
    assert refusal.value.fields == {"reason": REFUSALS[case["expected"]["error"]]}


@pytest.mark.parametrize(
    "case", [case for case in cases("tempo", "owner trigger") if case.id.startswith("freeze")]
)
def test_an_owner_change_is_refused_inside_the_freeze_window(case):
    inputs = dict(case["inputs"])
    assert inputs.pop("caller") == "owner"
    assert case["expected"]["error"] == "AdminActionProhibitedDuringWeightsWindow"

    with pytest.raises(HyperparametersFrozen) as refusal:
        clock.check_not_frozen(**inputs)
    assert refusal.value.fields == {"block": 5, "epoch_block": 11}

    clock.check_not_frozen(**inputs | {"block": 3})


def test_every_kind_of_tempo_vector_is_tested():
    assert kinds_of("tempo") == {
        "blocks until next epoch",
        "next epoch block",
        "activity cutoff blocks",
        "owner trigger",
    }


def test_parameters_are_frozen_while_a_triggered_epoch_counts_down():
    assert clock.is_frozen(block=10, last_epoch_block=0, tempo=360, pending_epoch_at=20)
    assert not clock.is_frozen(block=20, last_epoch_block=0, tempo=360, pending_epoch_at=20)


def test_a_second_trigger_is_refused_while_one_is_pending():
    with pytest.raises(EpochTriggerRefused) as refusal:
        clock.triggered_epoch_block(
            block=10, last_epoch_block=0, tempo=360, has_commit_reveal=False, pending_epoch_at=20
        )

    assert refusal.value.fields == {"reason": "pending"}


def test_the_genesis_block_opens_at_genesis_and_lasts_one_interval():
    def block(seconds):
        return clock.block_at(
            GENESIS + timedelta(seconds=seconds), genesis_at=GENESIS, block_ms=12_000
        )

    assert [block(0), block(11.999), block(12), block(-1)] == [0, 0, 1, 0]


@given(block=st.integers(0, 10**9), block_ms=st.integers(1, 60_000), late_ms=st.integers(0))
def test_a_block_is_found_again_at_every_instant_it_is_open(block, block_ms, late_ms):
    opens_at = clock.time_of_block(block, genesis_at=GENESIS, block_ms=block_ms)

    now = opens_at + timedelta(milliseconds=late_ms % block_ms)

    assert clock.block_at(now, genesis_at=GENESIS, block_ms=block_ms) == block


def test_an_epoch_is_due_at_its_block_and_not_before():
    assert not clock.is_due(block=459, last_epoch_block=100, tempo=360)
    assert clock.is_due(block=460, last_epoch_block=100, tempo=360)
    assert clock.is_due(block=10_000, last_epoch_block=100, tempo=360)


def test_a_subnet_with_tempo_zero_is_never_due():
    assert not clock.is_due(block=10**9, last_epoch_block=0, tempo=0, last_step_block=0)


def test_a_triggered_epoch_is_due_before_the_automatic_one():
    assert clock.is_due(block=120, last_epoch_block=100, tempo=360, pending_epoch_at=120)
    assert not clock.is_due(block=119, last_epoch_block=100, tempo=360, pending_epoch_at=120)


def test_a_subnet_that_has_not_stepped_for_too_long_is_due():
    def is_due(block):
        return clock.is_due(block=block, last_epoch_block=60_000, tempo=50_400, last_step_block=100)

    assert not is_due(50_500)
    assert is_due(50_501)


def test_new_subnets_start_staggered_by_netuid():
    first_epochs = [
        clock.first_epoch_block(netuid=netuid, registered_block=1_000, tempo=360)
        for netuid in (0, 1, 2, 360, 361)
    ]

    assert first_epochs == [1_360, 1_359, 1_358, 1_360, 1_359]
    assert clock.initial_epoch_block(netuid=2, registered_block=1_000, tempo=360) == 998


@given(registered_block=st.integers(0, 10**9), tempo=st.integers(128, 50_400))
def test_subnets_registered_in_one_block_never_fall_due_in_one_block(registered_block, tempo):
    schedules = [
        (
            clock.initial_epoch_block(netuid=n, registered_block=registered_block, tempo=tempo),
            clock.first_epoch_block(netuid=n, registered_block=registered_block, tempo=tempo),
        )
        for n in range(1, 129)
    ]

    assert len({end for _, end in schedules}) == 128
    assert all(0 <= start <= registered_block < end for start, end in schedules)
    assert all(end - start <= tempo for start, end in schedules)
