"""Dollars on their way to an owner's account at Stripe: sold once, sent once, in whatever order Stripe tells of it."""

from datetime import timedelta
from itertools import permutations
from uuid import uuid4

import pytest

from ledger.money import RAO_PER_TAO as TAO
from ledger.reserves import reserves
from marketplace import operations, payments
from marketplace.errors import (
    CardsUnavailable,
    PayoutAccountNotReady,
    SecondFactorNotProven,
    WithdrawalCoolingDown,
    WithdrawalDecided,
    WithdrawalsSwitchedOff,
)
from marketplace.invariants import check_books
from marketplace.models import CardDifference, PayoutAccount, WebhookEvent, Withdrawal
from marketplace.queries import withdrawals as outgoing
from tests.marketplace import world
from tests.marketplace.cards import dollars, hear, hear_all, told
from tests.marketplace.conftest import NOW
from tests.marketplace.withdrawals import (
    AGAIN,
    LONG_AGO,
    approve,
    connected,
    fund,
    request,
    send,
    to_bank,
)

pytestmark = pytest.mark.django_db

RATE = TAO // 100  # a TAO is a dollar
WEEK = timedelta(days=7)


@pytest.fixture(autouse=True)
def _rate(settings):
    settings.WITHDRAWAL_RAO_PER_CENT = RATE


@pytest.fixture
def asked(far_end):
    """Somebody's approved withdrawal of 20 dollars, and 100 dollars of the house at Stripe."""
    fund(far_end, 10_000)
    ada, account_id = connected(far_end)
    return ada, approve(request(ada, to_bank(2_000))), account_id


def test_dollars_leave_and_arrive(far_end, asked):
    ada, row, account_id = asked
    assert (row.held_rao, row.arrives_cents, world.purse(ada)) == (
        20 * TAO,
        2_000,
        (1_000 * TAO, 20 * TAO),
    )

    send(row)

    transfer = far_end.transfers[row.reference]
    assert (row.state, transfer["amount"], transfer["destination"]) == ("sent", 2_000, account_id)
    assert world.purse(ada) == (980 * TAO, 0)
    assert dollars() == {"stripe-clearing": -8_000, "fx": -2_000, "bank": 10_000}
    hear(far_end, far_end.pay_out_connected(account_id))
    row.refresh_from_db()
    assert row.state == "arrived"
    assert [one.faults for one in reserves()] == [[], []]


@pytest.mark.parametrize("count", [1, 2])
def test_in_every_order_and_twice_events_end_in_the_same_books(far_end, asked, count):
    ada, row, account_id = asked
    send(row)
    far_end.pay_out_connected(account_id)
    far_end.reverse(row.reference, 500)
    if count == 2:
        far_end.reverse(row.reference)
    kinds = ("transfer.created", "transfer.reversed", "payout.paid", "account.updated")
    events = [told(far_end, kind) for kind in kinds]

    for order in permutations(events):
        WebhookEvent.objects.all().delete()
        for event in (*order, *reversed(order)):
            hear(far_end, event)

    row.refresh_from_db()
    left = {1: 1_500, 2: 0}[count]
    assert row.state == {1: "arrived", 2: "returned"}[count]
    assert world.purse(ada) == (1_000 * TAO - left * RATE, 0)
    assert dollars().get("fx", 0) == -left
    assert far_end.balance_cents() == -dollars()["stripe-clearing"]


def test_events_that_come_before_the_answer_find_everything(far_end, asked, monkeypatch):
    """A worker dies between Stripe's answer and its own commit: the event, or the next try, makes up for it."""
    ada, row, _ = asked
    with monkeypatch.context() as patch:
        patch.setattr("marketplace.operations.withdrawal_transfers.take_up_transfer", killed)
        with pytest.raises(SystemExit):
            send(row)
    row.refresh_from_db()
    assert (row.state, len(far_end.transfers)) == ("sending", 1)

    assert hear(far_end, told(far_end, "transfer.created")) == "transferred"
    send(row, now=NOW + AGAIN)

    assert (row.state, len(far_end.transfers)) == ("sent", 1)
    assert world.purse(ada) == (980 * TAO, 0)


