"""The ledger's sweeps."""

from celery import shared_task
from django.utils import timezone

from ledger import operations, sealing

# A sweep takes well under a second; what is left is the next one's.
BATCH = 200
# Five thousand entries a sweep: what waits after an outage is caught up with, and no sweep is long.
SEALS = 5


@shared_task(name="ledger.tasks.expire_due_holds")
def expire_due_holds() -> None:
    """Release holds whose time has passed."""
    operations.expire_due_holds(now=timezone.now(), limit=BATCH)


@shared_task(name="ledger.tasks.seal_committed_entries")
def seal_committed_entries() -> None:
    """Seal what was committed since."""
    sealing.seal_everything_due(now=timezone.now(), seals_max=SEALS)
