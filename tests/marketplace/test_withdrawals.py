"""TAO on its way to the chain: asked for, let go by staff, sent once, and in the wallet again where it does not arrive."""

from datetime import timedelta
from uuid import uuid4

import pytest

from ledger import queries as books
from ledger.chart import CHAIN_HOT, FEES, NETWORK_FEES
from ledger.errors import IdempotencyConflict
from ledger.money import RAO_PER_TAO as TAO
from ledger.reserves import reserves
from marketplace import operations, queries, tasks
from marketplace.errors import (
    NotWithdrawable,
    SecondFactorNotProven,
    WithdrawalAddressUnknown,
    WithdrawalCoolingDown,
    WithdrawalDecided,
    WithdrawalLimitReached,
    WithdrawalOutOfBounds,
    WithdrawalQuoteChanged,
    WithdrawalsSwitchedOff,
    WithdrawalUnknown,
)
from marketplace.models import RehearsedBroadcast, Withdrawal
from marketplace.operations.rehearsed_chain import FEE_RAO as NETWORK_FEE_RAO
from marketplace.operations.rehearsed_chain import RehearsedChain
from tests.marketplace import world
from tests.marketplace.conftest import NOW
from tests.marketplace.withdrawals import (
    AGAIN,
    FEE_RAO,
    LONG_AGO,
    address,
    approve,
    drop,
    look,
    request,
    requested,
    rich,
    send,
    to_chain,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _chain(settings):
    settings.WITHDRAWAL_FEE_RAO = FEE_RAO


def killed(*_, **__):
    raise SystemExit


def system(*accounts):
    return [books.balance(account).posted_rao for account in accounts]


def test_money_leaves_for_the_chain():
    ada, row = requested(tao=10)
    assert (row.state, row.arrives_rao, row.approvals_needed) == (
        "requested",
        10 * TAO - FEE_RAO,
        1,
    )
    assert world.purse(ada) == (1_000 * TAO, 10 * TAO)

    approve(row)
    send(row)
    assert row.state == "sent"
    assert world.purse(ada) == (1_000 * TAO, 10 * TAO)
    look(row)

    assert (row.state, row.ended_at is None) == ("arrived", False)
    assert world.purse(ada) == (990 * TAO, 0)
    assert system(CHAIN_HOT, FEES, NETWORK_FEES) == [
        10 * TAO - FEE_RAO + NETWORK_FEE_RAO, FEE_RAO, -NETWORK_FEE_RAO,
    ]  # fmt: skip
    assert RehearsedBroadcast.objects.get().extrinsic == row.reference
    assert [one.faults for one in reserves()] == [[]]


def test_the_sweeps_do_it_all(settings):
    _, row = requested()
    approve(row)

    tasks.send_due_withdrawals()
    row.refresh_from_db()
    assert row.state == "sent"
    RehearsedBroadcast.objects.update(sent_at=LONG_AGO)
    Withdrawal.objects.update(next_at=LONG_AGO)
    tasks.look_at_sent_withdrawals()

    row.refresh_from_db()
    assert row.state == "arrived"


def test_asking_twice_with_one_key_sets_money_aside_once():
    ada, book = rich()
    first = request(ada, to_chain(book, 10), key="one")

    again = request(ada, to_chain(book, 10), key="one", now=NOW + AGAIN, proven_at=None)

    assert again == first
    assert world.purse(ada)[1] == 10 * TAO
    with pytest.raises(IdempotencyConflict) as refusal:
        request(ada, to_chain(book, 11), key="one")
    assert refusal.value.fields["field"] == "arrives"
    with pytest.raises(IdempotencyConflict) as refusal:
        request(ada, to_chain(address(ada), 10), key="one")
    assert refusal.value.fields["field"] == "address"


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"proven_at": None}, SecondFactorNotProven),
        ({"proven_at": NOW - timedelta(minutes=6)}, SecondFactorNotProven),
        ({"tao": 0.001}, WithdrawalOutOfBounds),
        ({"tao": 501}, WithdrawalLimitReached),
        ({"tao": 400, "spend": 700}, NotWithdrawable),
        ({"arrives": 10 * TAO}, WithdrawalQuoteChanged),
        ({"setting": ("CHAIN", "")}, WithdrawalsSwitchedOff),
        ({"setting": ("WITHDRAWALS_ON", False)}, WithdrawalsSwitchedOff),
        ({"is_removed": True}, WithdrawalAddressUnknown),
        ({"is_anothers": True}, WithdrawalAddressUnknown),
    ],
)
def test_what_is_refused_sets_nothing_aside(settings, change, refused):
    settings.WITHDRAWAL_RAO_A_DAY = 500 * TAO
    ada, book = rich()
    if change.get("is_removed"):
        operations.remove_withdrawal_address(owner=ada.id, address_id=book.id, now=NOW)
    if change.get("is_anothers"):
        _, book = rich()
    if change.get("spend"):
        world.bid(world.auction(), ada, change["spend"])
    held_rao = world.purse(ada)[1]
    asked = to_chain(book, change.get("tao", 10), arrives=change.get("arrives"))
    if change.get("setting"):
        setattr(settings, *change["setting"])

    with pytest.raises(refused):
        request(ada, asked, proven_at=change.get("proven_at", NOW))

    assert not Withdrawal.objects.exists()
    assert world.purse(ada)[1] == held_rao


