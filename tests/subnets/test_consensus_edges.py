"""The edge cases of an epoch, one by one: who has a say, what is left out, and what a lone case pays."""

from dataclasses import replace

import pytest

from subnets.consensus import EpochParams, run_yuma
from subnets.fixed import ONE
from tests.subnets import slow_yuma
from tests.subnets.epochs import epoch, rao

ALL = 65_535
HALVES = [500_000_000, 500_000_000]


def is_near(shares, parts):
    """Say whether shares are these parts of one, up to the last digits."""
    return all(abs(s - p * ONE) < 8 for s, p in zip(shares, parts, strict=True))


def test_before_anyone_has_a_permit_emission_follows_all_stake():
    inputs = epoch([60, 40, 0], {0: {2: ALL}, 1: {2: ALL}}, permits=[False] * 3)

    terms = run_yuma(inputs)

    assert terms.consensus_q32 == terms.incentive_q32 == terms.dividends_q32 == [0, 0, 0]
    assert is_near(terms.validator_share, [0.6, 0.4, 0])
    assert terms.new_permits == [True, True, False]


def test_permits_act_one_epoch_after_they_are_given():
    weights = {0: {2: ALL}, 1: {3: ALL}}
    first = epoch([60, 40, 0, 0], weights, permits=[False, True, False, False])

    before = run_yuma(first)
    after = run_yuma(replace(first, permits=before.new_permits))

    assert before.incentive_u16 == [0, 0, 0, ALL]
    assert before.new_permits == [True, True, False, False]
    assert after.incentive_u16 == [0, 0, ALL, 0]


def test_of_equal_stakes_the_higher_uids_get_the_permits():
    settings = EpochParams(max_validators=2)

    terms = run_yuma(epoch([5, 5, 9, 5], {}, params=settings))

    assert terms.new_permits == [False, False, True, True]


@pytest.mark.parametrize("weights", [{}, {0: {0: ALL}, 1: {1: ALL}}, {0: {}, 1: {2: 0}}])
@pytest.mark.parametrize("yuma3", [False, True])
def test_without_weights_on_others_emission_follows_active_stake(weights, yuma3):
    inputs = epoch([60, 30, 10], weights, permits=[True, True, False])

    terms = run_yuma(replace(inputs, params=EpochParams(yuma3=yuma3)))

    assert terms.consensus_q32 == terms.incentive_q32 == terms.dividends_q32 == [0, 0, 0]
    assert terms.server_share == [0, 0, 0]
    assert is_near(terms.validator_share, [2 / 3, 1 / 3, 0])


def test_where_every_validator_is_inactive_emission_follows_all_stake():
    inputs = epoch([60, 30, 10], {0: {2: ALL}}, permits=[True, True, False], block=9_999)

    terms = run_yuma(inputs)

    assert not any(terms.active)
    assert terms.incentive_q32 == [0, 0, 0]
    assert is_near(terms.validator_share, [0.6, 0.3, 0.1])


@pytest.mark.parametrize("weights", [{}, {0: {0: ALL}}])
def test_a_lone_neuron_earns_by_stake_alone(weights):
    terms = run_yuma(epoch([7], weights))

    assert (terms.consensus_q32, terms.incentive_q32, terms.dividends_q32) == ([0], [0], [0])
    assert (terms.server_share, terms.validator_share) == ([0], [ONE])


def test_a_lone_owner_may_weigh_itself_and_earns_both_halves():
    terms = run_yuma(epoch([7], {0: {0: ALL}}, owner_uid=0))

    assert terms.incentive_q32 == terms.dividends_q32 == [ONE]
    assert rao(terms.server_share) + rao(terms.validator_share) == HALVES
    assert terms.combined_share == [ONE]


