from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from ledger.chart import FEES, ISSUANCE, AccountKind, Address, Code, wallet
from ledger.entries import MAX_STEPS, Entry, Move, PlaceHold, PostHold, VoidHold, hold_id
from tests.ledger.make import NOW, entry

A, B = wallet(UUID(int=1)), wallet(UUID(int=2))
ALPHA = Address("wallet:alpha", AccountKind.WALLET, UUID(int=1), asset=3)
HOLD = UUID(int=9)


@pytest.mark.parametrize("amount_rao", [0, -1, 1.0, True, "1", 2**63])
def test_an_amount_is_a_whole_number_of_rao_above_zero(amount_rao):
    for make in (
        lambda: Move(A, B, amount_rao),
        lambda: PlaceHold(HOLD, A, amount_rao),
        lambda: PostHold(HOLD, ((A, amount_rao),)),
    ):
        with pytest.raises(ValueError, match="whole number of rao"):
            make()


def test_an_account_cannot_pay_itself():
    with pytest.raises(ValueError, match="cannot pay itself"):
        Move(A, A, 1)


def test_a_step_stays_within_one_asset():
    with pytest.raises(ValueError, match="different assets"):
        Move(A, ALPHA, 1)
    with pytest.raises(ValueError, match="different assets"):
        PostHold(HOLD, ((A, 1), (ALPHA, 1)))


@pytest.mark.parametrize("account", [FEES, ISSUANCE])
def test_what_has_no_balance_cannot_be_set_aside(account):
    with pytest.raises(ValueError, match="no balance to set aside"):
        PlaceHold(HOLD, account, 1)


def test_a_hold_is_posted_to_somebody():
    with pytest.raises(ValueError, match="VoidHold"):
        PostHold(HOLD, ())


def test_an_entry_has_steps_and_not_too_many():
    assert len(entry(*[Move(A, B, 1)] * MAX_STEPS).steps) == MAX_STEPS
    for steps in (
        (),
        (Move(A, B, 1),) * (MAX_STEPS + 1),
        (PostHold(HOLD, ((A, 1),) * (MAX_STEPS + 1)),),
    ):
        with pytest.raises(ValueError, match="1 to 4096 steps"):
            entry(*steps)


def test_an_entry_touches_a_hold_once():
    with pytest.raises(ValueError, match="touches a hold once"):
        entry(PlaceHold(HOLD, A, 1), VoidHold(HOLD))


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb"])
def test_a_key_is_short_and_printable(key):
    with pytest.raises(ValueError, match="printable"):
        Entry(key=key, code=Code.JOB_SETTLED, at=NOW, steps=(Move(A, B, 1),))


def test_an_instant_carries_its_time_zone():
    naive = datetime(2026, 1, 1)  # noqa: DTZ001  the mistake under test
    with pytest.raises(ValueError, match="time zone"):
        entry(Move(A, B, 1), at=naive)
    with pytest.raises(ValueError, match="time zone"):
        PlaceHold(HOLD, A, 1, naive)


def test_the_digest_tells_every_other_step_apart_and_no_other_instant():
    steps = [
        (Move(A, B, 1),),
        (Move(B, A, 1),),
        (Move(A, B, 2),),
        (Move(A, B, 1), Move(A, B, 1)),
        (PlaceHold(HOLD, A, 1),),
        (PlaceHold(UUID(int=8), A, 1),),
        (PostHold(HOLD, ((A, 1),)),),
        (PostHold(HOLD, ((A, 1), (B, 1))),),
        (VoidHold(HOLD),),
    ]

    assert len({entry(*some).digest() for some in steps}) == len(steps)
    later = entry(PlaceHold(HOLD, A, 1, NOW), at=NOW + timedelta(days=1), note="again")
    assert later.digest() == entry(PlaceHold(HOLD, A, 1)).digest()
    assert entry(Move(A, B, 1)).digest() != entry(Move(A, B, 1), code=Code.EPOCH_PAID).digest()


def test_the_same_fact_names_the_same_hold():
    assert hold_id("bid:1") == hold_id("bid:1") != hold_id("bid:2")
    assert hold_id(str(uuid4())).version == 5
