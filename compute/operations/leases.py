"""Leases: taken by the machine they were offered to, or expired."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction

from compute import queries
from compute.blueprints import TUNNELED
from compute.models import Job, Lease
from compute.operations import logbook
from compute.operations.moves import write_jobs, write_leases
from compute.operations.records import Outcome, note_outcomes
from compute.operations.settlement import queue_or_give_up, release
from compute.reliability import Fault
from ledger import prepared


def take_lease(*, machine_id: UUID, hotkey: str, now: datetime) -> Lease | None:
    """Return the machine's next open lease and mark it taken; None when there is none. Replays as `take_leases`."""
    leases = take_leases(machine_id=machine_id, hotkey=hotkey, limit=1, now=now)
    return leases[0] if leases else None


@prepared.atomic()
def take_leases(
    *,
    machine_id: UUID,
    hotkey: str,
    limit: int,
    now: datetime,
    holding: Collection[UUID] | None = None,
) -> list[Lease]:
    """Return a machine's next open leases with their jobs, and mark them taken.

    A lease that was taken and whose answer got lost on the way is returned again: the miner that asks
    twice works once. holding: the taken ones that the machine says it has; where it does not say (None), that is told
    only of a machine that does one job at a time.
    """
    leases = queries.lock_next_leases(
        machine_id=machine_id, hotkey=hotkey, limit=limit, holding=holding, now=now
    )
    take([lease for lease in leases if lease.state == Lease.State.OFFERED], now=now)
    return leases


@transaction.atomic
def take_asked_leases(*, machine_ids: Collection[UUID], limit: int, now: datetime) -> list[Lease]:
    """Take leases that travel through the tunnels of these machines; of several gateways one has each.

    None is taken twice: a gateway that is killed leaves its leases to their deadlines.
    """
    leases = queries.lock_asked_leases(machine_ids, now=now, limit=limit)
    take(leases, now=now)
    return leases


def take(leases: Collection[Lease], *, now: datetime) -> None:
    """Note that machines have what was offered to them."""
    for lease in leases:
        lease.turn_to(Lease.State.TAKEN, now=now)
    write_leases(leases)
    logbook.note(
        "job:taken job=%s lease=%s machine=%s hotkey=%s",
        [(lease.job_id, lease.pk, lease.machine_id, lease.hotkey) for lease in leases],
    )


@transaction.atomic
def expire_lease(*, lease_id: UUID, now: datetime) -> bool:
    """End a lease whose deadline passed and give its job to another machine. False when it ended before."""
    lease = queries.lock_lease(lease_id)
    if not lease.is_open or lease.deadline_at > now:
        return False
    job = queries.lock_job(lease.job_id)
    # Of what travels through tunnels its gateway says what became of it; one that says nothing was killed.
    is_reached = lease.taken_at is not None and job.blueprint not in TUNNELED
    come_to_nothing(lease, job, Fault.MINER if is_reached else Fault.PLATFORM, now=now)
    return True


@transaction.atomic
def end_asked_lease(*, lease_id: UUID, fault: Fault, now: datetime) -> bool:
    """End a lease whose machine was asked through its tunnel and will not answer. False when it ended before.

    fault: the platform's when the machine could not be asked at all.
    """
    lease = queries.lock_lease(lease_id)
    if not lease.is_open:
        return False
    come_to_nothing(lease, queries.lock_job(lease.job_id), fault, now=now)
    return True


def come_to_nothing(lease: Lease, job: Job, fault: Fault, *, now: datetime) -> None:
    """End a lease by somebody's fault and give its job to another machine."""
    lease.fault = fault
    if fault is Fault.PLATFORM:
        lease.taken_at = None  # it never reached its machine, which is not to be counted as late
    lease.move_to(Lease.State.EXPIRED, now=now)
    logbook.note(
        "job:expired job=%s lease=%s hotkey=%s blame=%s",
        [(job.pk, lease.pk, lease.hotkey, fault.value)],
    )
    if job.state == Job.State.LEASED:
        queue_or_give_up(job, failure="no machine returned it in time", now=now)
        write_jobs([job])
    note_outcomes([Outcome(lease, job.blueprint, fault)], now=now)
    release([job], now=now)
