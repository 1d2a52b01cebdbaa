"""A bank sends dollars back: they are at Stripe, their owner is told what to do, and the last payout decides."""

from datetime import timedelta
from itertools import permutations, product

import pytest
from django.db import transaction

from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations, payments, queries
from marketplace.bankpayouts import FAULTS, BankPayout, Word, fault_words, is_newer
from marketplace.errors import (
    PayoutAccountNotReady,
    WebhookPayloadInvalid,
    WebhookSignatureInvalid,
)
from marketplace.models import PayoutAccount, User, WebhookEvent
from tests.marketplace import world
from tests.marketplace.cards import dollars, hear, hear_all, told
from tests.marketplace.conftest import NOW
from tests.marketplace.withdrawals import (
    AGAIN,
    approve,
    connected,
    fund,
    request,
    send,
    sign_in,
    to_bank,
)

SECOND = timedelta(seconds=1)


def payout(id_, status, *, after=0):
    return BankPayout(id_, NOW + after * SECOND, status, "account_closed")


def test_in_every_order_and_twice_the_last_word_of_the_last_payout_is_known():
    first = [payout("po_1", status) for status in ("pending", "in_transit", "paid", "failed")]
    second = [payout("po_2", status, after=1) for status in ("pending", "paid")]

    for order in permutations([*first, *second]):
        known = None
        for seen in (*order, *order[::2]):
            if is_newer(seen.news, known=known):
                known = seen.news
        assert (known.payout_id, known.word) == ("po_2", Word.ARRIVED), order


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("paid", Word.ARRIVED),
        ("failed", Word.REFUSED),
        ("canceled", Word.REFUSED),
        ("in_transit", Word.UNDER_WAY),
        ("of_a_time_to_come", Word.UNDER_WAY),
    ],
)
def test_each_status_of_stripes_has_its_word(status, word):
    assert payout("po_1", status).word is word


def test_every_fault_is_said_in_words():
    for code in (*FAULTS, "of_a_time_to_come"):
        assert "_" not in fault_words(code)


@pytest.fixture(autouse=True)
def _rate(settings):
    settings.WITHDRAWAL_RAO_PER_CENT = TAO // 100  # a TAO is a dollar


@pytest.fixture
def sent(db, far_end):
    """Somebody's 20 dollars, sent to their account at Stripe."""
    fund(far_end, 10_000)
    ada, account_id = connected(far_end)
    row = send(approve(request(ada, to_bank(2_000))))
    assert row.state == "sent"
    return ada, row, account_id


def state_of(row):
    row.refresh_from_db()
    return row.state, row.bank_fault


@pytest.mark.parametrize("was_paid", [False, True])
def test_what_a_bank_sends_back_is_at_stripe_and_arrives_by_the_next_payout(
    far_end, sent, was_paid
):
    ada, row, account_id = sent
    start = far_end.pay_out_connected if was_paid else far_end.start_payout
    event = start(account_id)
    assert hear(far_end, event) == ("1 arrived" if was_paid else "1 under way")
    before = (world.purse(ada), dollars())

    refused = far_end.refuse_payout(event["data"]["object"]["id"])
    assert hear(far_end, refused) == "1 refused"
    assert state_of(row) == ("sent", "account_closed")
    assert row.ended_at is None
    assert (world.purse(ada), dollars()) == before
    far_end.change_bank(account_id)
    hear(far_end, far_end.pay_out_connected(account_id))

    assert state_of(row) == ("arrived", "")
    assert (world.purse(ada), dollars()) == before


