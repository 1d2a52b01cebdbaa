"""Opening a card page and asking what became of it: the real Stripe library against tests.stripe_server."""

import socket
import urllib.error
import urllib.request
import uuid
from datetime import datetime, timedelta

import pytest

from marketplace import payments
from marketplace.errors import (
    CardsRefused,
    CardsSwitchedOff,
    CardsUnavailable,
)
from tests.marketplace.conftest import NOW
from tests.stripe_server import StripeServer

DEPOSIT = uuid.UUID("0195a0de-0000-7000-8000-000000000001")


def checkout(*, created_at: datetime = NOW, **changes) -> payments.Checkout:
    fields = {
        "deposit_id": DEPOSIT,
        "amount_cents": 2_500,
        "email": "ada@example.com",
        "success_url": "https://market.example/wallet/?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://market.example/wallet/",
    }
    return payments.create_checkout(**(fields | changes), created_at=created_at)


def opened(far_end: StripeServer) -> list[dict]:
    """The parameters of every request for a new session."""
    return [params for _, path, params in far_end.requests if path == "/v1/checkout/sessions"]


# Opening a page


def test_a_checkout_is_a_hosted_page_for_the_deposit(far_end):
    made = checkout()

    session = far_end.sessions[made.session_id]
    assert made.url == session["url"]
    assert session["amount_total"] == 2_500
    assert session["currency"] == "usd"
    assert session["client_reference_id"] == str(DEPOSIT)
    assert session["customer_email"] == "ada@example.com"
    assert session["metadata"] == {"deposit_id": str(DEPOSIT)}


def test_a_checkout_leaves_the_payment_methods_to_stripes_dashboard(far_end):
    checkout()

    (asked,) = opened(far_end)
    assert asked["mode"] == "payment"
    assert "payment_method_types" not in asked


def test_a_repeat_for_the_same_deposit_returns_the_same_page(far_end):
    first, again = checkout(), checkout()

    assert first == again
    assert len(far_end.sessions) == 1
    assert len(opened(far_end)) == 2


def test_another_deposit_gets_another_page(far_end):
    first = checkout()
    other = checkout(deposit_id=uuid.uuid4())

    assert first.session_id != other.session_id


def test_the_same_deposit_with_another_amount_is_refused(far_end):
    checkout()

    with pytest.raises(CardsRefused) as refusal:
        checkout(amount_cents=9_900)

    assert refusal.value.fields == {"reason": "IdempotencyError"}
    assert [session["amount_total"] for session in far_end.sessions.values()] == [2_500]


def test_a_page_asked_for_too_late_after_the_deposit_is_refused(far_end):
    with pytest.raises(CardsRefused):
        checkout(created_at=NOW - timedelta(minutes=5, seconds=1))

    assert checkout(created_at=NOW - timedelta(minutes=5)).url


def test_an_amount_below_stripes_least_is_refused_by_its_code(far_end):
    with pytest.raises(CardsRefused) as refusal:
        checkout(amount_cents=49)

    assert refusal.value.fields == {"reason": "amount_too_small"}
    assert checkout(amount_cents=50).url


def test_a_wrong_key_is_refused_and_told_apart_from_an_outage(far_end, settings):
    settings.STRIPE_SECRET_KEY = "sk_test_another"

    with pytest.raises(CardsRefused) as refusal:
        checkout()

    assert refusal.value.fields == {"reason": "AuthenticationError"}


