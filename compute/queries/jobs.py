"""Jobs, leases and results: locks and rows."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery, expressions
from django.db.models.expressions import RawSQL
from django.db.models.functions import RowNumber

from compute.blueprints import TUNNELED
from compute.errors import JobUnknown, LeaseUnknown
from compute.models import Job, Lease, Result
from compute.queries.sealing import sealed_from
from ledger.keyset import Window

SWEEPS_AT_ONCE = 4  # so many sweeps find jobs beside each other; a fifth finds them a second later
ROWS_MAX = 100  # of any list that a caller can ask for at once


def lock_queued(limit: int, *, netuids: Collection[int], now: datetime) -> list[Job]:
    """Lock jobs of some subnets whose turn it is, subnets in rotation, passing over those another sweep holds.

    A long queue of one subnet, or one that no machine serves, holds up no other. Without payloads.
    """
    waiting = Job.objects.filter(
        state=Job.State.QUEUED, netuid__in=netuids, ready_at__lte=now
    ).annotate(
        place=expressions.Window(RowNumber(), partition_by="netuid", order_by=["turn_at", "pk"]),
    )
    first = waiting.order_by("place", "turn_at", "pk").values_list("pk", flat=True)
    ids = list(first[: limit * SWEEPS_AT_ONCE])
    # What changed its state since it was looked for is seen anew under the lock.
    found = Job.objects.filter(state=Job.State.QUEUED, pk__in=ids)
    rows = found.defer("payload", "known_answer").order_by(
        RawSQL("array_position(%s::uuid[], compute_job.id)", (ids,))
    )
    return list(rows.select_for_update(skip_locked=True, of=("self",))[:limit])


def lock_job(job_id: UUID) -> Job:
    """Lock one job. Raises: JobUnknown."""
    found = Job.objects.select_for_update(of=("self",)).filter(pk=job_id).first()
    if found is None:
        raise JobUnknown(job_id=job_id)
    return found


def lock_lease(lease_id: UUID) -> Lease:
    """Lock one lease. Raises: LeaseUnknown."""
    found = Lease.objects.select_for_update(of=("self",)).filter(pk=lease_id).first()
    if found is None:
        raise LeaseUnknown(lease_id=lease_id)
    return found


def lock_asked_leases(machine_ids: Collection[UUID], *, now: datetime, limit: int) -> list[Lease]:
    """Lock leases that were offered to these machines and travel through tunnels, passing over another gateway's."""
    return list(
        Lease.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("job")
        .filter(state=Lease.State.OFFERED, machine__in=machine_ids, deadline_at__gt=now)
        .filter(job__blueprint__in=TUNNELED)
        .order_by("offered_at", "pk")[:limit]
    )


def lock_lease_of(job: UUID, *, wait: bool = True) -> Lease | None:
    """Lock the open lease of a job; None when it has none."""
    rows = Lease.objects.select_for_update(of=("self",), nowait=not wait)
    return rows.filter(job=job, state__in=[Lease.State.OFFERED, Lease.State.TAKEN]).first()


def attempts_of(job: Job) -> list[Lease]:
    """List the offers of a job to machines, first to last."""
    return list(Lease.objects.filter(job=job).order_by("offered_at", "pk"))


def canaries_since(netuid: int, *, since: datetime) -> int:
    """Return how many known-answer jobs were planted on a subnet since an instant, or still wait."""
    planted = Job.objects.filter(netuid=netuid, origin=Job.Origin.CANARY)
    recent = planted.filter(created_at__gt=since).count()
    waiting = planted.filter(created_at__lte=since, state=Job.State.QUEUED).count()
    return recent + waiting


def job_of(job_id: UUID, owner: UUID) -> Job:
    """Return a consumer's own job. Raises: JobUnknown, also for somebody else's."""
    found = Job.objects.filter(pk=job_id, owner=owner).first()
    if found is None:
        raise JobUnknown(job_id=job_id)
    return found


def jobs_of_owner(owner: UUID, *, window: Window) -> list[Job]:
    """List a page of what a consumer ordered."""
    return list(window.cut(Job.objects.filter(owner=owner)))


def result_of(job: Job) -> Result | None:
    """Return the result a consumer may see: the one that was verified."""
    if job.state != Job.State.VERIFIED:
        return None
    found = Result.objects.filter(job=job).order_by("-submitted_at", "-pk").first()
    assert found is not None, "a job that was verified has a result"
    return found


def payloads_of(job_ids: Collection[UUID]) -> dict[UUID, Any]:
    """Return job → what it asks for."""
    return dict(Job.objects.filter(pk__in=job_ids).values_list("pk", "payload"))


@dataclass(frozen=True, slots=True)
class JobLine:
    id: UUID
    blueprint: str
    origin: str
    state: str
    is_sealed: bool
    miner: str
    price_rao: int
    created_at: datetime | None
    ended_at: datetime | None


def jobs_of(netuid: int, *, limit: int = 20) -> list[JobLine]:
    """List a subnet's newest jobs, without what was asked and answered.

    Known-answer jobs are shown as such only once they have ended, or miners could tell them apart; when a job
    was made is told no earlier, for several are planted at one instant and people seldom order so. A job that was scored in the running epoch stands as returned, whatever became of it: its verdict would tell
    a validator that has not looked what the others said. Who has an open job that travels through a tunnel is not
    told: the miner could look which of its chats is a job.
    """
    leases = Lease.objects.filter(job=OuterRef("pk")).order_by("-offered_at")
    sealed = Result.objects.filter(
        job=OuterRef("pk"), scores__scored_at__gte=sealed_from([netuid])[netuid]
    ).order_by("submitted_at")
    rows = (
        Job.objects.filter(netuid=netuid)
        .annotate(miner=Subquery(leases.values("hotkey")[:1]))
        .annotate(sealed_miner=Subquery(sealed.values("hotkey")[:1]))
        .defer("payload", "known_answer")
        .order_by("-created_at")[: min(limit, ROWS_MAX)]
    )
    return [
        _job_line(row, "" if _is_veiled(row) else row.miner or "", row.sealed_miner) for row in rows
    ]


def _is_veiled(job: Job) -> bool:
    """Say whether that a machine has this job now is kept from everybody."""
    return job.blueprint in TUNNELED and job.state in {Job.State.QUEUED, Job.State.LEASED}


def _job_line(row: Job, miner: str, sealed_miner: str | None) -> JobLine:
    """Present a job; sealed_miner: whose result of it was scored in the running epoch."""
    is_told = row.ended_at is not None and sealed_miner is None
    return JobLine(
        id=row.pk,
        blueprint=row.blueprint,
        origin=row.origin if is_told else "",
        state=_told_state(row) if sealed_miner is None else Job.State.RETURNED,
        is_sealed=sealed_miner is not None,
        miner=sealed_miner or miner,
        price_rao=row.price_rao if is_told else 0,
        created_at=row.created_at if is_told else None,
        ended_at=row.ended_at if is_told else None,
    )


def _told_state(job: Job) -> str:
    return Job.State.QUEUED if _is_veiled(job) else job.state