def test_who_weighs_only_itself_earns_dividends_from_old_bonds_alone():
    weights = {0: {2: ALL}, 1: {1: ALL}}
    inputs = epoch([50, 50, 0], weights)

    fresh = run_yuma(inputs)
    carried = run_yuma(replace(inputs, bonds={1: {2: ALL}}))

    assert fresh.dividends_u16 == [ALL, 0, 0]
    assert carried.dividends_q32[1] > 0
    assert carried.validator_trust_q32[1] == 0


def test_what_no_majority_supports_is_clipped_away():
    inputs = epoch([60, 40, 0, 0], {0: {2: ALL}, 1: {3: ALL}})

    terms = run_yuma(inputs)

    assert terms.consensus_u16 == [0, 0, ALL, 0]
    assert terms.incentive_u16 == [0, 0, ALL, 0]
    assert terms.validator_trust_q32 == [ONE, 0, 0, 0]


@pytest.mark.parametrize(("kappa", "chosen"), [(0, max), (65_535, min)])
def test_kappa_at_its_ends_takes_the_highest_and_the_lowest_weight(kappa, chosen):
    weights = {0: {3: 30_000, 4: 35_535}, 1: {3: 20_000, 4: 45_535}, 2: {3: 60_000, 4: 5_535}}
    inputs = epoch([50, 30, 20, 0, 0], weights, params=EpochParams(kappa=kappa))

    terms = run_yuma(inputs)

    # A row sums to 65535, so each weight is its own u16 again, floored twice on the way.
    expected = [chosen(weights[i][j] for i in range(3)) - 1 for j in (3, 4)]
    assert terms.consensus_u16[3:] == expected


def test_weights_set_in_the_block_of_a_registration_are_stale():
    weights = {0: {1: ALL, 2: ALL}}
    inputs = epoch([1, 0, 0], weights, last_update=[5, 0, 0], block=9)

    for registered, incentive in ((4, [0, 32_767, 32_767]), (5, [0, ALL, 0]), (6, [0, ALL, 0])):
        terms = run_yuma(replace(inputs, registered_block=[0, 0, registered]))
        assert terms.incentive_u16 == incentive


def test_immunity_does_not_touch_consensus():
    """A newcomer is immune from being replaced, but its weights and incentive count like any other's."""
    weights = {0: {1: ALL, 2: ALL}}
    inputs = epoch([1, 0, 0], weights, last_update=[5_000, 0, 0], block=5_000)

    terms = run_yuma(replace(inputs, registered_block=[0, 0, 4_999]))

    assert terms.incentive_u16[1] == terms.incentive_u16[2] > 0


@pytest.mark.parametrize("yuma3", [False, True])
def test_a_bonds_penalty_in_between_cuts_a_part_of_what_is_above_consensus(yuma3):
    weights = {0: {2: 60_000, 3: 5_535}, 1: {2: 20_000, 3: 45_535}}
    inputs = epoch([70, 30, 0, 0], weights)

    shares = []
    for penalty in (0, 1, 32_767, 65_534, 65_535):
        settings = EpochParams(yuma3=yuma3, bonds_penalty=penalty)
        terms = run_yuma(replace(inputs, params=settings))
        assert (
            terms.dividends_q32 == slow_yuma.run(replace(inputs, params=settings))["dividends_q32"]
        )
        shares.append(terms.dividends_q32[1])

    assert shares == sorted(shares, reverse=True)
    assert len(set(shares)) == 5


def test_bonds_to_a_hotkey_that_left_and_came_back_begin_anew():
    inputs = epoch(
        [1, 0, 0],
        {0: {1: ALL, 2: ALL}},
        bonds={0: {1: ALL, 2: ALL}},
        last_update=[720, 0, 0],
        block=720,
        last_step_block=360,
        params=EpochParams(),
    )

    stayed = run_yuma(inputs)
    returned = run_yuma(replace(inputs, registered_block=[0, 0, 400]))

    assert returned.bonds[0][1] == stayed.bonds[0][1] > 50_000
    assert returned.bonds[0][2] < stayed.bonds[0][2] // 10
