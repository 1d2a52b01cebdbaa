"""What is asked of Stripe, asked of two stand-ins: our own, and one that others wrote. Both are read alike.

localstripe has payment intents, charges, refunds, balance transactions and events, and neither Checkout nor Connect,
disputes or early fraud warnings. It keeps no idempotency keys, and refunds more than was paid: that a repeat refunds once, and that without an amount the
rest is refunded, is tried with our own alone.
"""

import queue
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from launch import localstripe as second
from marketplace import card_shapes as shapes
from marketplace import payments
from marketplace.errors import CardsRefused, CardsUnavailable, WebhookSignatureInvalid
from marketplace.payments import payouts
from marketplace.payments.door import client, dicts
from tests.localstripe_server import localstripe, send_events_to
from tests.stripe_server import StripeServer

pytestmark = [
    pytest.mark.localstripe,
    pytest.mark.skipif(
        second.find() is None,
        reason="localstripe is not installed: `python -m launch localstripe` does it.",
    ),
]

CENTS = 2_500
DEPOSIT = UUID("0195a0de-0000-7000-8000-000000000001")
KEY, SECRET = "sk_test_of_the_suite", "whsec_of_the_suite"
WAIT_S = 60


@pytest.fixture(scope="module")
def url():
    with localstripe(second.ensure()) as address:
        yield address


@pytest.fixture
def theirs(settings, url):
    """Point everything that asks Stripe at localstripe."""
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = KEY, SECRET
    settings.STRIPE_API_BASE = url
    return url


def paid_at_theirs():
    """Pay by a card, as Checkout would; localstripe has no pages."""
    v1 = client().v1
    card = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2035, "cvc": "123"}
    method = v1.payment_methods.create(params={"type": "card", "card": card})
    intent = {
        "amount": CENTS, "currency": "usd", "payment_method": method.id, "confirm": True,
        "metadata": {"deposit_id": str(DEPOSIT)},
    }  # fmt: skip
    return v1.payment_intents.create(params=intent).id


@pytest.fixture(params=["localstripe", "tests.stripe_server"])
def payment_id(request, settings):
    """A payment of 25 dollars at either stand-in."""
    if request.param == "localstripe":
        request.getfixturevalue("theirs")
        yield paid_at_theirs()
        return
    with StripeServer(secret_key=KEY, webhook_secret=SECRET) as ours:
        settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = KEY, SECRET
        settings.STRIPE_API_BASE = ours.url
        session = payments.create_checkout(
            deposit_id=DEPOSIT, amount_cents=CENTS, email="a@example.com", success_url="http://x/",
            cancel_url="http://x/", created_at=timezone.now(),
        )  # fmt: skip
        paid = ours.pay(session.session_id)["payment_intent"]
        ours.book(paid)
        yield paid


def seen(payment_id):
    """Read a payment as `payments.retrieve_payment` does, as far as both stand-ins can be asked."""
    v1 = client().v1
    intent = v1.payment_intents.retrieve(
        payment_id, params={"expand": ["latest_charge.balance_transaction"]}
    ).to_dict()
    refunds = v1.refunds.list(
        params={"payment_intent": payment_id, "limit": 100, "expand": ["data.balance_transaction"]}
    )
    known = {"amount_received": intent["amount"], "review": None}  # localstripe has neither
    return shapes.payment(intent | known, refunds=dicts(refunds), disputes=[], warnings=[])


def test_a_payment_is_read_alike(payment_id):
    payment = seen(payment_id)

    assert (payment.status, payment.currency, payment.deposit_id) == ("succeeded", "usd", DEPOSIT)
    assert payment.charge_id.startswith("ch_")
    assert payment.fee_cents is not None
    assert payment.refunds == ()


def test_a_part_and_then_the_rest_are_refunded_under_names_that_are_found_again(payment_id):
    payments.refund(payment_id, key="fraud:1:0", amount_cents=1_000)
    part = seen(payment_id)
    payments.refund(payment_id, key="refund:1", amount_cents=1_500)
    whole = seen(payment_id)

    (refund,) = part.refunds
    assert (refund.status, refund.amount_cents, refund.asked_as) == (
        "succeeded",
        1_000,
        "fraud:1:0",
    )
    assert refund.was_made
    assert (refund.movement.amount_cents, refund.movement.fee_cents) == (-1_000, 0)
    assert sorted((one.amount_cents, one.asked_as) for one in whole.refunds) == [
        (1_000, "fraud:1:0"),
        (1_500, "refund:1"),
    ]
    assert whole.refunded_cents == CENTS


def test_news_of_a_payment_are_listed_as_events(payment_id):
    events = list(payments.events_since(timezone.now() - timedelta(hours=1)))

    paid = [event for event in events if event.type == "payment_intent.succeeded"]
    assert payment_id in {event.object_id for event in paid}
    assert {event.account_id for event in events} == {""}


def test_a_payment_that_is_not_there_and_a_wrong_key_are_refused(payment_id, settings):
    with pytest.raises(CardsRefused):
        payments.refund("pi_of_nobody", key=uuid4().hex)

    settings.STRIPE_SECRET_KEY = "nonsense"

    with pytest.raises(CardsRefused) as refusal:
        payments.refund(payment_id, key=uuid4().hex)
    assert refusal.value.fields == {"reason": "AuthenticationError"}


@pytest.fixture
def inbox():
    """An address that keeps what is posted there, and its signature."""
    posted = queue.Queue()

    class Inbox(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.put((body, self.headers["Stripe-Signature"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Inbox) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", posted
        server.shutdown()
        thread.join()


def test_a_webhook_that_others_signed_is_believed_by_its_secret_alone(theirs, inbox, settings):
    address, posted = inbox
    send_events_to(theirs, address, secret=SECRET)
    payment_id = paid_at_theirs()
    told = []
    while payment_id not in told:  # those of earlier tests may come first
        payload, signature = posted.get(timeout=WAIT_S)
        event = payments.read_event(payload, signature=signature)
        told.append(event.object_id)

    assert event.type == "payment_intent.succeeded"
    settings.STRIPE_WEBHOOK_SECRET = "whsec_of_somebody_else"
    with pytest.raises(WebhookSignatureInvalid):
        payments.read_event(payload, signature=signature)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: payments.retrieve_session("cs_test_1"),
        lambda: payouts.create_account(owner=uuid4(), email="a@example.com"),
        lambda: payouts.transfer_of(uuid4()),
        lambda: client().v1.disputes.list(params={"payment_intent": "pi_1"}),
        lambda: client().v1.radar.early_fraud_warnings.list(params={"payment_intent": "pi_1"}),
    ],
    ids=["checkout", "accounts", "transfers", "disputes", "early fraud warnings"],
)
def test_of_the_rest_localstripe_knows_nothing(theirs, ask):
    """Should this fail one day, there is more to be compared."""
    with pytest.raises(Exception, match=r"404|does not answer") as refusal:
        ask()

    assert type(refusal.value).__name__ in {CardsUnavailable.__name__, "APIError"}
