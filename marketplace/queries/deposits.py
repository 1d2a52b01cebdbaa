"""Card deposits, and what Stripe told about them."""

from uuid import UUID

from marketplace.errors import DepositUnknown
from marketplace.models import Deposit, WebhookEvent
from marketplace.queries.auctions import ROWS_MAX


def deposit(deposit_id: UUID, *, owner: UUID) -> Deposit:
    """Return one of an owner's deposits. Raises: DepositUnknown, also for somebody else's."""
    row = Deposit.objects.filter(pk=deposit_id, owner=owner).first()
    if row is None:
        raise DepositUnknown(deposit_id=deposit_id)
    return row


def deposits_of(owner: UUID) -> list[Deposit]:
    """List an owner's deposits, the newest first."""
    return list(Deposit.objects.filter(owner=owner).order_by("-created_at")[:ROWS_MAX])


def lock_deposit(deposit_id: UUID) -> Deposit | None:
    """Lock one deposit's row; None where there is none."""
    return Deposit.objects.select_for_update(of=("self",)).filter(pk=deposit_id).first()


def lock_webhook_event(event_id: str) -> WebhookEvent:
    """Lock one stored event."""
    return WebhookEvent.objects.select_for_update(of=("self",)).get(pk=event_id)


def waiting_webhook_events(*, limit: int) -> list[str]:
    """Name the events that wait to be acted on, in the order they came."""
    waiting = WebhookEvent.objects.filter(processed_at=None).order_by("received_at", "pk")
    return list(waiting.values_list("pk", flat=True)[:limit])
