"""Leases: taken by the machine they were offered to, or expired."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from compute import queries
from compute.models import Job, Lease
from compute.operations.records import note_outcome
from compute.operations.settlement import give_up_or_queue
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
    note_outcome(lease, blueprint=job.blueprint, fault=Fault(lease.fault), now=now)
    if job.state == Job.State.LEASED:
        give_up_or_queue(job, failure="no machine returned it in time", now=now)
    return True