def killed(*_, **__):
    raise SystemExit


def test_a_try_after_stripe_forgot_its_key_finds_the_transfer(far_end, asked, monkeypatch):
    _, row, _ = asked
    with monkeypatch.context() as patch:
        patch.setattr("marketplace.operations.withdrawal_transfers.take_up_transfer", killed)
        with pytest.raises(SystemExit):
            send(row)
    far_end._answers.clear()  # as Stripe does after a day

    send(row, now=NOW + WEEK)

    assert (row.state, len(far_end.transfers)) == ("sent", 1)


def test_the_same_try_twice_is_one_transfer(far_end, asked):
    _, row, account_id = asked
    one = {
        "withdrawal_id": row.id,
        "account_id": account_id,
        "amount_cents": 2_000,
        "attempt": 0,
    }

    first, again = (payments.payouts.create_transfer(**one) for _ in range(2))

    assert first == again
    assert len(far_end.transfers) == 1
    send(row)


def test_a_short_balance_sends_nothing_until_there_is_enough(far_end, asked, settings):
    settings.WITHDRAWAL_TWO_PEOPLE_RAO = 1_000 * TAO
    ada, _, _ = asked
    row = approve(request(ada, to_bank(10_001)))

    send(row)
    send(row, now=NOW + AGAIN)
    assert (row.state, row.refusal_count) == ("sending", 2)
    assert "too little" in row.waits_for
    assert not far_end.transfers
    fund(far_end, 1)
    send(row, now=NOW + 2 * AGAIN)

    assert (row.state, row.waits_for) == ("sent", "")
    assert [transfer["amount"] for transfer in far_end.transfers.values()] == [10_001]


def test_a_rail_that_does_not_answer_is_asked_again(far_end, asked):
    _, row, _ = asked
    far_end.faults_left = 3

    with pytest.raises(CardsUnavailable):
        send(row)
    row.refresh_from_db()
    assert row.state == "sending"
    send(row, now=NOW + AGAIN)

    assert row.state == "sent"


def test_an_account_that_stripe_stopped_waits_and_is_given_up_by_staff(far_end, asked):
    ada, row, account_id = asked
    far_end.restrict(account_id)

    send(row)  # nobody has heard of it yet, so it is seen right before the transfer
    assert (row.state, far_end.transfers) == ("sending", {})
    hear(far_end, told(far_end, "account.updated"))
    assert PayoutAccount.objects.get().state == "restricted"
    send(row, now=NOW + AGAIN)
    assert row.waits_for == "Stripe takes no money for this account now."
    later = NOW + 2 * AGAIN
    operations.return_withdrawal(
        withdrawal_id=row.id, operator=uuid4(), reason="Your account is closed.", now=later
    )

    row.refresh_from_db()
    assert row.state == "returned"
    assert world.purse(ada) == (1_000 * TAO, 0)
    with pytest.raises(PayoutAccountNotReady):
        request(ada, to_bank(2_000))


def test_a_refusal_that_stripe_keeps_does_not_stand_for_the_next_try(far_end, asked, monkeypatch):
    _, row, account_id = asked
    far_end.restrict(account_id)
    with monkeypatch.context() as patch:
        # Stripe stopped the account between the look at it and the transfer.
        active = payments.payouts.ConnectedAccount(account_id, "active")
        patch.setattr("marketplace.payments.payouts.retrieve_account", lambda _: active)
        send(row)
    assert (row.state, row.refusal_count, far_end.transfers) == ("sending", 1, {})
    far_end.onboard(account_id)

    send(row, now=NOW + AGAIN)

    assert (row.state, len(far_end.transfers)) == ("sent", 1)


def test_a_new_bank_makes_dollars_wait(far_end, asked):
    ada, row, account_id = asked
    hear(far_end, far_end.change_bank(account_id))

    with pytest.raises(WithdrawalCoolingDown) as refusal:
        request(ada, to_bank(2_000))
    assert refusal.value.fields["changed"] == "account"
    assert send(row).waits_for == "The bank account at Stripe is new."

    assert row.state == "approved"
    assert send(row, now=NOW + timedelta(hours=72)).state == "sent"


