"""An epoch from its scores to its payouts, without a database."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.money import apportion
from subnets import payroll
from subnets.errors import RuleInvalid
from subnets.metrics import Delivery
from subnets.record import Backing
from tests.subnets import worlds
from tests.subnets.worlds import ALICE, BOB, EMISSION_RAO, MINERS, OWNER, TAO

OWNER_RAO = EMISSION_RAO * 11_796 // 65_535
MINERS_RAO = (EMISSION_RAO - OWNER_RAO) // 2
VALIDATORS_RAO = EMISSION_RAO - OWNER_RAO - MINERS_RAO


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


def settled(**changes):
    """Settle a first epoch and the second after it; changes are those of the world."""
    first = worlds.record(**changes)
    paid = payroll.settle(first)
    return paid, payroll.settle(worlds.following(first, paid))


def second(before=None, **changes):
    """Return the record of a second epoch, in which permits are held."""
    first = before or worlds.record()
    return worlds.following(first, payroll.settle(first), **changes)


def by_hotkey(paid):
    return {term.hotkey: term for term in paid.terms}


def test_the_first_epoch_pays_by_stake_because_permits_come_an_epoch_later():
    paid = payroll.settle(worlds.record())

    alice_rao, bob_rao = apportion(MINERS_RAO + VALIDATORS_RAO, [3, 2])
    assert paid.payouts[OWNER] == OWNER_RAO
    assert paid.payouts.keys() == {OWNER, ALICE, BOB}
    assert abs(paid.payouts[ALICE] - alice_rao) <= 100  # shares are cut at 2**-32
    assert abs(paid.payouts[BOB] - bob_rao) <= 100
    assert [term.has_permit for term in paid.terms] == [True, True, False, False, False]
    assert {term.incentive_u16 for term in paid.terms} == {0}


def test_the_second_epoch_pays_the_miners_what_both_validators_say():
    _, paid = settled()

    amounts = [paid.payouts[owner] for owner in MINERS]
    expected = apportion(MINERS_RAO, [4, 2, 1])
    assert (paid.owner_rao, paid.miners_rao, paid.validators_rao) == (
        OWNER_RAO,
        MINERS_RAO,
        VALIDATORS_RAO,
    )
    # u16 weights carry the proportions to about 2**-16.
    assert all(abs(got - want) * 20_000 < want for got, want in zip(amounts, expected, strict=True))
    assert sum(amounts) == MINERS_RAO
    assert paid.payouts[ALICE] + paid.payouts[BOB] == VALIDATORS_RAO
    assert paid.burned_rao == 0


def test_bonds_and_permits_reach_the_next_epoch():
    first = worlds.record()
    next_one = worlds.following(first, payroll.settle(first))
    third = worlds.following(next_one, payroll.settle(next_one))

    assert all(not seat.has_permit for seat in first.seats)
    assert [seat.has_permit for seat in next_one.seats] == [True, True, False, False, False]
    assert third.seats[0].bonds.keys() == {2, 3, 4}
    grown = payroll.settle(third).terms[0].bonds
    assert all(grown[uid] > third.seats[0].bonds[uid] for uid in (2, 3, 4))


def test_what_the_owners_own_miners_earn_is_withheld_and_burned():
    _, paid = settled(seats=worlds.seats(owners=(OWNER, *MINERS[1:])))

    terms = by_hotkey(paid)
    own = terms[worlds.HOTKEYS[0]]
    assert own.incentive_u16 > 0
    assert own.miner_rao == 0
    assert paid.burned_rao > 0
    assert paid.payouts[OWNER] == OWNER_RAO
    assert sum(paid.payouts.values()) + paid.burned_rao == EMISSION_RAO
    assert paid.miner_burned_u16 == paid.burned_rao * 65_535 // MINERS_RAO


def test_burn_bps_of_the_miners_part_is_burned_and_nothing_else():
    plain = settled()[1]
    paid = settled(versions=(worlds.version(burn_bps=2_500),))[1]

    assert paid.burned_rao == MINERS_RAO * (2_500 * 65_535 // 10_000) // 65_535
    assert paid.miners_rao == MINERS_RAO - paid.burned_rao
    assert paid.validators_rao == plain.validators_rao
    assert paid.owner_rao == plain.owner_rao
    assert paid.miner_burned_u16 == paid.burned_rao * 65_535 // MINERS_RAO


def test_a_rule_that_fails_gives_way_to_its_predecessor_and_the_fault_says_why():
    good = second(versions=(worlds.version(1),))
    bad = replace(good, versions=(worlds.broken_version(2), worlds.version(1)))

    paid, expected = payroll.settle(bad), payroll.settle(good)

    assert paid.rule_version == 1
    assert paid.rule_fault.startswith("Version 2: The incentive rule cannot be used.")
    assert expected.rule_fault == ""
    assert replace(paid, rule_fault="") == expected


NO_SCORE = "Version 2: its score could be computed for no miner."
NO_GOOD_SCORE = (
    "Version 2: its score was above 2147483647, or could not be computed, for every miner."
)


@pytest.mark.parametrize(
    ("score", "fault"),
    [
        ("1 / 0", NO_SCORE),
        ("quality * 1e308 * 1e308", NO_SCORE),
        ("2147483648.0", NO_GOOD_SCORE),
        ("2147483648", NO_GOOD_SCORE),
        ("quality > 0.9 ? 1e300 : 1.0 / 0.0", NO_GOOD_SCORE),
    ],
)
def test_a_rule_that_fails_for_every_miner_gives_way_and_the_fault_says_so(score, fault):
    good = second(versions=(worlds.version(1),))
    hollow = replace(good, versions=(worlds.version(2, score=score), worlds.version(1)))

    paid, expected = payroll.settle(hollow), payroll.settle(good)

    assert paid.rule_version == 1
    assert paid.rule_fault == fault
    assert replace(paid, rule_fault="") == expected


@pytest.mark.parametrize("score", ["0.0", "0.0 - quality"])
def test_a_rule_that_scores_every_miner_nothing_is_the_owners_choice(score):
    paid = second(versions=(worlds.version(2, score=score), worlds.version(1)))

    settled = payroll.settle(paid)

    assert (settled.rule_version, settled.rule_fault, settled.miners_rao) == (2, "", 0)


def test_an_epoch_without_any_rule_that_works_is_refused():
    record = second(versions=(worlds.broken_version(2), worlds.broken_version(1)))

    with pytest.raises(RuleInvalid):
        payroll.settle(record)


def test_stakers_behind_a_validator_share_its_dividends_by_their_stake():
    staker = str(UUID(int=99))
    backed = worlds.seat(
        0,
        worlds.VALIDATORS[0],
        ALICE,
        backing=(Backing(ALICE, 1_000 * TAO), Backing(staker, 3_000 * TAO)),
    )
    _, paid = settled(seats=(backed, *worlds.seats()[1:]))

    validator_rao = paid.terms[0].validator_rao
    assert [paid.payouts[ALICE], paid.payouts[staker]] == apportion(validator_rao, [1, 3])


def test_an_account_is_paid_once_for_all_it_has():
    seats = worlds.seats(owners=(ALICE, ALICE, MINERS[2]))
    _, paid = settled(seats=seats)

    of_alice = [term for term in paid.terms if term.owner == ALICE]
    assert len(of_alice) == 3
    assert paid.payouts[ALICE] == sum(term.miner_rao + term.validator_rao for term in of_alice)


def test_stake_below_the_threshold_counts_for_nothing():
    _, paid = settled(seats=worlds.seats(stakes=((ALICE, 3_000), (BOB, 999))))

    assert paid.terms[1].has_permit is False
    assert BOB not in paid.payouts


def test_scores_of_who_holds_no_seat_do_not_count():
    here = second()
    gone = replace(
        here,
        seats=here.seats[:4],
        scores=worlds.scores(worlds.AGREED, worlds.AGREED, serial=9),
    )

    weights = payroll.settle(gone).weights

    assert weights.keys() == {0, 1}
    assert all(row.keys() == {2, 3} for row in weights.values())


def test_a_validator_that_falls_silent_grows_inactive_though_its_scores_are_carried_on():
    versions = (worlds.version(smoothing={"ema_alpha_ppm": 500_000}),)
    record = second(worlds.record(versions=versions))
    heard = payroll.settle(record)
    alone = worlds.scores(worlds.AGREED, (None,) * 3, serial=7)
    silent = payroll.settle(worlds.following(record, heard, scores=alone))

    assert silent.weights.keys() == {0, 1}
    assert silent.terms[0].last_update_block == record.end_block + worlds.TEMPO
    assert silent.terms[1].last_update_block == record.end_block

    late = worlds.following(record, heard, scores=alone, end_block=record.end_block + 5_001)
    assert payroll.settle(late).terms[1].is_active is False


def test_a_validator_that_finds_every_miner_wanting_is_active_all_the_same():
    versions = (worlds.version(gates=[{"if": "quality > 0.9", "reason": "Too far off."}]),)
    nothing = worlds.scores((0, 0, 0), worlds.AGREED)
    record = second(worlds.record(versions=versions), scores=nothing)
    record = replace(
        record, seats=tuple(replace(s, last_update_block=0) for s in record.seats), end_block=9_000
    )
    paid = payroll.settle(record)

    assert paid.weights.keys() == {1}
    assert paid.terms[0].is_active is True
    # It has the majority of stake, so a minority alone gives nobody incentive.
    assert paid.miners_rao == 0
    assert paid.reasons[worlds.HOTKEYS[0]] == ("Too far off.",)


def test_a_hotkey_that_left_and_came_back_begins_anew():
    versions = (worlds.version(smoothing={"ema_alpha_ppm": 500_000}),)
    first = worlds.record(versions=versions)
    paid = payroll.settle(first)
    unheard = worlds.scores((None, *worlds.AGREED[1:]), (None, *worlds.AGREED[1:]), serial=1)
    stayed = worlds.following(first, paid, scores=unheard)
    back = replace(stayed.seats[2], registered_block=stayed.start_block)
    returned = replace(stayed, seats=(*stayed.seats[:2], back, *stayed.seats[3:]))

    assert 2 in payroll.settle(stayed).weights[0]
    assert 2 not in payroll.settle(returned).weights[0]


def test_deliveries_reach_the_rule():
    versions = (worlds.version(gates=[{"if": "success_rate >= 0.8", "reason": "Too slow."}]),)
    late = Delivery(worlds.HOTKEYS[0], 10, 5, 5)
    good = tuple(Delivery(hotkey, 10, 10, 0) for hotkey in worlds.HOTKEYS[1:])
    record = second(worlds.record(versions=versions), deliveries=(late, *good))

    paid = payroll.settle(record)

    assert paid.reasons == {worlds.HOTKEYS[0]: ("Too slow.",)}
    assert MINERS[0] not in paid.payouts


def test_winner_takes_all_remembers_its_incumbent():
    versions = (worlds.version(shaping={"kind": "winner_takes_all", "margin_ppm": 100_000}),)
    first = worlds.record(versions=versions)
    paid = payroll.settle(first)

    assert paid.incumbents == dict.fromkeys(worlds.VALIDATORS, worlds.HOTKEYS[0])

    close = (950_000, 1_000_000, 0)
    following = worlds.following(first, paid, scores=worlds.scores(close, close, serial=1))
    kept = payroll.settle(following)
    forgotten = payroll.settle(replace(following, incumbents={}))

    assert kept.incumbents == paid.incumbents
    assert forgotten.incumbents == dict.fromkeys(worlds.VALIDATORS, worlds.HOTKEYS[1])


def test_an_epoch_of_an_empty_subnet_gives_the_owner_its_cut_and_burns_the_rest():
    paid = payroll.settle(worlds.record(seats=(), scores=(), deliveries=()))

    assert paid.payouts == {OWNER: OWNER_RAO}
    assert paid.burned_rao == EMISSION_RAO - OWNER_RAO
    assert paid.terms == ()


def test_an_epoch_without_emission_pays_nobody():
    paid = payroll.settle(second(emission_rao=0))

    assert (paid.payouts, paid.burned_rao) == ({}, 0)


ppm = st.one_of(st.none(), st.integers(0, 1_000_000))
score_rows = st.tuples(st.tuples(ppm, ppm, ppm), st.tuples(ppm, ppm, ppm))


@settings(max_examples=40, deadline=None)
@given(
    rows=score_rows,
    emission_rao=st.integers(0, 10**15),
    stakes_tao=st.tuples(st.integers(0, 5_000), st.integers(0, 5_000)),
    burn_bps=st.integers(0, 5_000),
    own=st.booleans(),
)
def test_payouts_and_the_burned_part_sum_to_the_emission(
    rows, emission_rao, stakes_tao, burn_bps, own
):
    stakes = tuple(zip((ALICE, BOB), stakes_tao, strict=True))
    owners = (OWNER, *MINERS[1:]) if own else MINERS
    first = worlds.record(
        emission_rao=emission_rao,
        seats=worlds.seats(owners=owners, stakes=stakes),
        scores=worlds.scores(*rows),
        versions=(worlds.version(burn_bps=burn_bps),),
    )
    for record in (first, second(first)):
        paid = payroll.settle(record)
        parts = (paid.owner_rao, paid.miners_rao, paid.validators_rao, paid.burned_rao)
        assert sum(parts) == emission_rao
        assert sum(paid.payouts.values()) + paid.burned_rao == emission_rao
        assert min(paid.payouts.values(), default=1) > 0


@settings(max_examples=30, deadline=None)
@given(rows=score_rows, order=st.permutations(range(5)))
def test_permuting_the_seats_permutes_the_terms(rows, order):
    record = second(worlds.record(scores=worlds.scores(*rows)), scores=worlds.scores(*rows))

    plain, moved = payroll.settle(record), payroll.settle(worlds.permuted(record, order))

    here, there = by_hotkey(plain), by_hotkey(moved)
    for hotkey, term in here.items():
        other = there[hotkey]
        assert (other.consensus_u16, other.incentive_u16, other.dividends_u16) == (
            term.consensus_u16,
            term.incentive_u16,
            term.dividends_u16,
        )
        assert (other.has_permit, other.is_active) == (term.has_permit, term.is_active)
        # Equal remainders of a split go to the lower uid.
        assert abs(other.miner_rao - term.miner_rao) <= 1
        assert abs(other.validator_rao - term.validator_rao) <= 1
