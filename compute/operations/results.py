"""Results: what a miner returns on its lease, checked for form, signature and time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from compute import queries
from compute.blueprints import blueprint
from compute.errors import (
    DigestMismatch,
    LeaseExpired,
    LeaseNotYours,
    LeaseWithdrawn,
    ResultDiffers,
    ResultSignatureInvalid,
)
from compute.models import Job, Lease, Result
from compute.operations import logbook
from compute.operations.leases import take
from neurons import keys, protocol


@transaction.atomic
def submit_result(
    *,
    lease_id: UUID,
    hotkey: str,
    output: Mapping[str, Any],
    output_digest: str,
    signature: str,
    now: datetime,
) -> tuple[Result, bool]:
    """Take a result on a lease; return it, and whether it was here before (a replay).

    Raises: LeaseUnknown, LeaseNotYours, LeaseExpired, LeaseWithdrawn, ResultDiffers, DigestMismatch,
    ResultSignatureInvalid, OutputInvalid. Whatever is refused leaves the lease open until its deadline.
    """
    lease = queries.lock_lease(lease_id)
    if lease.hotkey != hotkey:
        raise LeaseNotYours(lease_id=lease_id)
    known = Result.objects.filter(lease=lease).first()
    if known is not None:
        if known.output_digest != output_digest:
            raise ResultDiffers(lease_id=lease_id)
        return known, True
    if lease.state == Lease.State.WITHDRAWN:
        raise LeaseWithdrawn(ended_at=lease.ended_at)
    if not lease.is_open or lease.deadline_at <= now:
        raise LeaseExpired(deadline_at=lease.deadline_at)
    job = queries.lock_job(lease.job_id)
    # The form first: what has it is shallow and finite, so that its digest can be taken.
    blueprint(job.blueprint).check_output(job.payload, output)
    check_signed(lease, output=output, output_digest=output_digest, signature=signature)
    result = record(lease, job, output, output_digest, signature, now=now)
    if lease.state == Lease.State.OFFERED:
        take(lease, now=now)
    hand_over(result, lease, job, now=now)
    return result, False


@dataclass(frozen=True, slots=True)
class Answered:
    """What a miner answered through its tunnel. pieces: what its signature covers, and the output is read from."""

    request_id: UUID
    pieces: tuple[str, ...]
    output: dict[str, Any]
    signature: str
    latency_ms: int


@transaction.atomic
def return_answer(*, lease_id: UUID, answer: Answered, now: datetime) -> Result | None:
    """Take what a machine answered to a lease through its tunnel; None where the lease had ended. Replays change nothing.

    Raises: LeaseUnknown, OutputInvalid, ResultSignatureInvalid.
    """
    lease = queries.lock_lease(lease_id)
    known = Result.objects.filter(lease=lease).first()
    if known is not None:
        return known
    if not lease.is_open or lease.deadline_at <= now:
        return None
    job = queries.lock_job(lease.job_id)
    blueprint(job.blueprint).check_output(job.payload, answer.output)
    digest = protocol.answer_digest(answer.pieces)
    message = protocol.answer_message(str(answer.request_id), digest)
    if not keys.verify(lease.hotkey, message, answer.signature):
        raise ResultSignatureInvalid
    result = Result.objects.create(
        lease=lease,
        job=job,
        netuid=job.netuid,
        hotkey=lease.hotkey,
        output=answer.output,
        output_digest=digest,
        signature=answer.signature,
        request_id=answer.request_id,
        pieces=list(answer.pieces),
        latency_ms=answer.latency_ms,
        submitted_at=now,
    )
    hand_over(result, lease, job, now=now)
    return result


def hand_over(result: Result, lease: Lease, job: Job, *, now: datetime) -> None:
    """End a lease whose result is in; from here on it is the validators' turn."""
    lease.move_to(Lease.State.RETURNED, now=now)
    job.verify_by_at = now + timedelta(seconds=settings.VERIFY_S)
    job.move_to(Job.State.RETURNED, now=now)
    logbook.note(
        "job:returned job=%s lease=%s result=%s hotkey=%s latency_ms=%s",
        [(job.pk, lease.pk, result.pk, lease.hotkey, result.latency_ms)],
    )


def check_signed(
    lease: Lease, *, output: Mapping[str, Any], output_digest: str, signature: str
) -> None:
    """Raise DigestMismatch or ResultSignatureInvalid unless the hotkey signed just this output."""
    digest = protocol.output_digest(dict(output))
    if digest != output_digest:
        raise DigestMismatch(digest=digest)
    message = protocol.result_message(
        lease_id=str(lease.pk), job_id=str(lease.job_id), digest=digest
    )
    if not keys.verify(lease.hotkey, message, signature):
        raise ResultSignatureInvalid


def record(
    lease: Lease,
    job: Job,
    output: Mapping[str, Any],
    output_digest: str,
    signature: str,
    *,
    now: datetime,
) -> Result:
    """Write the fact. Latency is the platform's own clock, from offer to arrival."""
    latency = now - lease.offered_at
    return Result.objects.create(
        lease=lease,
        job=job,
        netuid=job.netuid,
        hotkey=lease.hotkey,
        output=dict(output),
        output_digest=output_digest,
        signature=signature,
        latency_ms=max(0, latency // timedelta(milliseconds=1)),
        submitted_at=now,
    )
