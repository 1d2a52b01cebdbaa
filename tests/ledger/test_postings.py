"""The rules of the books, with no database."""

from datetime import timedelta
from uuid import UUID

import pytest

from ledger.chart import FEES, ISSUANCE, AccountKind, Address, debt, wallet
from ledger.entries import Move, MoveUpTo, PlaceHold, PostHold, VoidHold
from ledger.errors import (
    HoldExceeded,
    HoldNotOpen,
    HoldTaken,
    HoldUnknown,
    InsufficientFunds,
    NothingToMove,
    SupplyExceeded,
)
from ledger.money import MAX_SUPPLY_RAO
from ledger.postings import HoldStanding, Resolution, Standing, decide
from ledger.states import HoldState
from tests.ledger.make import NOW, entry

A, B, C = (wallet(UUID(int=number)) for number in (1, 2, 3))
HOLD = UUID(int=9)


def decided(*steps, posted=None, held=0, holds=()):
    """Decide an entry over A with `posted` rao and `held` held, and B, C, fees and issuance at zero."""
    standings = [
        Standing(A, 100 if posted is None else posted, held),
        *map(Standing, (B, C, FEES, ISSUANCE)),
    ]
    return decide(
        entry(*steps),
        accounts={standing.address.code: standing for standing in standings},
        holds={standing.hold: standing for standing in holds},
    )


def test_a_move_takes_from_one_and_gives_to_the_other():
    posting = decided(Move(A, B, 30))

    (line,) = posting.transfers
    assert (line.debit, line.credit, line.amount_rao) == (A.code, B.code, 30)
    assert (line.debit_balance_rao, line.credit_balance_rao) == (70, 30)
    assert posting.tallies[A.code].debits_rao == posting.tallies[B.code].credits_rao == 30


def test_the_last_rao_can_be_spent_and_not_one_more():
    assert decided(Move(A, B, 100)).tallies[A.code].posted_rao == 0
    with pytest.raises(InsufficientFunds) as refusal:
        decided(Move(A, B, 101))

    assert refusal.value.fields == {"needed_rao": 101, "available_rao": 100}


@pytest.mark.parametrize("parts", [(90, 20), (20, 90), (105, 5)])
def test_a_payment_in_parts_is_refused_as_a_whole(parts):
    first, second = parts

    with pytest.raises(InsufficientFunds) as refusal:
        decided(Move(A, B, first), Move(A, C, second))

    assert refusal.value.fields == {"needed_rao": first + second, "available_rao": 100}
    assert refusal.value.step == (1 if first > 100 else 2)


def test_what_is_held_cannot_be_spent_or_held_again():
    for step in (Move(A, B, 61), PlaceHold(HOLD, A, 61)):
        with pytest.raises(InsufficientFunds) as refusal:
            decided(step, held=40)
        assert refusal.value.fields == {"needed_rao": 61, "available_rao": 60}


def test_a_balancing_move_takes_what_can_be_spared_and_at_most_what_was_said():
    assert decided(MoveUpTo(A, B, 80)).transfers[0].amount_rao == 80
    assert decided(MoveUpTo(A, B, 300)).transfers[0].amount_rao == 100
    assert decided(MoveUpTo(A, B, 300), held=40).transfers[0].amount_rao == 60
    with pytest.raises(NothingToMove) as refusal:
        decided(MoveUpTo(A, B, 300), held=100)

    assert refusal.value.fields == {"debit": A.code, "credit": B.code}


def test_a_balancing_move_pays_a_debt_off_and_no_more():
    owed = Standing(debt(UUID(int=1)), -30)
    accounts = {one.address.code: one for one in (Standing(A, 100), owed)}

    posting = decide(entry(MoveUpTo(A, owed.address, 80)), accounts=accounts, holds={})

    assert posting.transfers[0].amount_rao == 30
    paid = accounts | {owed.address.code: Standing(owed.address, 0)}
    with pytest.raises(NothingToMove):
        decide(entry(MoveUpTo(A, owed.address, 80)), accounts=paid, holds={})


def test_the_first_step_that_fails_is_named_and_the_others_fall_with_it():
    with pytest.raises(InsufficientFunds) as refusal:
        decided(Move(A, B, 60), Move(B, C, 10), Move(A, C, 60), Move(B, A, 999))

    assert refusal.value.step == 3


def test_steps_are_applied_in_order():
    assert decided(Move(A, B, 100), Move(B, C, 100)).tallies[C.code].posted_rao == 100
    with pytest.raises(InsufficientFunds):
        decided(Move(B, C, 100), Move(A, B, 100))


def test_a_system_account_gives_without_a_balance_and_records_none():
    (line,) = decided(Move(FEES, B, 5)).transfers

    assert (line.debit_balance_rao, line.credit_balance_rao) == (None, 5)


