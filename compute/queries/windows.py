"""What an epoch's window holds: the signed scores, and what was offered and returned."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

import numpy as np
import orjson
from django.db import connection, transaction
from django.db.models import Count, Q
from numpy.typing import NDArray

from compute.blueprints import blueprint
from compute.models import Job, Lease, Result
from compute.queries.commitments import window_commitments
from subnets import clock
from subnets import queries as subnets
from subnets.commitments import Proof
from subnets.metrics import Delivery
from subnets.signed_scores import ScoredResult, SignedScores

# The first half of an advisory lock's name ("SCOR"), so that no other use of such locks meets this one.
SCORE_WRITERS = 0x53434F52
# A column a field, each one value: twelve thousand rows take longer to be sent and made than to be found. Ids, hotkeys
# and signatures hold no comma. Aggregates of one statement take the rows in one order, here that in which they lie.
GIVEN = """
SELECT encode(string_agg(timestamptz_send(scored_at), ''), 'hex'), string_agg(result_id::text, ','),
       string_agg(validator, ','), encode(string_agg(int4send(score_ppm::int), ''), 'hex'),
       json_agg(reason)::text, string_agg(signature, ',')
FROM compute_score
WHERE netuid = %s AND scored_at >= %s AND scored_at < %s
"""
# One epoch is one of many that are closed at once: helpers would take the processors from each other.
ONE_INSTANT = """
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL max_parallel_workers_per_gather = 0
"""


@dataclass(frozen=True, slots=True)
class Gathered:
    """An epoch's evidence, as it goes into the bundle, its proof, and the platform's own counts."""

    scores: SignedScores
    proof: Proof
    deliveries: tuple[Delivery, ...]


def join_score_writers(netuids: Iterable[int]) -> datetime:
    """Be waited for by whoever reads windows of these subnets, until this transaction ends; return since when.

    Since when: the instant up to which the network has accrued. Whatever is dated earlier may have been read
    already, for a window is read only after the network has accrued up to its end and the writers of before
    are through. Writers do not wait for each other. Two statements.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock_shared(%s, netuid) FROM unnest(%s::int[]) AS netuid",
            # In one order, so that two writers and two readers never wait in a ring.
            [SCORE_WRITERS, sorted(netuids)],
        )
    # A statement of its own: it sees what was committed while the lock was waited for.
    net = subnets.network()
    return clock.time_of_block(net.accrued_block, genesis_at=net.genesis_at, block_ms=net.block_ms)


def await_score_writers(netuid: int) -> None:
    """Wait until every request that writes scores of a subnet now is through. To be called in no transaction."""
    with connection.cursor() as cursor:
        # Alone, a statement is a transaction: whoever comes next may write at once.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [SCORE_WRITERS, netuid])


