"""Signed events over real HTTP: which are believed, and which are refused."""

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from marketplace import payments
from marketplace.errors import WebhookPayloadInvalid, WebhookSignatureInvalid
from tests.marketplace.conftest import NOW


@pytest.fixture
def inbox():
    """A webhook address: verifies what arrives and keeps it; answers 400 to what it refuses."""
    events = []

    class Inbox(BaseHTTPRequestHandler):
        def do_POST(self):
            payload = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                events.append(
                    payments.read_event(payload, signature=self.headers["Stripe-Signature"])
                )
                status = 200
            except WebhookSignatureInvalid:
                status = 400
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Inbox) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", events
        server.shutdown()
        thread.join()


def page() -> str:
    """Open a page for a deposit; return its session's id."""
    return payments.create_checkout(
        deposit_id=uuid.uuid4(),
        amount_cents=2_500,
        email="ada@example.com",
        success_url="https://market.example/wallet/",
        cancel_url="https://market.example/wallet/",
        created_at=NOW,
    ).session_id


def test_a_payment_arrives_as_two_signed_events(far_end, inbox):
    far_end.webhook_url, events = inbox
    session_id = page()

    session = far_end.pay(session_id)

    assert [event.type for event in events] == [
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]
    assert [event.object_id for event in events] == [session["payment_intent"], session_id]
    assert events[1].data["payment_status"] == "paid"
    assert [status for _, status in far_end.deliveries] == [200, 200]


def test_events_come_late_twice_and_in_another_order_when_asked(far_end, inbox):
    far_end.pay(page())
    far_end.webhook_url, events = inbox
    first, second = far_end.events

    far_end.deliver(second, first, second)

    assert [event.id for event in events] == [second["id"], first["id"], second["id"]]


def test_events_that_waited_for_an_address_are_delivered_once(far_end, inbox):
    far_end.expire(page())
    far_end.webhook_url, events = inbox

    far_end.deliver_waiting()
    far_end.deliver_waiting()

    assert [event.type for event in events] == ["checkout.session.expired"]


def test_a_delivery_nobody_takes_is_seen_as_such(far_end, inbox):
    far_end.webhook_url, _ = inbox
    event = far_end.emit("customer.created", {"id": "cus_1", "object": "customer"})

    assert far_end.deliver(event, secret="whsec_of_somebody_else") == [400]


@pytest.fixture
def event(far_end):
    return far_end.emit("customer.created", {"id": "cus_1", "object": "customer"})


def test_an_event_of_a_kind_not_known_here_is_read_all_the_same(far_end, event):
    payload, signature = far_end.signed(event)

    read = payments.read_event(payload, signature=signature)

    assert (read.id, read.type, read.object_id) == (event["id"], "customer.created", "cus_1")
    assert read.data == {"id": "cus_1", "object": "customer"}


def test_an_altered_event_is_refused(far_end, event):
    payload, signature = far_end.signed(event)

    with pytest.raises(WebhookSignatureInvalid) as refusal:
        payments.read_event(payload.replace(b"cus_1", b"cus_2"), signature=signature)

    assert refusal.value.fields == {"reason": "no match"}
    assert refusal.value.http_status == 400


def test_an_event_signed_with_another_secret_is_refused(far_end, event):
    payload, signature = far_end.signed(event, secret="whsec_of_somebody_else")

    with pytest.raises(WebhookSignatureInvalid) as refusal:
        payments.read_event(payload, signature=signature)

    assert refusal.value.fields == {"reason": "no match"}


def test_an_event_signed_too_long_ago_is_refused_and_told_so(far_end, event):
    payload, signature = far_end.signed(event, age_s=payments.SIGNATURE_AGE_MAX_S + 5)

    with pytest.raises(WebhookSignatureInvalid) as refusal:
        payments.read_event(payload, signature=signature)

    assert refusal.value.fields == {"reason": "too old"}
    fresh = far_end.signed(event, age_s=payments.SIGNATURE_AGE_MAX_S - 5)
    assert payments.read_event(fresh[0], signature=fresh[1]).id == event["id"]


@pytest.mark.parametrize(
    "signature", ["", "nonsense", "t=,v1=", "t=1", "v1=abc", f"t={2**70},v1=é"]
)
def test_a_malformed_signature_is_refused(far_end, event, signature):
    payload, _ = far_end.signed(event)

    with pytest.raises(WebhookSignatureInvalid):
        payments.read_event(payload, signature=signature)


def test_a_body_that_is_not_text_is_refused(far_end):
    with pytest.raises(WebhookSignatureInvalid):
        payments.read_event(b"\xff\xfe", signature=f"t={int(time.time())},v1=00")


def test_both_secrets_are_good_during_a_rotation(far_end, event, settings):
    settings.STRIPE_WEBHOOK_SECRET = "whsec_new, whsec_old"

    for secret in ("whsec_new", "whsec_old"):
        payload, signature = far_end.signed(event, secret=secret)
        assert payments.read_event(payload, signature=signature).id == event["id"]

    payload, signature = far_end.signed(event, secret="whsec_older_still")
    with pytest.raises(WebhookSignatureInvalid):
        payments.read_event(payload, signature=signature)


def test_an_old_signature_by_either_secret_is_told_as_old(far_end, event, settings):
    settings.STRIPE_WEBHOOK_SECRET = "whsec_new,whsec_old"

    for secret in ("whsec_new", "whsec_old"):
        payload, signature = far_end.signed(event, secret=secret, age_s=3600)
        with pytest.raises(WebhookSignatureInvalid) as refusal:
            payments.read_event(payload, signature=signature)
        assert refusal.value.fields == {"reason": "too old"}


def test_without_a_secret_no_event_is_believed(far_end, event, settings):
    payload, _ = far_end.signed(event)
    settings.STRIPE_WEBHOOK_SECRET = " , "
    _, signed_with_nothing = far_end.signed(event, secret=" ")

    with pytest.raises(WebhookSignatureInvalid):
        payments.read_event(payload, signature=signed_with_nothing)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"id": "evt_1", "type": "x", "data": {"object": None}},
        {"id": "evt_1", "type": "x", "data": {"object": {"object": "balance"}}},
        {"id": 7, "type": "x", "data": {"object": {"id": "a"}}},
        {"id": "evt_1", "object": "v2.core.event", "type": "x", "related_object": {"id": "a"}},
    ],
    ids=json.dumps,
)
def test_a_signed_body_that_is_no_event_about_an_object_is_refused(far_end, body):
    payload, signature = far_end.signed(body)

    with pytest.raises(WebhookPayloadInvalid) as refusal:
        payments.read_event(payload, signature=signature)

    assert refusal.value.http_status == 400
