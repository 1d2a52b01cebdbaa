"""What Stripe tells, in any order and any number of times, credits a payment once."""

from datetime import timedelta
from itertools import permutations

import pytest

from ledger import chart
from ledger import operations as ledger
from ledger import queries as books
from ledger.chart import Code
from ledger.entries import Entry, Move
from ledger.errors import InsufficientFunds
from marketplace import operations, payments, queries
from marketplace.errors import CardsUnavailable
from marketplace.models import Deposit, WebhookEvent
from marketplace.tasks import process_webhook_events
from tests.ledger.make import together
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db

CENTS = 2_500
KINDS = ("checkout.session.completed", "payment_intent.succeeded")
# Both events, each up to twice, in every order they can come in.
ORDERS = sorted(
    {
        order
        for bag in (
            KINDS[:1],
            KINDS[1:],
            KINDS,
            KINDS + KINDS[:1],
            KINDS + KINDS[1:],
            KINDS + KINDS,
        )
        for order in permutations(bag)
    }
)


@pytest.fixture
def quoted(far_end):
    """Somebody with an open card page."""
    ada = world.person()
    deposit = operations.start_deposit(
        owner=ada.id, email=ada.email, amount_cents=CENTS, key="one", now=NOW
    )
    return ada, deposit


def hear(far_end, event, *, now=NOW):
    """Take an event in as the webhook does, and act on it as the sweep does."""
    payload, signature = far_end.signed(event)
    operations.record_webhook_event(payments.read_event(payload, signature=signature), now=now)
    return operations.process_webhook_event(event_id=event["id"], now=now)


def told(far_end, kind):
    """Return the newest event of a kind."""
    return [event for event in far_end.events if event["type"] == kind][-1]


def again(far_end, event, number):
    """Return the same news under another event's id, as Stripe makes it after a retry of its own."""
    return event | {"id": f"{event['id']}_{number}"}


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "-".join(kind[:2] for kind in order))
@pytest.mark.parametrize("fresh_ids", [False, True])
def test_every_order_of_events_credits_once(far_end, quoted, order, fresh_ids):
    ada, deposit = quoted
    before = world.treasury()
    far_end.pay(deposit.session_id)

    for number, kind in enumerate(order):
        event = told(far_end, kind)
        hear(far_end, again(far_end, event, number) if fresh_ids else event)

    deposit.refresh_from_db()
    assert (deposit.state, deposit.credited_at) == ("credited", NOW)
    assert world.purse(ada) == (deposit.credit_rao, 0)
    assert world.treasury() == before - deposit.credit_rao
    assert queries.waiting_webhook_events(limit=9) == []


def test_a_credit_is_keyed_by_its_payment(far_end, quoted):
    _, deposit = quoted
    session = far_end.pay(deposit.session_id)

    assert hear(far_end, told(far_end, KINDS[0])) == "credited"

    assert books.recorded_entry(f"card:{session['payment_intent']}:credited") is not None
    assert hear(far_end, told(far_end, KINDS[1])) == "credited before"


def test_a_slow_payment_is_credited_when_it_arrives(far_end, quoted):
    ada, deposit = quoted
    far_end.pay(deposit.session_id, arrives=False)
    assert hear(far_end, told(far_end, "checkout.session.completed")) == "not paid yet"
    assert world.purse(ada) == (0, 0)

    far_end.settle(deposit.session_id)

    assert hear(far_end, told(far_end, "checkout.session.async_payment_succeeded")) == "credited"
    assert world.purse(ada) == (deposit.credit_rao, 0)


def test_a_page_that_ran_out_expires_the_deposit(far_end, quoted):
    ada, deposit = quoted
    far_end.expire(deposit.session_id)

    assert hear(far_end, told(far_end, "checkout.session.expired")) == "expired"

    deposit.refresh_from_db()
    assert (deposit.state, deposit.credited_at) == ("expired", None)
    assert world.purse(ada) == (0, 0)


def test_a_payment_after_the_expiry_notice_is_still_credited(far_end, quoted):
    ada, deposit = quoted
    Deposit.objects.filter(pk=deposit.pk).update(state=Deposit.State.EXPIRED)
    far_end.pay(deposit.session_id)

    assert hear(far_end, told(far_end, KINDS[0])) == "credited"
    assert world.purse(ada) == (deposit.credit_rao, 0)


def test_an_expiry_notice_after_the_credit_changes_nothing(far_end, quoted):
    ada, deposit = quoted
    far_end.pay(deposit.session_id)
    hear(far_end, told(far_end, KINDS[0]))
    late = told(far_end, KINDS[0]) | {"id": "evt_late", "type": "checkout.session.expired"}

    assert hear(far_end, late) == "credited before"
    assert world.purse(ada) == (deposit.credit_rao, 0)