def test_issuance_ends_at_the_cap():
    decided(Move(ISSUANCE, B, MAX_SUPPLY_RAO))
    with pytest.raises(SupplyExceeded) as refusal:
        decided(Move(ISSUANCE, B, MAX_SUPPLY_RAO), Move(ISSUANCE, C, 1))

    assert refusal.value.fields == {"amount_rao": 1}


def test_what_returns_to_issuance_can_be_issued_again():
    decided(Move(ISSUANCE, B, MAX_SUPPLY_RAO), Move(B, ISSUANCE, 1), Move(ISSUANCE, C, 1))


def test_a_hold_is_posted_in_parts_and_the_rest_released():
    posting = decided(
        PostHold(HOLD, ((B, 25), (FEES, 5))), held=40, holds=[HoldStanding(HOLD, A.code, 40)]
    )

    assert posting.tallies[A.code].posted_rao == 70
    assert posting.tallies[A.code].held_rao == 0
    assert posting.resolved == [Resolution(HOLD, HoldState.POSTED, 30)]
    assert [line.hold for line in posting.transfers] == [HOLD, HOLD]


def test_a_part_for_the_holder_is_released():
    posting = decided(
        PostHold(HOLD, ((A, 30), (FEES, 5))), held=40, holds=[HoldStanding(HOLD, A.code, 40)]
    )

    assert posting.tallies[A.code].posted_rao == 95
    assert [line.credit for line in posting.transfers] == [FEES.code]
    assert posting.resolved == [Resolution(HOLD, HoldState.POSTED, 5)]


def test_no_more_than_a_hold_is_posted():
    with pytest.raises(HoldExceeded) as refusal:
        decided(PostHold(HOLD, ((B, 40), (A, 1))), held=40, holds=[HoldStanding(HOLD, A.code, 40)])

    assert refusal.value.fields == {"amount_rao": 41, "held_rao": 40}


def test_a_released_hold_pays_for_the_next():
    posting = decided(
        VoidHold(HOLD),
        PlaceHold(UUID(int=10), A, 100),
        held=100,
        holds=[HoldStanding(HOLD, A.code, 100)],
    )

    assert posting.tallies[A.code].held_change_rao == 0
    assert posting.resolved == [Resolution(HOLD, HoldState.VOIDED, 0)]


@pytest.mark.parametrize("state", [HoldState.POSTED, HoldState.VOIDED, HoldState.EXPIRED])
@pytest.mark.parametrize("step", [VoidHold(HOLD), PostHold(HOLD, ((B, 1),))])
def test_a_hold_ends_once(step, state):
    with pytest.raises(HoldNotOpen) as refusal:
        decided(step, holds=[HoldStanding(HOLD, A.code, 40, state)])

    assert refusal.value.fields == {"hold": HOLD, "state": state}


def test_a_hold_cannot_be_posted_from_the_instant_it_expires():
    step = PostHold(HOLD, ((B, 1),))
    one_later = HoldStanding(HOLD, A.code, 40, expires_at=NOW + timedelta(microseconds=1))
    assert decided(step, held=40, holds=[one_later]).resolved[0].state == HoldState.POSTED

    with pytest.raises(HoldNotOpen) as refusal:
        decided(step, held=40, holds=[HoldStanding(HOLD, A.code, 40, expires_at=NOW)])
    assert refusal.value.fields == {"hold": HOLD, "state": HoldState.EXPIRED}


def test_a_hold_released_after_its_time_has_expired():
    posting = decided(
        VoidHold(HOLD), held=40, holds=[HoldStanding(HOLD, A.code, 40, expires_at=NOW)]
    )

    assert posting.resolved == [Resolution(HOLD, HoldState.EXPIRED, 0)]


def test_an_unknown_hold_and_a_taken_id_are_refused():
    with pytest.raises(HoldUnknown):
        decided(VoidHold(HOLD))
    with pytest.raises(HoldTaken):
        decided(PlaceHold(HOLD, A, 1), holds=[HoldStanding(HOLD, A.code, 40)])


def test_a_hold_is_not_posted_across_assets():
    alpha = Address("wallet:alpha", AccountKind.WALLET, UUID(int=4), asset=3)
    with pytest.raises(ValueError, match="another asset"):
        decide(
            entry(PostHold(HOLD, ((alpha, 1),))),
            accounts={A.code: Standing(A, 40, 40), alpha.code: Standing(alpha)},
            holds={HOLD: HoldStanding(HOLD, A.code, 40)},
        )


def test_a_code_means_one_account():
    impostor = Address(A.code, AccountKind.STAKE, UUID(int=5))
    with pytest.raises(ValueError, match="another kind of account"):
        decided(Move(impostor, B, 1))
