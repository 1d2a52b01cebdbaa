"""What Stripe tells: stored first, acted on later, credited once per payment in whatever order it comes."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

from django.db import transaction

from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, Move
from marketplace import payments, queries
from marketplace.errors import CardsRefused
from marketplace.models import Deposit, WebhookEvent

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Paid:
    """Money that arrived for a deposit."""

    deposit_id: UUID | None
    payment_id: str
    amount_cents: int
    currency: str


@dataclass(frozen=True, slots=True)
class Expired:
    """A card page that ran out unpaid."""

    deposit_id: UUID | None


@dataclass(frozen=True, slots=True)
class Nothing:
    """An event that asks for no act, and why."""

    outcome: str


News = Paid | Expired | Nothing


def record_webhook_event(event: payments.CardEvent, *, now: datetime) -> None:
    """Store a verified event under its id; Stripe sends some twice and the second changes nothing."""
    WebhookEvent.objects.bulk_create(
        [WebhookEvent(id=event.id, type=event.type, payload=_payload(event), received_at=now)],
        ignore_conflicts=True,
    )


def process_webhook_event(*, event_id: str, now: datetime) -> str:
    """Act on a stored event and return what came of it. A processed one answers again and does nothing.

    The object is fetched from Stripe first, with no transaction open; the stored copy is never believed.
    Raises: CardsUnavailable, CardsRefused, CardsSwitchedOff, InsufficientFunds (the treasury's): the event
    waits for the next sweep.
    """
    stored = WebhookEvent.objects.get(pk=event_id)
    if stored.processed_at is not None:
        return stored.outcome
    news = _news_of(stored.type, object_id=stored.payload["id"])
    return _act(event_id, news, now=now)


def _payload(event: payments.CardEvent) -> dict[str, object]:
    return {**event.data, "id": event.object_id}


def _news_of(event_type: str, *, object_id: str) -> News:
    """Ask Stripe what has become of the object an event is about."""
    try:
        match event_type:
            case "checkout.session.completed" | "checkout.session.async_payment_succeeded":
                return _news_of_session(payments.retrieve_session(object_id))
            case "checkout.session.expired":
                return Expired(payments.retrieve_session(object_id).deposit_id)
            case "payment_intent.succeeded":
                return _news_of_payment(payments.retrieve_payment(object_id))
            case _:
                return Nothing("ignored")
    except CardsRefused as refusal:
        # An object that is not there will not come; anything else (a revoked key) may be mended.
        if refusal.fields["reason"] != "resource_missing":
            raise
        return Nothing("unknown at Stripe")


def _news_of_session(session: payments.CardSession) -> News:
    if not session.is_paid or session.payment_id is None:
        return Nothing("not paid yet")
    return Paid(session.deposit_id, session.payment_id, session.amount_cents, session.currency)


def _news_of_payment(payment: payments.CardPayment) -> News:
    if not payment.is_paid:
        return Nothing("not paid yet")
    return Paid(payment.deposit_id, payment.payment_id, payment.received_cents, payment.currency)


@transaction.atomic
def _act(event_id: str, news: News, *, now: datetime) -> str:
    """Write what an event means and that it was acted on, together."""
    event = queries.lock_webhook_event(event_id)
    if event.processed_at is not None:
        return event.outcome
    match news:
        case Paid():
            outcome, credit = _decide_credit(news, now=now)
        case Expired():
            outcome, credit = _expire(news), None
        case Nothing():
            outcome, credit = news.outcome, None
        case _:
            assert_never(news)
    event.outcome = outcome
    event.processed_at = now
    event.save(update_fields=["outcome", "processed_at"])
    logger.info("webhook:processed event=%s type=%s outcome=%s", event.id, event.type, outcome)
    if credit is not None:
        ledger.post(credit)
    return outcome


def _decide_credit(paid: Paid, *, now: datetime) -> tuple[str, Entry | None]:
    """Mark the deposit as credited and return the entry that credits it, unless something forbids it."""
    deposit = queries.lock_deposit(paid.deposit_id) if paid.deposit_id else None
    if deposit is None:
        return "no deposit of ours", None
    if deposit.state == Deposit.State.CREDITED:
        return "credited before", None
    if (paid.amount_cents, paid.currency) != (deposit.amount_cents, payments.CURRENCY):
        return (
            f"not credited: {paid.amount_cents} {paid.currency} paid, "
            f"{deposit.amount_cents} {payments.CURRENCY} quoted"
        ), None
    _move(deposit, Deposit.State.CREDITED, credited_at=now)
    # The TAO is sold out of the treasury: a card payment never makes new TAO.
    sold = Move(chart.TREASURY, chart.wallet(deposit.owner), deposit.credit_rao)
    key = f"deposit:{paid.payment_id}"
    return "credited", Entry(key=key, code=Code.CARD_CREDITED, at=now, steps=(sold,))


def _expire(expired: Expired) -> str:
    deposit = queries.lock_deposit(expired.deposit_id) if expired.deposit_id else None
    if deposit is None:
        return "no deposit of ours"
    if deposit.state != Deposit.State.CREATED:
        return f"{deposit.state} before"
    _move(deposit, Deposit.State.EXPIRED, credited_at=None)
    return "expired"


def _move(deposit: Deposit, state: Deposit.State, *, credited_at: datetime | None) -> None:
    assert state in Deposit.TRANSITIONS[Deposit.State(deposit.state)]
    deposit.state = state
    deposit.credited_at = credited_at
    deposit.save(update_fields=["state", "credited_at"])