def test_a_new_address_waits():
    ada = world.person(tao=100)
    book = address(ada, at=NOW)
    two_days = timedelta(hours=48)

    with pytest.raises(WithdrawalCoolingDown) as refusal:
        request(ada, to_chain(book, 10))
    assert refusal.value.fields["until"] == NOW + two_days

    later = NOW + two_days
    assert request(ada, to_chain(book, 10), now=later, proven_at=later).state == "requested"


def test_an_address_added_again_goes_on_waiting_and_one_removed_waits_anew():
    ada = world.person(tao=100)
    first = address(ada, at=LONG_AGO)
    assert address(ada, at=NOW, text=first.ss58).added_at == LONG_AGO

    operations.remove_withdrawal_address(owner=ada.id, address_id=first.id, now=NOW)
    assert address(ada, at=NOW, text=first.ss58).added_at == NOW


def test_a_new_second_factor_makes_withdrawals_wait(settings):
    from allauth.mfa.models import Authenticator

    ada, book = rich()
    factor = Authenticator.objects.create(user=ada, type=Authenticator.Type.TOTP, data={})
    Authenticator.objects.filter(pk=factor.pk).update(created_at=NOW - timedelta(hours=1))

    with pytest.raises(WithdrawalCoolingDown) as refusal:
        request(ada, to_chain(book, 10))

    assert refusal.value.fields["changed"] == "factor"
    settings.WITHDRAWAL_FACTOR_HOURS = 1
    assert request(ada, to_chain(book, 10)).state == "requested"


def test_the_limit_of_a_day_counts_what_was_asked_for_and_not_cancelled(settings):
    settings.WITHDRAWAL_RAO_A_DAY = 25 * TAO
    ada, book = rich()
    first = request(ada, to_chain(book, 20))

    with pytest.raises(WithdrawalLimitReached):
        request(ada, to_chain(book, 10))

    operations.cancel_withdrawal(withdrawal_id=first.id, owner=ada.id, now=NOW)
    assert request(ada, to_chain(book, 10)).state == "requested"


def test_an_owner_cancels_until_it_is_approved():
    ada, row = requested()
    with pytest.raises(WithdrawalUnknown):
        operations.cancel_withdrawal(withdrawal_id=row.id, owner=uuid4(), now=NOW)

    for _ in range(2):
        operations.cancel_withdrawal(withdrawal_id=row.id, owner=ada.id, now=NOW)

    row.refresh_from_db()
    assert row.state == "cancelled"
    assert world.purse(ada) == (1_000 * TAO, 0)
    with pytest.raises(WithdrawalDecided):
        approve(row)
    bob, late = requested()
    approve(late)
    with pytest.raises(WithdrawalDecided) as refusal:
        operations.cancel_withdrawal(withdrawal_id=late.id, owner=bob.id, now=NOW)
    assert refusal.value.fields == {"state": "approved"}