def test_a_thin_event_of_the_second_api_is_heard(far_end):
    ada, account_id = connected(far_end)
    far_end.restrict(account_id)
    thin = {
        "id": "evt_thin",
        "object": "v2.core.event",
        "type": "v2.core.account[configuration.recipient].capability_status_updated",
        "related_object": {"id": account_id, "type": "v2.core.account", "url": "/v2/…"},
    }

    assert hear(far_end, thin) == "restricted"
    assert outgoing.payout_account(ada.id).changed_at == LONG_AGO


def test_an_account_is_opened_once_and_by_who_proved_it(far_end, settings):
    ada = world.person()
    one = {"owner": ada.id, "email": ada.email, "now": NOW}
    with pytest.raises(SecondFactorNotProven):
        operations.connect_payouts(**one, proven_at=None)
    assert not far_end.accounts

    pages = {operations.connect_payouts(**one, proven_at=NOW) for _ in range(2)}

    assert len(pages) == len(far_end.accounts) == 1
    (account,) = far_end.accounts.values()
    assert (account["dashboard"], account["metadata"]) == ("express", {"owner": str(ada.id)})
    assert operations.look_at_payouts(owner=ada.id, now=NOW) == "pending"
    settings.PAYOUTS_ON = False
    with pytest.raises(WithdrawalsSwitchedOff):
        operations.connect_payouts(**one, proven_at=NOW)


def test_every_transfer_has_its_entry_and_every_entry_its_transfer(far_end, asked, monkeypatch):
    _, row, _ = asked
    with monkeypatch.context() as patch:
        patch.setattr("marketplace.operations.withdrawal_transfers.take_up_transfer", killed)
        with pytest.raises(SystemExit):
            send(row)
    (transfer_id,) = far_end.transfers
    far_end.reverse(transfer_id, 500)

    assert operations.reconcile_cards(since=None, now=NOW + timedelta(hours=2)) == []

    row.refresh_from_db()
    assert row.state == "sent"
    assert not CardDifference.objects.exists()
    assert dollars()["fx"] == -1_500


def test_a_transfer_after_it_was_given_up_is_told_to_the_operator(far_end, asked):
    ada, row, account_id = asked
    Withdrawal.objects.filter(pk=row.pk).update(state="sending", next_at=LONG_AGO)
    operations.return_withdrawal(
        withdrawal_id=row.id, operator=uuid4(), reason="It hangs.", now=NOW
    )
    payments.payouts.create_transfer(
        withdrawal_id=row.id, account_id=account_id, amount_cents=2_000, attempt=0
    )

    assert hear(far_end, told(far_end, "transfer.created")) == (
        "not booked: the withdrawal is returned"
    )
    (found,) = operations.reconcile_cards(since=None, now=NOW + timedelta(hours=2))

    assert (found.kind, found.about, found.stripe_cents) == ("missing", "transfer", -2_000)
    assert world.purse(ada) == (1_000 * TAO, 0)


def test_a_transfer_of_another_product_is_left_alone(far_end):
    transfer = {"id": "tr_other", "object": "transfer", "metadata": {}, "destination": "acct_1"}
    far_end.transfers["tr_other"] = transfer | {
        "amount": 5,
        "amount_reversed": 0,
        "currency": "usd",
    }

    assert hear(far_end, far_end.emit("transfer.created", transfer)) == "no withdrawal of ours"


def test_what_was_sent_is_neither_refused_nor_cancelled(far_end, asked):
    ada, row, _ = asked
    send(row)

    with pytest.raises(WithdrawalDecided):
        operations.cancel_withdrawal(withdrawal_id=row.id, owner=ada.id, now=NOW)
    with pytest.raises(WithdrawalDecided):
        operations.refuse_withdrawal(
            withdrawal_id=row.id, operator=uuid4(), reason="Too late.", now=NOW
        )
    assert hear_all(far_end)
    assert check_books() == []
