"""The rules of withdrawals: what arrives, who lets go, how long is waited, what a transfer asks of the books."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID, uuid4

import pytest

from ledger import chart
from ledger.entries import Move, PostHold
from marketplace.clearing import Give
from marketplace.errors import (
    OwnWithdrawal,
    SecondFactorNotProven,
    WithdrawalCoolingDown,
    WithdrawalLimitReached,
    WithdrawalOutOfBounds,
)
from marketplace.withdrawing import (
    Changed,
    Rail,
    Reversal,
    Rules,
    Terms,
    Transfer,
    check_may_approve,
    hold_named,
    keys_of,
    plan,
)

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = Rules(
    least_rao=1_000,
    a_day_rao=100_000,
    two_people_rao=10_000,
    fee_rao=50,
    rao_per_cent=7,
    proof_lasts=timedelta(minutes=5),
    waits={Changed.ADDRESS: 48 * HOUR, Changed.ACCOUNT: 72 * HOUR, Changed.FACTOR: 24 * HOUR},
)


def test_on_the_chain_the_fee_is_taken_of_what_is_asked_for():
    quote = RULES.quote(Rail.CHAIN, 5_000)

    assert (quote.held_rao, quote.fee_rao, quote.arrives) == (5_000, 50, 4_950)


def test_of_dollars_only_what_whole_cents_cost_is_set_aside():
    quote = RULES.quote(Rail.STRIPE, 5_006)

    assert (quote.held_rao, quote.fee_rao, quote.arrives) == (715 * 7, 0, 715)


@pytest.mark.parametrize("rail", Rail)
def test_less_than_the_least_is_refused(rail):
    with pytest.raises(WithdrawalOutOfBounds) as refusal:
        RULES.quote(rail, 999)

    assert refusal.value.fields == {"minimum_rao": 1_000, "amount_rao": 999}
    assert RULES.quote(rail, 1_000).arrives > 0


def test_two_people_are_needed_above_the_limit():
    assert [RULES.approvals_needed(rao) for rao in (10_000, 10_001)] == [1, 2]


def test_a_day_has_a_limit():
    RULES.check_day(60_000, used_rao=40_000)

    with pytest.raises(WithdrawalLimitReached) as refusal:
        RULES.check_day(60_001, used_rao=40_000)
    assert refusal.value.fields == {"limit_rao": 100_000, "used_rao": 40_000}


@pytest.mark.parametrize(
    "proven_at", [None, NOW - timedelta(minutes=5, seconds=1), NOW + timedelta(seconds=1)]
)
def test_a_proof_that_is_missing_old_or_from_the_future_is_none(proven_at):
    RULES.check_proof(NOW - timedelta(minutes=5), now=NOW)

    with pytest.raises(SecondFactorNotProven) as refusal:
        RULES.check_proof(proven_at, now=NOW)
    assert refusal.value.fields == {"minutes": 5}


def test_what_is_new_longest_is_waited_for():
    changes = {Changed.ADDRESS: NOW - 47 * HOUR, Changed.FACTOR: NOW - HOUR, Changed.ACCOUNT: None}

    assert RULES.until(changes) == (Changed.FACTOR, NOW + 23 * HOUR)
    with pytest.raises(WithdrawalCoolingDown) as refusal:
        RULES.check_changes(changes, now=NOW)
    assert refusal.value.fields["changed"] == "factor"
    RULES.check_changes(changes, now=NOW + 23 * HOUR)
    RULES.check_changes({Changed.ACCOUNT: None}, now=NOW)


def test_nobody_lets_their_own_money_go():
    owner, other = uuid4(), uuid4()

    check_may_approve(owner=owner, operator=other, is_linked=False)
    for operator, is_linked in ((owner, False), (other, True)):
        with pytest.raises(OwnWithdrawal):
            check_may_approve(owner=owner, operator=operator, is_linked=is_linked)


ID = UUID(int=7)
TERMS = Terms(ID, amount_cents=1_000, held_rao=7_000)


def transfer(*reversals):
    back = tuple(Reversal(f"trr_{place}", cents) for place, cents in enumerate(reversals))
    return Transfer("tr_1", ID, "acct_1", 1_000, "usd", back)


def test_a_transfer_sells_the_tao_back_for_the_dollars_that_leave():
    (sold,) = plan(transfer(), TERMS, posted=())

    assert sold.key == "card:tr_1:transferred"
    assert sold.moves == (
        PostHold(hold_named(ID), ((chart.TREASURY, 7_000),)),
        Move(chart.FX_USD, chart.STRIPE_CLEARING, 1_000),
    )


def test_what_is_reversed_comes_back_at_the_withdrawals_own_rate():
    seen = transfer(400, 600)

    sold, first, second = plan(seen, TERMS, posted=())

    assert [first.tao, second.tao] == [Give(rao, chart.TREASURY) for rao in (2_800, 4_200)]
    assert first.moves == (Move(chart.STRIPE_CLEARING, chart.FX_USD, 400),)
    assert [posting.key for posting in (sold, first, second)] == keys_of(seen)
    assert seen.is_reversed
    assert not transfer(999).is_reversed


def test_what_stands_in_the_books_is_not_asked_for_again():
    seen = transfer(400)

    assert [posting.key for posting in plan(seen, TERMS, posted=["card:tr_1:transferred"])] == [
        "card:trr_0:reversed"
    ]
    assert plan(seen, TERMS, posted=keys_of(seen)) == ()


def test_looks_at_a_transfer_in_every_order_and_twice_post_the_same():
    looks = (transfer(), transfer(400), transfer(400, 100), transfer(400, 100, 500))

    ends = set()
    for order in permutations(looks * 2, 4):
        posted, given_rao = set(), 0
        for seen in (
            *order,
            looks[-1],
        ):  # the last look always comes: of an event, or of reconciliation
            for posting in plan(seen, TERMS, posted=posted):
                posted.add(posting.key)
                given_rao += posting.tao.amount_rao if posting.tao else 0
        ends.add((frozenset(posted), given_rao))

    assert ends == {(frozenset(keys_of(looks[-1])), 7_000)}
