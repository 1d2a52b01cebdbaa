"""The ledger's sweeps."""

from celery import shared_task
from django.utils import timezone

from ledger import operations, refusals, reverifying, sealing

# A sweep takes well under a second; what is left is the next one's.
BATCH = 200
# Five thousand entries a sweep: what waits after an outage is caught up with, and no sweep is long.
SEALS = 5
# An hour's share, several times over, of what a crowd at its rate limits is refused.
FORGOTTEN = 20_000


@shared_task(name="ledger.tasks.expire_due_holds")
def expire_due_holds() -> None:
    """Release holds whose time has passed."""
    operations.expire_due_holds(now=timezone.now(), limit=BATCH)


@shared_task(name="ledger.tasks.seal_committed_entries")
def seal_committed_entries() -> None:
    """Seal what was committed since."""
    sealing.seal_everything_due(now=timezone.now(), seals_max=SEALS)


@shared_task(name="ledger.tasks.forget_refused_keys")
def forget_refused_keys() -> None:
    """Forget what was refused so long ago that nobody asks again."""
    refusals.forget_refused_keys(now=timezone.now(), limit=FORGOTTEN)


@shared_task(name="ledger.tasks.verify_seals")
def verify_seals() -> None:
    """Go on with the daily pass over all seals."""
    reverifying.verify_some(now=timezone.now())