def test_another_amount_than_quoted_is_not_credited(far_end, quoted):
    ada, deposit = quoted
    payment_id = far_end.pay(deposit.session_id)["payment_intent"]
    far_end.intents[payment_id]["amount_received"] = 100

    said = hear(far_end, told(far_end, KINDS[0]))

    assert said == "not credited: 100 usd paid, 2500 usd quoted"
    assert world.purse(ada) == (0, 0)
    assert Deposit.objects.get(pk=deposit.pk).state == "created"


def test_what_an_event_claims_is_not_believed(far_end, quoted):
    ada, deposit = quoted
    far_end.emit("checkout.session.completed", {"id": deposit.session_id, "payment_status": "paid"})

    assert hear(far_end, far_end.events[-1]) == "not paid yet"
    assert world.purse(ada) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "about", "said"),
    [
        ("customer.created", "cus_1", "ignored"),
        ("checkout.session.completed", "cs_of_another_house", "unknown at Stripe"),
    ],
)
def test_other_events_are_put_away(far_end, quoted, kind, about, said):
    far_end.emit(kind, {"id": about})

    assert hear(far_end, far_end.events[-1]) == said

    assert queries.waiting_webhook_events(limit=9) == []


def test_a_payment_for_no_deposit_of_ours_is_put_away(far_end, quoted):
    _, deposit = quoted
    payment_id = far_end.pay(deposit.session_id)["payment_intent"]
    far_end.intents[payment_id]["metadata"] = {"deposit_id": "order 7 of another product"}

    assert hear(far_end, told(far_end, KINDS[0])) == "no deposit of ours"


def test_an_event_waits_while_stripe_does_not_answer(far_end, quoted):
    ada, deposit = quoted
    far_end.pay(deposit.session_id)
    far_end.faults_left = 9

    with pytest.raises(CardsUnavailable):
        hear(far_end, told(far_end, KINDS[0]))
    assert len(queries.waiting_webhook_events(limit=9)) == 1
    far_end.faults_left = 0
    process_webhook_events()

    assert queries.waiting_webhook_events(limit=9) == []
    assert world.purse(ada) == (deposit.credit_rao, 0)


def test_an_event_waits_for_an_empty_treasury(far_end, quoted):
    ada, deposit = quoted
    drained_rao = world.treasury() - 1
    drain(drained_rao)
    far_end.pay(deposit.session_id)

    with pytest.raises(InsufficientFunds):
        hear(far_end, told(far_end, KINDS[0]))
    assert Deposit.objects.get(pk=deposit.pk).state == "created"
    operations.fund_treasury(amount_rao=drained_rao, key="more", now=NOW)
    process_webhook_events()

    assert world.purse(ada) == (deposit.credit_rao, 0)


def drain(amount_rao):
    ledger.post(
        Entry(
            key="drain",
            code=Code.ENTRY_REVERSED,
            at=NOW,
            steps=(Move(chart.TREASURY, chart.ISSUANCE, amount_rao),),
        )
    )


def test_one_bad_event_does_not_stop_the_sweep(far_end, quoted):
    ada, deposit = quoted
    WebhookEvent.objects.create(
        id="evt_bad", type=KINDS[0], payload={}, received_at=NOW - timedelta(hours=1)
    )
    far_end.pay(deposit.session_id)
    for event in far_end.events:
        payload, signature = far_end.signed(event)
        operations.record_webhook_event(payments.read_event(payload, signature=signature), now=NOW)

    process_webhook_events()

    assert queries.waiting_webhook_events(limit=9) == ["evt_bad"]
    assert world.purse(ada) == (deposit.credit_rao, 0)


@pytest.mark.django_db(transaction=True)
def test_two_workers_on_the_two_events_credit_once(far_end, quoted):
    ada, deposit = quoted
    far_end.pay(deposit.session_id)
    events = [told(far_end, kind) for kind in KINDS]

    said = together([lambda event=event: hear(far_end, event) for event in events * 2])

    assert sorted(said) == ["credited", "credited", "credited before", "credited before"]
    assert world.purse(ada) == (deposit.credit_rao, 0)


def test_the_webhook_answers_once_the_event_is_stored(client, far_end, quoted):
    _, deposit = quoted
    far_end.pay(deposit.session_id)
    payload, signature = far_end.signed(told(far_end, KINDS[0]))

    answers = [post(client, payload, signature) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    (stored,) = WebhookEvent.objects.all()
    assert (stored.type, stored.processed_at) == (KINDS[0], None)
    assert stored.payload["id"] == deposit.session_id


def test_a_forged_event_is_refused_and_not_stored(client, far_end, quoted):
    _, deposit = quoted
    far_end.pay(deposit.session_id)
    payload, signature = far_end.signed(told(far_end, KINDS[0]), secret="whsec_of_somebody_else")

    answer = post(client, payload, signature)

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "webhook_signature_invalid"
    assert WebhookEvent.objects.count() == 0


def post(client, payload, signature):
    return client.post(
        "/api/v1/webhooks/stripe/",
        payload,
        content_type="application/json",
        headers={"Stripe-Signature": signature},
    )