def test_whatever_order_the_events_of_two_payouts_come_in_the_last_payout_decides(far_end, sent):
    _, row, account_id = sent
    first = far_end.pay_out_connected(account_id)
    far_end.refuse_payout(first["data"]["object"]["id"])
    far_end.pay_out_connected(account_id)
    events = [event for event in far_end.events if event["type"].startswith("payout.")]
    assert [event["type"].partition(".")[2] for event in events] == [
        "created", "paid", "failed", "created", "paid",
    ]  # fmt: skip

    def tell(told, untold):
        """Tell what is untold in every order; orders that begin alike are told their beginning once."""
        if not untold:
            assert state_of(row) == ("arrived", ""), told
            orders.add(tuple(told))
        for event in untold:
            with transaction.atomic():
                hear(far_end, event)
                tell([*told, event["id"]], [other for other in untold if other is not event])
                transaction.set_rollback(True)

    orders = set()
    tell([], events)
    assert len(orders) == 120


def test_an_older_payout_that_fails_later_changes_nothing(far_end, sent):
    _, row, account_id = sent
    first = far_end.start_payout(account_id)["data"]["object"]["id"]
    far_end.refuse_payout(first)
    hear(far_end, far_end.pay_out_connected(account_id))

    assert hear(far_end, told(far_end, "payout.failed")) == "nothing new"

    assert state_of(row) == ("arrived", "")


def test_what_came_back_to_the_house_stays_returned(far_end, sent):
    ada, row, account_id = sent
    event = far_end.pay_out_connected(account_id)
    far_end.reverse(row.reference)
    hear_all(far_end)
    assert state_of(row) == ("returned", "")

    far_end.refuse_payout(event["data"]["object"]["id"])
    hear_all(far_end)

    assert state_of(row) == ("returned", "")
    assert world.purse(ada) == (1_000 * TAO, 0)


def test_of_a_payout_that_the_owner_asked_for_nobody_knows_what_it_took(far_end, sent):
    _, row, account_id = sent

    assert hear(far_end, far_end.pay_out_connected(account_id, automatic=False)) == "nothing new"

    assert state_of(row) == ("sent", "")


def test_an_account_that_pays_nothing_out_gets_nothing(far_end, sent):
    ada, _, account_id = sent
    row = approve(request(ada, to_bank(1_000)))

    assert hear(far_end, far_end.stop_payouts(account_id)) == "active, stopped"

    assert PayoutAccount.objects.get().stopped_at == NOW
    assert "pays nothing out" in send(row).waits_for
    with pytest.raises(PayoutAccountNotReady):
        request(ada, to_bank(1_000))
    assert hear(far_end, far_end.stop_payouts(account_id, status="active")) == "active"
    assert send(row, now=NOW + AGAIN).state == "sent"


def test_an_account_that_stops_between_the_look_and_the_transfer_gets_nothing(far_end, sent):
    ada, _, account_id = sent
    row = approve(request(ada, to_bank(1_000)))
    far_end.stop_payouts(account_id)  # nobody has heard of it

    assert send(row).state == "sending"

    assert len(far_end.transfers) == 1


def test_what_nobody_heard_is_found_by_reconciling(far_end, sent):
    _, row, account_id = sent
    far_end.refuse_payout(far_end.pay_out_connected(account_id)["data"]["object"]["id"])
    far_end.stop_payouts(account_id)
    far_end.events = [event for event in far_end.events if not event.get("account")]

    for _ in range(2):
        assert operations.reconcile_cards(since=None, now=NOW + timedelta(hours=2)) == []

    assert state_of(row) == ("sent", "account_closed")
    assert PayoutAccount.objects.get().stopped_at is not None


