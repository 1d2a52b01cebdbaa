"""Sweeps of the marketplace: due rows are looked up in a bounded batch, each is worked in its own transaction."""

import logging
from collections.abc import Callable, Iterable
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from ledger.errors import DomainError
from marketplace import operations, queries

logger = logging.getLogger(__name__)

# A sweep comes every second; what this one leaves is the next one's.
SETTLED_AT_ONCE = 50
# Each event asks Stripe for its object; when Stripe does not answer, that is half a minute of waiting.
EVENTS_AT_ONCE = 8


@shared_task(name="marketplace.tasks.settle_due_auctions")
def settle_due_auctions() -> None:
    """Settle the auctions whose end has come."""
    now = timezone.now()
    due = queries.due_auctions(now=now, limit=SETTLED_AT_ONCE)
    sweep(due, lambda due_id: operations.settle_auction(auction_id=UUID(due_id), now=now))


@shared_task(name="marketplace.tasks.process_webhook_events")
def process_webhook_events() -> None:
    """Act on the events that Stripe sent."""
    now = timezone.now()
    waiting = queries.waiting_webhook_events(limit=EVENTS_AT_ONCE)
    sweep(waiting, lambda event_id: operations.process_webhook_event(event_id=event_id, now=now))


def sweep(due: Iterable[UUID | str], work: Callable[[str], object]) -> None:
    """Work each id. A refusal or a fault stops no other: the row stays due, and the next sweep looks again."""
    for due_id in due:
        try:
            work(str(due_id))
        except DomainError as refusal:
            # A bid that came in between moved the end, or a far end is down: both mend themselves.
            logger.info("sweep:refused id=%s code=%s", due_id, refusal.code)
        except Exception:
            logger.exception("sweep:failed id=%s", due_id)
