"""Sweeps of the marketplace: due rows are looked up in a bounded batch, each is worked in its own transaction."""

import secrets

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from ledger import sweeps
from marketplace import operations, payments, queries
from marketplace.queries import fraud as warnings
from marketplace.queries import withdrawals as outgoing
from marketplace.queries.news import SOURCES

# A sweep comes every second; what this one leaves is the next one's.
SETTLED_AT_ONCE = 50
OFFERS_ENDED_AT_ONCE = 100
# Each event asks Stripe for its object; when Stripe does not answer, that is half a minute of waiting.
EVENTS_AT_ONCE = 8
# As with events: each asks a rail, which may not answer.
WITHDRAWALS_AT_ONCE = 8
BROADCASTS_AT_ONCE = 50


@shared_task(name="marketplace.tasks.settle_due_auctions")
def settle_due_auctions() -> None:
    """Settle the auctions whose end has come."""
    now = timezone.now()
    due = queries.due_auctions(now=now, limit=SETTLED_AT_ONCE)
    sweeps.each(due, lambda due_id: operations.settle_auction(auction_id=due_id, now=now))


@shared_task(name="marketplace.tasks.end_overdue_auctions")
def end_overdue_auctions() -> None:
    """Go on without winners who did not pay, and without second chances that nobody took."""
    now = timezone.now()
    due = queries.overdue_auctions(now=now, limit=SETTLED_AT_ONCE)
    sweeps.each(due, lambda due_id: operations.end_overdue_auction(auction_id=due_id, now=now))


@shared_task(name="marketplace.tasks.end_due_offers")
def end_due_offers() -> None:
    """Release the offers that have lapsed, or whose subnet was sold otherwise."""
    now = timezone.now()
    due = queries.due_offers(now=now, limit=OFFERS_ENDED_AT_ONCE)
    sweeps.each(due, lambda offer_id: operations.end_offer(offer_id=offer_id, now=now))


@shared_task(name="marketplace.tasks.process_webhook_events")
def process_webhook_events() -> None:
    """Act on the events that Stripe sent."""
    now = timezone.now()
    waiting = queries.waiting_webhook_events(limit=EVENTS_AT_ONCE)
    sweeps.each(
        waiting, lambda event_id: operations.process_webhook_event(event_id=event_id, now=now)
    )


@shared_task(name="marketplace.tasks.reconcile_cards")
def reconcile_cards() -> None:
    """Compare the books with Stripe, where there is one to ask."""
    if payments.can_ask():
        with queries.claimed(queries.CARDS_CLAIM) as is_mine:
            if is_mine:
                operations.reconcile_cards(since=None, now=timezone.now())


@shared_task(name="marketplace.tasks.refund_warned_deposits")
def refund_warned_deposits() -> None:
    """Give back what is not spent of payments that their banks call fraud, where that is switched on."""
    now = timezone.now()
    with queries.claimed(warnings.FRAUD_CLAIM) as is_mine:
        is_due = is_mine and settings.FRAUD_REFUNDS_ON
        due = warnings.due_fraud_refunds(now=now, limit=EVENTS_AT_ONCE) if is_due else []
        sweeps.each(
            due, lambda due_id: operations.refund_warned_deposit(deposit_id=due_id, now=now)
        )


@shared_task(name="marketplace.tasks.collect_debts")
def collect_debts() -> None:
    """Take what people owe for card payments from what came into their wallets since."""
    now = timezone.now()
    due = queries.debtors(limit=SETTLED_AT_ONCE)
    sweeps.each(due, lambda owner: operations.collect_debt(owner=owner, now=now))


@shared_task(name="marketplace.tasks.send_due_withdrawals")
def send_due_withdrawals() -> None:
    """Hand the withdrawals that staff let go to their rails."""
    now = timezone.now()
    with queries.claimed(outgoing.SENDING_CLAIM) as is_mine:
        due = outgoing.due_withdrawals(now=now, limit=WITHDRAWALS_AT_ONCE) if is_mine else []
        sweeps.each(due, lambda due_id: operations.send_withdrawal(withdrawal_id=due_id, now=now))


@shared_task(name="marketplace.tasks.look_at_sent_withdrawals")
def look_at_sent_withdrawals() -> None:
    """Ask the chain what became of what it took."""
    now = timezone.now()
    due = outgoing.unsettled_broadcasts(now=now, limit=BROADCASTS_AT_ONCE)
    sweeps.each(due, lambda due_id: operations.look_at_withdrawal(withdrawal_id=due_id, now=now))


@shared_task(name="marketplace.tasks.reconcile_chain")
def reconcile_chain() -> None:
    """Compare the books with what the chain sent, where there is one; what differs is logged."""
    if settings.CHAIN:
        operations.reconcile_chain(since=None, now=timezone.now())


@shared_task(name="marketplace.tasks.tell_news")
def tell_news() -> None:
    """Tell people of what happened since the last sweep."""
    now = timezone.now()
    sweeps.each(SOURCES, lambda source: operations.tell_news(source=source, now=now))


@shared_task(name="marketplace.tasks.forget_notices")
def forget_notices() -> None:
    """Delete a batch of what was told long ago."""
    operations.forget_notices(now=timezone.now())


@shared_task(name="marketplace.tasks.send_due_letters")
def send_due_letters() -> None:
    """Send the mail that is due."""
    with queries.claimed(queries.MAIL_CLAIM) as is_mine:
        if is_mine:
            operations.send_due_letters(now=timezone.now(), jitter=_jitter())


@shared_task(name="marketplace.tasks.deliver_due_webhooks")
def deliver_due_webhooks() -> None:
    """Make the deliveries that are due."""
    with queries.claimed(queries.HOOK_CLAIM) as is_mine:
        if is_mine:
            operations.deliver_due_webhooks(now=timezone.now(), jitter=_jitter())


def _jitter() -> float:
    return secrets.randbelow(1_000) / 1_000
