"""The ledger's sweep."""

from celery import shared_task
from django.utils import timezone

from ledger import operations

# A sweep takes well under a second; what is left is the next one's.
BATCH = 200


@shared_task(name="ledger.tasks.expire_due_holds")
def expire_due_holds() -> None:
    """Release holds whose time has passed."""
    operations.expire_due_holds(now=timezone.now(), limit=BATCH)
