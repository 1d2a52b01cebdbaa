"""Leases: taken by the machine they were offered to, or expired."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from compute import queries
from compute.models import Job, Lease
from compute.operations.moves import write_jobs
from compute.operations.records import Outcome, note_outcomes
from compute.operations.settlement import queue_or_give_up, release
from compute.reliability import Fault


@transaction.atomic
def take_lease(*, machine_id: UUID, hotkey: str, now: datetime) -> Lease | None:
    """Return the machine's next open lease and mark it taken; None when there is none.

    A lease that was taken and whose answer got lost on the way is returned again: the miner that asks
    twice works once.
    """
    lease = queries.lock_open_lease(machine_id=machine_id, hotkey=hotkey, now=now)
    if lease is None:
        return None
    if lease.state == Lease.State.OFFERED:
        lease.taken_at = now
        lease.move_to(Lease.State.TAKEN, now=now)
    return lease


@transaction.atomic
def expire_lease(*, lease_id: UUID, now: datetime) -> bool:
    """End a lease whose deadline passed and give its job to another machine. False when it ended before."""
    lease = queries.lock_lease(lease_id)
    if not lease.is_open or lease.deadline_at > now:
        return False
    lease.fault = Fault.PLATFORM if lease.taken_at is None else Fault.MINER
    lease.move_to(Lease.State.EXPIRED, now=now)
    job = queries.lock_job(lease.job_id)
    if job.state == Job.State.LEASED:
        queue_or_give_up(job, failure="no machine returned it in time", now=now)
        write_jobs([job])
    note_outcomes([Outcome(lease, job.blueprint, Fault(lease.fault))], now=now)
    release([job], now=now)
    return True