def test_what_the_chain_drops_is_in_the_wallet_again():
    ada, row = requested()
    send(approve(row))
    drop(row)

    look(row)
    look(row)

    assert row.state == "returned"
    assert row.reason
    assert world.purse(ada) == (1_000 * TAO, 0)
    assert system(CHAIN_HOT, FEES) == [0, 0]


def test_a_worker_that_dies_behind_the_sending_sends_no_second_time(monkeypatch):
    ada, row = requested()
    approve(row)
    with monkeypatch.context() as patch:
        patch.setattr("marketplace.operations.withdrawal_sending.take_up", killed)
        with pytest.raises(SystemExit):
            send(row)
    row.refresh_from_db()
    assert (row.state, row.reference) == ("sending", None)
    assert RehearsedBroadcast.objects.count() == 1

    assert send(row).state == "sending"  # the dead worker's time is not over
    send(row, now=NOW + AGAIN)

    assert row.state == "arrived"  # it had two minutes to become final
    assert RehearsedBroadcast.objects.count() == 1
    assert world.purse(ada) == (990 * TAO, 0)


def test_the_rehearsed_chain_sends_once_however_often_it_is_asked():
    request_id, chain = uuid4(), RehearsedChain(NOW)

    first = chain.send(request_id, address="5F", amount_rao=TAO)
    again = RehearsedChain(NOW + AGAIN).send(request_id, address="5F", amount_rao=TAO)

    assert (again.extrinsic, again.sent_at) == (first.extrinsic, NOW)
    assert (first.fate, again.fate) == ("pending", "final")
    assert chain.sent_since(NOW) == [first]


def test_what_the_hot_wallet_cannot_send_whole_waits(settings):
    _, row = requested()
    approve(row)
    settings.CHAIN_HOT_RAO = 10 * TAO - FEE_RAO + NETWORK_FEE_RAO - 1

    send(row)
    assert (row.state, row.refusal_count) == ("sending", 1)
    assert "too little" in row.waits_for
    assert not RehearsedBroadcast.objects.exists()

    settings.CHAIN_HOT_RAO += 1
    send(row, now=NOW + AGAIN)
    assert (row.state, row.waits_for) == ("sent", "")


@pytest.mark.parametrize("change", [("WITHDRAWALS_ON", False)])
def test_switched_off_nothing_is_sent_and_what_was_sent_is_looked_at(settings, change):
    (_, waiting), (_, sent) = requested(), requested()
    send(approve(sent))
    approve(waiting)
    setattr(settings, *change)

    send(waiting)
    look(sent)

    assert (waiting.state, waiting.waits_for) == ("approved", "This way out is switched off.")
    assert sent.state == "arrived"
    settings.WITHDRAWALS_ON = True
    assert send(waiting, now=NOW + AGAIN).state == "sent"


def test_every_step_and_every_new_place_is_told():
    ada = world.person(tao=100)
    operations.tell_news(source="withdrawals", now=ada.joined_at)
    start = ada.joined_at + timedelta(days=1)
    book = address(ada, at=start)
    at = start + timedelta(days=3)
    sent, refused = (request(ada, to_chain(book, 10), now=at, proven_at=at) for _ in range(2))
    look(send(approve(sent, now=at), now=at), now=at + timedelta(minutes=1))
    operations.refuse_withdrawal(
        withdrawal_id=refused.id, operator=uuid4(), reason="Ask us first.", now=at
    )

    operations.tell_news(source="withdrawals", now=at + timedelta(minutes=1))
    operations.tell_news(source="withdrawals", now=at + timedelta(minutes=2))

    told = queries.notices_of(ada.id, limit=20)
    assert sorted(line.kind for line in told) == [
        "withdrawal_address_added", "withdrawal_approved", "withdrawal_arrived", "withdrawal_refused",
        "withdrawal_requested", "withdrawal_requested", "withdrawal_sent",
    ]  # fmt: skip
    (said,) = (line for line in told if line.kind == "withdrawal_refused")
    assert said.sentence == (
        "Your withdrawal of 10 TAO was refused, and the money is in your wallet again."
        " The reason given: “Ask us first.”."
    )
    assert said.path == f"/wallet/withdrawals/{refused.id}/"
