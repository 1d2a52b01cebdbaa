"""Results: what a miner returns on its lease, checked for form, signature and time."""

import json
from collections.abc import Collection, Mapping, Sequence
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
    LeaseUnknown,
    LeaseWithdrawn,
    ResultDiffers,
    ResultSignatureInvalid,
)
from compute.models import Job, Lease, Result
from compute.operations import logbook
from compute.operations.leases import take
from compute.operations.moves import write_leases_and_jobs
from ledger import prepared
from ledger.errors import DomainError
from neurons import keys, protocol


@dataclass(frozen=True, slots=True)
class ResultInput:
    """One result as it came in."""

    lease_id: UUID
    output: Mapping[str, Any]
    output_digest: str
    signature: str


@dataclass(frozen=True, slots=True)
class ResultsTaken:
    """lease → the result that stands; the leases whose result was here before; lease → why its result was refused."""

    results: Mapping[UUID, Result]
    replayed: Collection[UUID]
    refused: Mapping[UUID, DomainError]


def submit_result(
    *,
    lease_id: UUID,
    hotkey: str,
    output: Mapping[str, Any],
    output_digest: str,
    signature: str,
    now: datetime,
) -> tuple[Result, bool]:
    """Take a result on a lease; return it, and whether it was here before (a replay). Raises: as `accept` does."""
    given = ResultInput(lease_id, output, output_digest, signature)
    taken = submit_results(hotkey=hotkey, results=[given], now=now)
    for refusal in taken.refused.values():
        raise refusal
    return taken.results[lease_id], bool(taken.replayed)


@prepared.atomic()
def submit_results(*, hotkey: str, results: Sequence[ResultInput], now: datetime) -> ResultsTaken:
    """Take a miner's results, each of another lease; each stands or falls by itself.

    Whatever is refused leaves its lease open until its deadline. The statements are as many for one as for many.
    """
    held = queries.lock_leases_with_jobs([each.lease_id for each in results])
    taken: dict[UUID, Result] = {}
    replayed: set[UUID] = set()
    refused: dict[UUID, DomainError] = {}
    for given in results:
        lease, known = held.get(given.lease_id, (None, None))
        try:
            taken[given.lease_id] = accept(given, lease, known, hotkey=hotkey, now=now)
        except DomainError as refusal:
            refused[given.lease_id] = refusal
        if known is not None:
            replayed.add(given.lease_id)
    new = [result for lease_id, result in taken.items() if lease_id not in replayed]
    take([each.lease for each in new if each.lease.state == Lease.State.OFFERED], now=now)
    record(new)
    hand_over(new, now=now)
    return ResultsTaken(taken, replayed, refused)


def accept(
    given: ResultInput, lease: Lease | None, known: Result | None, *, hotkey: str, now: datetime
) -> Result:
    """Return the result to be written, or the one that came before. Latency is the platform's clock, from offer to arrival.

    Raises: LeaseUnknown, LeaseNotYours, LeaseExpired, LeaseWithdrawn, ResultDiffers, DigestMismatch,
    ResultSignatureInvalid, OutputInvalid.
    """
    if lease is None:
        raise LeaseUnknown(lease_id=given.lease_id)
    if lease.hotkey != hotkey:
        raise LeaseNotYours(lease_id=lease.pk)
    if known is not None:
        if known.output_digest != given.output_digest:
            raise ResultDiffers(lease_id=lease.pk)
        return known
    if lease.state == Lease.State.WITHDRAWN:
        raise LeaseWithdrawn(ended_at=lease.ended_at)
    if not lease.is_open or lease.deadline_at <= now:
        raise LeaseExpired(deadline_at=lease.deadline_at)
    # The form first: what has it is shallow and finite, so that its digest can be taken.
    blueprint(lease.job.blueprint).check_output(lease.job.payload, given.output)
    check_signed(lease, given)
    return Result(
        lease=lease,
        job=lease.job,
        netuid=lease.job.netuid,
        hotkey=lease.hotkey,
        output=dict(given.output),
        output_digest=given.output_digest,
        signature=given.signature,
        latency_ms=max(0, (now - lease.offered_at) // timedelta(milliseconds=1)),
        submitted_at=now,
    )


@dataclass(frozen=True, slots=True)
class Answered:
    """What a miner answered through its tunnel. pieces: what its signature covers, and the output is read from.

    model: the one that was asked.
    """

    request_id: UUID
    pieces: tuple[str, ...]
    output: dict[str, Any]
    signature: str
    latency_ms: int
    model: str


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
        model=answer.model,
        latency_ms=answer.latency_ms,
        submitted_at=now,
    )
    hand_over([result], now=now)
    return result


def hand_over(results: Collection[Result], *, now: datetime) -> None:
    """End leases whose results are in; from here on it is the validators' turn."""
    for result in results:
        result.lease.turn_to(Lease.State.RETURNED, now=now)
        result.job.verify_by_at = now + timedelta(seconds=settings.VERIFY_S)
        result.job.turn_to(Job.State.RETURNED, now=now)
    write_leases_and_jobs([result.lease for result in results], [result.job for result in results])
    logbook.note(
        "job:returned job=%s lease=%s result=%s hotkey=%s latency_ms=%s",
        [(each.job_id, each.lease_id, each.pk, each.hotkey, each.latency_ms) for each in results],
    )


def check_signed(lease: Lease, given: ResultInput) -> None:
    """Raise DigestMismatch or ResultSignatureInvalid unless the hotkey signed just this output."""
    digest = protocol.output_digest(dict(given.output))
    if digest != given.output_digest:
        raise DigestMismatch(digest=digest)
    message = protocol.result_message(
        lease_id=str(lease.pk), job_id=str(lease.job_id), digest=digest
    )
    if not keys.verify(lease.hotkey, message, given.signature):
        raise ResultSignatureInvalid


RECORD = """
INSERT INTO compute_result
    (id, lease_id, job_id, netuid, hotkey, output, output_digest, signature, latency_ms, submitted_at)
SELECT new.*
FROM unnest(%(ids)s::uuid[], %(leases)s::uuid[], %(jobs)s::uuid[], %(netuids)s::smallint[], %(hotkeys)s::text[],
            %(outputs)s::jsonb[], %(digests)s::text[], %(signatures)s::text[], %(latencies)s::int[],
            %(submitted)s::timestamptz[]) AS new
"""


def record(results: Collection[Result]) -> None:
    """Write new facts in one statement."""
    if not results:
        return
    prepared.send(
        RECORD,
        {
            "ids": prepared.texts(each.pk for each in results),
            "leases": prepared.texts(each.lease_id for each in results),
            "jobs": prepared.texts(each.job_id for each in results),
            "netuids": prepared.numbers(each.netuid for each in results),
            "hotkeys": prepared.texts(each.hotkey for each in results),
            "outputs": prepared.texts(json.dumps(each.output) for each in results),
            "digests": prepared.texts(each.output_digest for each in results),
            "signatures": prepared.texts(each.signature for each in results),
            "latencies": prepared.numbers(each.latency_ms for each in results),
            "submitted": prepared.texts(each.submitted_at for each in results),
        },
    )