def gather(netuid: int, *, starts_at: datetime, ends_at: datetime) -> Gathered:
    """Collect the evidence of [starts_at, ends_at), all of one instant. To be called in no transaction."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(ONE_INSTANT)
        return _gathered(netuid, starts_at=starts_at, ends_at=ends_at)


def _gathered(netuid: int, *, starts_at: datetime, ends_at: datetime) -> Gathered:
    """Collect the scores given in [starts_at, ends_at) and the leases that ended in it. Four statements.

    How many there can be is bounded where they are taken.
    """
    with connection.cursor() as cursor:
        cursor.execute(GIVEN, [netuid, starts_at, ends_at])
        given = Given.read(cursor.fetchone())
    found = _results(given.result_ids)
    return Gathered(
        scores=given.scores([_facts(result) for result in found]),
        proof=Proof(
            results=tuple(_signed_result(result) for result in found),
            commitments=window_commitments(netuid, starts_at=starts_at, ends_at=ends_at),
        ),
        deliveries=_deliveries(netuid, starts_at=starts_at, ends_at=ends_at),
    )


@dataclass(frozen=True, slots=True)
class Given:
    """The columns that GIVEN sends, one value a score. scored_at: in microseconds."""

    scored_at: NDArray[np.int64]
    result_ids: Sequence[str]
    validators: Sequence[str]
    scores_ppm: NDArray[np.int64]
    reasons: Sequence[str]
    signatures: Sequence[str]

    @classmethod
    def read(cls, columns: Sequence[str | None]) -> Self:
        """Read what was sent; nothing where no score was found."""
        scored_at, result_ids, validators, scores_ppm, reasons, signatures = columns
        return cls(
            scored_at=_numbers(scored_at, ">i8"),
            result_ids=_names(result_ids),
            validators=_names(validators),
            scores_ppm=_numbers(scores_ppm, ">i4"),
            reasons=orjson.loads(reasons or "[]"),
            signatures=_names(signatures),
        )

    def scores(self, results: Sequence[ScoredResult]) -> SignedScores:
        """Return the scores as they were given, one after the other; results: each that was scored, by id.

        Within an instant scores come by result id, as they were committed to.
        """
        found = SignedScores.of(
            results,
            result_ids=self.result_ids,
            validators=self.validators,
            reasons=self.reasons,
            scores_ppm=self.scores_ppm,
            signatures=self.signatures,
        )
        return found.taken(np.lexsort((found.validator_at, found.result_at, self.scored_at)))


def _numbers(sent: str | None, kind: str) -> NDArray[np.int64]:
    """Read numbers that were sent as the hex of their bytes."""
    return np.frombuffer(bytes.fromhex(sent or ""), dtype=kind).astype(np.int64)


def _names(sent: str | None) -> list[str]:
    return sent.split(",") if sent else []


class Returned(NamedTuple):
    """What an epoch reads of a result and its job."""

    id: UUID
    lease_id: UUID
    job_id: UUID
    request_id: UUID | None
    hotkey: str
    output_digest: str
    signature: str
    latency_ms: int
    job__blueprint: str
    job__payload: dict[str, Any]
    job__origin: str


def _results(result_ids: Iterable[str]) -> list[Returned]:
    """List results by id, each once: it is scored by every validator."""
    rows = Result.objects.filter(pk__in=set(result_ids)).order_by("pk")
    return [Returned(*row) for row in rows.values_list(*Returned._fields)]


def _signed_result(result: Returned) -> dict[str, Any]:
    """Return by what a miner stands for a result: lease, job and signature; the scores name its digest.

    Who was asked through a tunnel knew neither, and signed for the request in both places (protocol.answer_message).
    """
    return {
        "result_id": str(result.id),
        "lease_id": str(result.request_id or result.lease_id),
        "job_id": str(result.request_id or result.job_id),
        "signature": result.signature,
    }


def _facts(result: Returned) -> ScoredResult:
    """Return what is the same in every score of a result."""
    work = blueprint(result.job__blueprint)
    return ScoredResult(
        result_id=str(result.id),
        miner=result.hotkey,
        output_digest=result.output_digest,
        latency_ms=result.latency_ms,
        work_units=work.work_units(result.job__payload),
        is_canary=result.job__origin == Job.Origin.CANARY,
    )


def _deliveries(netuid: int, *, starts_at: datetime, ends_at: datetime) -> tuple[Delivery, ...]:
    """Count the leases that ended in the window, but those that came to nothing without the miner's doing.

    One that was never fetched and one whose job was cancelled say nothing of it.
    """
    ended = Lease.objects.filter(
        job__netuid=netuid, ended_at__gte=starts_at, ended_at__lt=ends_at
    ).exclude(Q(state=Lease.State.EXPIRED, taken_at=None) | Q(state=Lease.State.WITHDRAWN))
    counts = (
        ended.values("hotkey")
        .annotate(
            offered=Count("pk"),
            returned=Count("pk", filter=Q(state=Lease.State.RETURNED)),
            expired=Count("pk", filter=Q(state=Lease.State.EXPIRED)),
        )
        .order_by("hotkey")
    )
    return tuple(
        Delivery(
            miner=row["hotkey"],
            offered_count=row["offered"],
            returned_count=row["returned"],
            expired_count=row["expired"],
        )
        for row in counts
    )