def test_each_refusal_and_the_arrival_after_it_are_told(far_end, sent):
    ada, row, account_id = sent
    User.objects.update(joined_at=NOW - timedelta(days=1))
    operations.tell_news(source="withdrawals", now=NOW - timedelta(minutes=1))
    far_end.stop_payouts(account_id)

    def tell():
        hear_all(far_end)
        operations.tell_news(source="withdrawals", now=NOW)
        lines = queries.notices_of(ada.id, limit=50)
        return [line.type for line in lines if line.type.startswith("withdrawal.")]

    for _ in range(2):
        far_end.refuse_payout(far_end.pay_out_connected(account_id)["data"]["object"]["id"])
        kinds = tell()
    far_end.pay_out_connected(account_id)
    kinds = tell()

    assert kinds.count("withdrawal.bank_refused") == 2
    assert kinds.count("withdrawal.arrived") == 1
    assert kinds.count("withdrawal.account_stopped") == 1
    (line, *_) = (
        line for line in queries.notices_of(ada.id, limit=50) if "bank_refused" in line.type
    )
    assert "Your withdrawal of 20.00 USD reached Stripe" in line.sentence
    assert line.path == f"/wallet/withdrawals/{row.id}/"


def test_the_withdrawals_page_says_what_happened_and_what_to_do(client, far_end, sent):
    ada, row, account_id = sent
    sign_in(client, ada)
    far_end.refuse_payout(far_end.pay_out_connected(account_id)["data"]["object"]["id"])
    hear(far_end, told(far_end, "payout.failed"))

    page = client.get(f"/wallet/withdrawals/{row.id}/").content.decode()

    assert "the bank account is closed" in page
    assert "Go on at Stripe" in page
    assert "At Stripe: the bank refused it" in client.get("/wallet/withdrawals/").content.decode()
    shown = client.get(f"/api/v1/withdrawals/{row.id}/").json()
    assert (shown["state"], shown["bank_fault"]) == ("sent", "account_closed")


def test_the_places_page_says_that_an_account_is_stopped(client, far_end, sent):
    ada, row, account_id = sent
    sign_in(client, ada)
    hear(far_end, far_end.stop_payouts(account_id))

    assert "pays nothing out of this account" in client.get("/wallet/places/").content.decode()
    page = client.get(f"/wallet/withdrawals/{row.id}/").content.decode()
    assert "pays nothing out of your account" in page


def post(client, path, signed):
    payload, signature = signed
    return client.post(
        f"/api/v1/webhooks/stripe/{path}",
        payload,
        content_type="application/json",
        headers={"Stripe-Signature": signature},
    )


def test_events_of_connected_accounts_are_believed_by_their_own_secret_at_their_own_address(
    client, far_end, sent
):
    _, _, account_id = sent
    event = far_end.pay_out_connected(account_id)
    house = far_end.top_up(1) and told(far_end, "topup.succeeded")
    WebhookEvent.objects.all().delete()

    for _ in range(2):
        assert post(client, "connect/", far_end.signed(event)).status_code == 200
    assert WebhookEvent.objects.get().payload["connected_account"] == account_id
    by_house = far_end.signed(event, secret=far_end.webhook_secret)
    by_connect = far_end.signed(house, secret=far_end.connect_secret)
    told_so = {
        (path, signed[0]): post(client, path, signed).json()["code"]
        for path, signed in product(("", "connect/"), (by_house, by_connect))
    }

    assert set(told_so.values()) == {"webhook_signature_invalid", "webhook_payload_invalid"}
    assert WebhookEvent.objects.count() == 1


def test_without_its_secret_no_event_of_a_connected_account_is_believed(far_end, sent, settings):
    settings.STRIPE_CONNECT_WEBHOOK_SECRET = ""
    payload, signature = far_end.signed(far_end.start_payout(sent[2]))

    with pytest.raises(WebhookSignatureInvalid):
        payments.read_event(payload, signature=signature, inbox=payments.Inbox.CONNECTED)


def test_an_event_of_the_house_is_not_one_of_a_connected_account(far_end):
    event = far_end.emit("payout.paid", {"id": "po_1", "object": "payout"})
    payload, signature = far_end.signed(event, secret=far_end.connect_secret)

    with pytest.raises(WebhookPayloadInvalid) as refusal:
        payments.read_event(payload, signature=signature, inbox=payments.Inbox.CONNECTED)

    assert "of the house" in refusal.value.fields["reason"]
