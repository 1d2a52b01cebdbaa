"""Batches for the sweeps: ids of due work, longest due first."""

from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from compute.models import Job, Lease, Score
from subnets.models import Subnet


def due_lease_ids(now: datetime, *, limit: int) -> list[UUID]:
    """Return open leases whose deadline passed."""
    still_open = Lease.objects.filter(state__in=[Lease.State.OFFERED, Lease.State.TAKEN])
    due = still_open.filter(deadline_at__lte=now).order_by("deadline_at")
    return list(due.values_list("pk", flat=True)[:limit])


def scored_job_ids(now: datetime, *, limit: int) -> list[UUID]:
    """Return jobs whose result has a score, or waited for one until its deadline."""
    scored = Score.objects.filter(result__job=OuterRef("pk"))
    waiting = Job.objects.filter(state=Job.State.RETURNED)
    ready = waiting.filter(Q(verify_by_at__lte=now) | Q(Exists(scored))).order_by("verify_by_at")
    return list(ready.values_list("pk", flat=True)[:limit])


def unserved_job_ids(created_by: datetime, *, limit: int) -> list[UUID]:
    """Return jobs that wait for a machine since this instant or longer."""
    waiting = Job.objects.filter(state=Job.State.QUEUED, created_at__lte=created_by)
    return list(waiting.order_by("created_at").values_list("pk", flat=True)[:limit])


def netuids_at_work() -> list[int]:
    """Return the subnets that have neurons."""
    return list(
        Subnet.objects.filter(neurons__isnull=False).distinct().values_list("netuid", flat=True)
    )
