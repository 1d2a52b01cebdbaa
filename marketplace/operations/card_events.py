"""What Stripe tells: stored first, acted on later. An event only says where to look; the look decides."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

from django.db import transaction

from marketplace import card_shapes, payments, queries
from marketplace.bankpayouts import BankPayout
from marketplace.errors import CardLookOvertaken, CardsRefused
from marketplace.models import CardFailure, Deposit, WebhookEvent
from marketplace.operations import card_books, withdrawal_banks, withdrawal_transfers
from marketplace.operations.card_books import Look
from marketplace.operations.withdrawal_transfers import SeenAccount
from marketplace.payments import payouts
from marketplace.reconciling import Transit
from marketplace.withdrawing import Transfer

logger = logging.getLogger(__name__)

# Each round means that another worker wrote a newer look meanwhile; a payment has a handful of events in all.
LOOKS_MAX = 4


@dataclass(frozen=True, slots=True)
class PageEnded:
    """A card page that brings no money any more."""

    deposit_id: UUID | None
    state: Deposit.State


@dataclass(frozen=True, slots=True)
class Nothing:
    """An event that asks for no act, and why."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A payout or top-up of the house, as Stripe has it now."""

    transit: Transit


Outgoing = Transfer | SeenAccount | BankPayout
News = Look | PageEnded | Moved | Outgoing | Nothing


def record_webhook_event(event: payments.CardEvent, *, now: datetime) -> None:
    """Store a verified event under its id; Stripe sends some twice and the second changes nothing."""
    WebhookEvent.objects.bulk_create(
        [WebhookEvent(id=event.id, type=event.type, payload=_payload(event), received_at=now)],
        ignore_conflicts=True,
    )


def process_webhook_event(*, event_id: str, now: datetime) -> str:
    """Act on a stored event and return what came of it. A processed one answers again and does nothing.

    What it is about is fetched from Stripe first, with no transaction open; the stored copy is never believed.
    Raises: CardsUnavailable, CardsRefused, CardsSwitchedOff, CardLookOvertaken, InsufficientFunds (the
    treasury's), Busy: the event waits for the next sweep.
    """
    for rest in reversed(range(LOOKS_MAX)):
        stored = WebhookEvent.objects.get(pk=event_id)
        if stored.processed_at is not None:
            return stored.outcome
        news = _news_of(stored)
        try:
            return _act(event_id, news, now=now)
        except CardLookOvertaken:
            if not rest:
                raise
    raise AssertionError("the last round returns or raises")


def _payload(event: payments.CardEvent) -> dict[str, object]:
    whose = {card_shapes.ACCOUNT: event.account_id} if event.account_id else {}
    return {**event.data, "id": event.object_id, **whose}


def _news_of(event: WebhookEvent) -> News:
    """Ask Stripe what has become of what an event is about."""
    object_id = event.payload["id"]
    try:
        if event.type.startswith("checkout.session."):
            return _news_of_session(payments.retrieve_session(object_id), event.type)
        if event.type.startswith("transfer."):
            return payouts.retrieve_transfer(object_id)
        if card_shapes.ACCOUNT in event.payload or event.type.startswith("v2."):
            return _news_of_connected(event)
        if event.type.startswith(("payout.", "topup.")) and object_id.startswith(("po_", "tu_")):
            return Moved(payments.retrieve_transit(object_id))
        payment_id = card_shapes.payment_named(event.type, event.payload)
        return _news_of_payment(payment_id) if payment_id else Nothing("ignored")
    except CardsRefused as refusal:
        # An object that is not there will not come; anything else (a revoked key) may be mended.
        if refusal.fields["reason"] != "resource_missing":
            raise
        return Nothing("unknown at Stripe")


def _news_of_connected(event: WebhookEvent) -> News:
    """Ask about an account that is connected to the house: whether it takes money, or where its money went."""
    account_id = card_shapes.account_named(event.type, event.payload)
    if account_id:
        account = payouts.retrieve_account(account_id)
        return SeenAccount(account, card_shapes.tells_of_new_bank(event.type))
    if event.type.startswith("payout."):
        whose = event.payload[card_shapes.ACCOUNT]
        return payouts.retrieve_payout(event.payload["id"], account_id=whose)
    return Nothing("ignored")


def _news_of_session(session: payments.CardSession, event_type: str) -> News:
    if session.status == "expired":
        return PageEnded(session.deposit_id, Deposit.State.EXPIRED)
    if event_type == "checkout.session.async_payment_failed" and not session.is_paid:
        return PageEnded(session.deposit_id, Deposit.State.FAILED)
    return _news_of_payment(session.payment_id) if session.payment_id else Nothing("not paid yet")


def _news_of_payment(payment_id: str) -> News:
    return card_books.look_at(payment_id) or Nothing("no deposit of ours")


@transaction.atomic
def _act(event_id: str, news: News, *, now: datetime) -> str:
    """Write what an event means and that it was acted on, together."""
    event = queries.lock_webhook_event(event_id)
    if event.processed_at is not None:
        return event.outcome
    match news:
        case Look():
            _note_failure(event, news, now=now)
            outcome = card_books.take_up(news, now=now)
        case PageEnded():
            outcome = _end(news)
        case Moved():
            outcome = card_books.post_transit(news.transit, now=now)
        case Transfer() | SeenAccount() | BankPayout():
            outcome = _take_up_outgoing(news, now=now)
        case Nothing():
            outcome = news.outcome
        case _:
            assert_never(news)
    event.outcome = outcome
    event.processed_at = now
    event.save(update_fields=["outcome", "processed_at"])
    logger.info("webhook:processed event=%s type=%s outcome=%s", event.id, event.type, outcome)
    return outcome


def _take_up_outgoing(news: Outgoing, *, now: datetime) -> str:
    match news:
        case Transfer():
            return withdrawal_transfers.take_up_transfer(news, now=now)
        case SeenAccount():
            return withdrawal_transfers.note_account(news, now=now)
        case BankPayout():
            return withdrawal_banks.note_payout(news, now=now)
        case _:
            assert_never(news)


def _note_failure(event: WebhookEvent, look: Look, *, now: datetime) -> None:
    """Keep that a card did not pay: each event of that kind is one try."""
    if event.type != "payment_intent.payment_failed":
        return
    deposit = Deposit.objects.get(pk=look.deposit_id)
    CardFailure.objects.create(
        event_id=event.id,
        deposit=deposit,
        owner=deposit.owner,
        reason=card_shapes.failure_reason(event.payload)[:60],
        failed_at=now,
    )


def _end(ended: PageEnded) -> str:
    deposit = queries.lock_deposit(ended.deposit_id) if ended.deposit_id else None
    if deposit is None:
        return "no deposit of ours"
    if ended.state not in Deposit.TRANSITIONS[Deposit.State(deposit.state)]:
        return f"{deposit.state} before"
    card_books.move(deposit, ended.state)
    deposit.save(update_fields=["state", "credited_at"])
    return ended.state.value