@pytest.mark.parametrize("missing", ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"])
def test_cards_are_off_unless_both_secrets_are_set(far_end, settings, missing):
    assert payments.is_switched_on()
    setattr(settings, missing, "")

    assert not payments.is_switched_on()
    with pytest.raises(CardsSwitchedOff):
        checkout()
    assert far_end.requests == []


def test_a_far_end_that_does_not_answer_is_an_outage(far_end, settings):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings.STRIPE_API_BASE = f"http://127.0.0.1:{free.getsockname()[1]}"

        with pytest.raises(CardsUnavailable) as refusal:
            checkout()

    assert refusal.value.http_status == 503


def test_a_far_end_that_fails_every_time_is_an_outage(far_end):
    far_end.faults_left = 1 + payments.NETWORK_RETRIES

    with pytest.raises(CardsUnavailable):
        checkout()

    assert far_end.sessions == {}


def test_one_failure_of_the_far_end_is_ridden_out(far_end):
    far_end.faults_left = 1

    assert checkout().session_id in far_end.sessions
    assert len(opened(far_end)) == 2


# Paying, and asking what became of it


def test_a_page_nobody_paid_is_open_and_unpaid(far_end):
    session = payments.retrieve_session(checkout().session_id)

    assert session.deposit_id == DEPOSIT
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert session.payment_id is None
    assert not session.is_paid


def test_a_person_who_pays_on_the_page_is_sent_back_and_the_session_is_paid(far_end):
    made = checkout(success_url=f"{far_end.url}/back?session={{CHECKOUT_SESSION_ID}}")
    with urllib.request.urlopen(made.url) as page:
        assert "25.00 USD" in page.read().decode()

    sent_to = ""
    try:
        urllib.request.urlopen(urllib.request.Request(made.url, method="POST", data=b""))
    except (
        urllib.error.HTTPError
    ) as answer:  # the far end has no such page: only the address counts
        sent_to = answer.url
        answer.close()

    assert sent_to == f"{far_end.url}/back?session={made.session_id}"
    session = payments.retrieve_session(made.session_id)
    assert session.is_paid
    assert session.amount_cents == 2_500


def test_a_payment_leads_back_to_its_deposit(far_end):
    made = checkout()
    far_end.pay(made.session_id)

    payment = payments.retrieve_payment(payments.retrieve_session(made.session_id).payment_id)

    assert payment.deposit_id == DEPOSIT
    assert payment.is_paid
    assert (payment.received_cents, payment.currency) == (2_500, "usd")
    assert (payment.fingerprint, payment.fee_cents) == ("a card", None)


def test_a_payment_is_read_with_all_that_hangs_on_it(far_end):
    made = checkout()
    intent_id = far_end.pay(made.session_id)["payment_intent"]
    far_end.book(intent_id)
    far_end.review(intent_id)
    far_end.warn(intent_id)
    refund = far_end.refund(intent_id, 500)
    far_end.fail_refund(refund["id"])
    dispute = far_end.dispute(intent_id, 2_000)
    far_end.withdraw(dispute["id"])

    seen = payments.retrieve_payment(intent_id)

    assert seen.fee_cents == 2_500 * 290 // 10_000 + 30
    assert seen.is_under_review
    assert len(seen.warnings) == 1
    (returned,) = seen.refunds
    assert (returned.status, returned.amount_cents, returned.has_failed) == ("failed", 500, True)
    assert (returned.movement.amount_cents, returned.returned.amount_cents) == (-500, 500)
    (chargeback,) = seen.chargebacks
    assert (chargeback.status, chargeback.amount_cents, chargeback.is_open) == (
        "needs_response",
        2_000,
        True,
    )
    assert [(m.amount_cents, m.fee_cents) for m in chargeback.movements] == [(-2_000, 1_500)]
    assert chargeback.due_at == NOW + timedelta(days=7)
    assert seen.refunded_cents == 0


def test_a_slow_payment_is_complete_but_not_paid_until_it_arrives(far_end):
    made = checkout()
    far_end.pay(made.session_id, arrives=False)
    waiting = payments.retrieve_session(made.session_id)

    far_end.settle(made.session_id)

    assert (waiting.status, waiting.is_paid) == ("complete", False)
    assert payments.retrieve_session(made.session_id).is_paid


def test_an_expired_page_says_so(far_end):
    made = checkout()

    far_end.expire(made.session_id)

    assert payments.retrieve_session(made.session_id).status == "expired"


def test_a_session_that_does_not_exist_is_refused(far_end):
    with pytest.raises(CardsRefused) as refusal:
        payments.retrieve_session("cs_test_unknown")

    assert refusal.value.fields == {"reason": "resource_missing"}


def test_a_session_of_another_product_has_no_deposit(far_end):
    made = checkout()
    far_end.sessions[made.session_id]["client_reference_id"] = "cart-17"

    assert payments.retrieve_session(made.session_id).deposit_id is None
