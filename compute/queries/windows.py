"""What an epoch's window holds: the signed scores, and what was offered and returned."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

import numpy as np
from django.db import connection, transaction

from compute.blueprints import blueprint
from compute.models import Job
from compute.queries.commitments import window_commitments
from ledger import prepared
from neurons.keys import SIGNATURE_BYTES
from subnets import clock
from subnets import queries as subnets
from subnets.commitments import Proof
from subnets.metrics import Delivery
from subnets.signed_scores import Column, ScoredResult, SignedScores, Texts, places

# The first half of an advisory lock's name ("SCOR"), so that no other use of such locks meets this one.
SCORE_WRITERS = 0x53434F52
# A row for each validator and reason, and in it a value a field: twelve thousand rows take longer to be sent and made
# than to be found. Aggregates of one statement take a group's scores in one order, that in which they lie.
GIVEN = """
SELECT validator, reason, string_agg(timestamptz_send(scored_at), ''), string_agg(uuid_send(result_id), ''),
       string_agg(int4send(score_ppm), ''), string_agg(signature, '')
FROM compute_score
WHERE netuid = %(netuid)s::int AND scored_at >= %(starts_at)s::timestamptz AND scored_at < %(ends_at)s::timestamptz
GROUP BY validator, reason
"""
RETURNED = """
SELECT result.id::text, lease_id::text, job_id::text, request_id::text, hotkey, output_digest, signature, latency_ms,
       job.blueprint, job.payload, job.origin
FROM compute_result AS result JOIN compute_job AS job ON job.id = result.job_id
WHERE result.id = ANY(%(ids)s::uuid[]) ORDER BY result.id
"""
# Leases that came to nothing without the miner's doing are left out: one that was never fetched and one whose job was
# cancelled say nothing of it. Put in order where they are read: whatever may not be sorted (ONE_INSTANT) would be read in
# the order of an index, all leases there ever were.
DELIVERED = """
SELECT hotkey, count(*), count(*) FILTER (WHERE state = 'returned'), count(*) FILTER (WHERE state = 'expired')
FROM compute_lease
WHERE netuid = %(netuid)s::int AND ended_at >= %(starts_at)s::timestamptz AND ended_at < %(ends_at)s::timestamptz
      AND state <> 'withdrawn' AND (state <> 'expired' OR taken_at IS NOT NULL)
GROUP BY hotkey
"""
SIGNATURE_LENGTH = 2 + 2 * SIGNATURE_BYTES  # nothing else is taken for a score's
# One epoch is one of many that are closed at once: helpers would take the processors from each other. And nobody has
# counted what was scored since the tables were last looked over: taken for few, scores would be sorted into groups.
ONE_INSTANT = """
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL enable_sort = off
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
    window = {"netuid": netuid, "starts_at": starts_at, "ends_at": ends_at}
    given = Given.read(prepared.rows(GIVEN, window))
    found = _results(given.result_ids)
    return Gathered(
        scores=given.scores([_facts(result) for result in found]),
        proof=Proof(
            results=tuple(_signed_result(result) for result in found),
            commitments=window_commitments(netuid, starts_at=starts_at, ends_at=ends_at),
        ),
        deliveries=tuple(Delivery(*row) for row in sorted(prepared.rows(DELIVERED, window))),
    )


@dataclass(frozen=True, slots=True)
class Given:
    """The scores that GIVEN sends, validator by validator: a column a field, one value a score.

    validators, reasons: each that occurs, sorted; validator_at, reason_at: places in them. scored_at: in
    microseconds. result_ids: sixteen bytes each.
    """

    validators: Sequence[str]
    reasons: Sequence[str]
    validator_at: Column
    reason_at: Column
    scored_at: Column
    result_ids: Sequence[bytes]
    scores_ppm: Column
    signatures: Texts

    @classmethod
    def read(cls, rows: Iterable[tuple[Any, ...]]) -> Self:
        """Lay the groups' columns under each other; numbers come as PostgreSQL sends them in binary."""
        columns = [*zip(*sorted(rows), strict=True)] or [()] * 6
        judges, said, scored_at, result_ids, scores_ppm, signatures = columns
        validators, reasons = sorted(set(judges)), sorted(set(said))
        counts = [len(own) // 4 for own in scores_ppm]
        return cls(
            validators=validators,
            reasons=reasons,
            validator_at=np.repeat(places(judges, validators), counts),
            reason_at=np.repeat(places(said, reasons), counts),
            scored_at=np.frombuffer(b"".join(scored_at), dtype=">i8").astype(np.int64),
            result_ids=np.frombuffer(b"".join(result_ids), dtype="V16").tolist(),
            scores_ppm=np.frombuffer(b"".join(scores_ppm), dtype=">i4").astype(np.int64),
            signatures=np.frombuffer("".join(signatures).encode(), dtype=f"S{SIGNATURE_LENGTH}"),
        )

    def scores(self, results: Sequence[ScoredResult]) -> SignedScores:
        """Return the scores as they were given, one after the other; results: each that was scored, by id.

        Within an instant scores come by result id, as they were committed to.
        """
        scored = [UUID(result.result_id).bytes for result in results]
        found = SignedScores(
            results=results,
            validators=self.validators,
            reasons=self.reasons,
            result_at=places(self.result_ids, scored),
            validator_at=self.validator_at,
            reason_at=self.reason_at,
            scores_ppm=self.scores_ppm,
            signatures=self.signatures,
        )
        # Sorting keeps what is alike in its order, so validators stay sorted.
        return found.taken(np.lexsort((found.result_at, self.scored_at)))


class Returned(NamedTuple):
    """What an epoch reads of a result and its job, as RETURNED sends it. payload: JSON."""

    id: str
    lease_id: str
    job_id: str
    request_id: str | None
    hotkey: str
    output_digest: str
    signature: str
    latency_ms: int
    blueprint: str
    payload: str
    origin: str


def _results(result_ids: Iterable[bytes]) -> list[Returned]:
    """List results by id, each once: it is scored by every validator."""
    ids = prepared.texts(one.hex() for one in set(result_ids))
    return [Returned(*row) for row in prepared.rows(RETURNED, {"ids": ids})]


def _signed_result(result: Returned) -> dict[str, Any]:
    """Return by what a miner stands for a result: lease, job and signature; the scores name its digest.

    Who was asked through a tunnel knew neither, and signed for the request in both places (protocol.answer_message).
    """
    return {
        "result_id": result.id,
        "lease_id": result.request_id or result.lease_id,
        "job_id": result.request_id or result.job_id,
        "signature": result.signature,
    }


def _facts(result: Returned) -> ScoredResult:
    """Return what is the same in every score of a result."""
    work = blueprint(result.blueprint)
    return ScoredResult(
        result_id=result.id,
        miner=result.hotkey,
        output_digest=result.output_digest,
        latency_ms=result.latency_ms,
        work_units=work.work_units(json.loads(result.payload)),
        is_canary=result.origin == Job.Origin.CANARY,
    )
