"""Scores: what validators say of results, each signed by its hotkey."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from compute import queries
from compute.models import Result, Score, ScoreCommitment
from compute.operations import logbook
from compute.queries.sealing import SCORES_STILL_TAKEN
from neurons import keys, protocol
from subnets import commitments, naming

# 64 validators × 256 miners × 3; more would not fit into a bundle people can fetch.
SCORES_PER_EPOCH_MAX = 50_000
NEXT_INSTANT = timedelta(microseconds=1)  # as fine as the database tells instants apart


@dataclass(frozen=True, slots=True)
class ScoreInput:
    """One score as it came in. score_ppm: 0..1_000_000."""

    result_id: UUID
    score_ppm: int
    reason: str
    signature: str


@dataclass(frozen=True, slots=True)
class ScoresTaken:
    """Of how many results a score was taken, and the stable code of each refusal; the others stand."""

    accepted_count: int
    refused: tuple[tuple[UUID, str], ...]


@transaction.atomic
def submit_scores(
    *, validator: str, owner: UUID, scores: Sequence[ScoreInput], now: datetime
) -> ScoresTaken:
    """Take a validator's scores and commit to them in public; each stands or falls by itself.

    Codes of refusals: result_unknown, not_a_validator (no uid or no stake on the subnet), own_result
    (the miner belongs to the validator's owner), own_report (the answer was reported by the validator's owner), score_signature_invalid, score_differs (another score
    was given before), scores_closed (the result was decided a while ago, so that its verdict could be
    copied), epoch_full (the running epoch holds as many as a bundle carries). A score given again
    unchanged is accepted and written once, and counted once in a request.
    Raises: TextRefused when a reason holds what cannot be shown; none of the request's scores is taken then.
    """
    for score in scores:
        naming.refuse_unseen(score.reason, field="reason")
    # One request of a validator at a time: its chain of scores has one order, and never forks.
    queries.lock_judge(validator)
    results = queries.results_to_score([score.result_id for score in scores])
    # From here on no window is read without what is written here, and `since` is when the open ones began
    # at the latest: a request that had to wait, or came by a slow clock, is dated into what is still open.
    since = queries.join_score_writers({result.netuid for result in results.values()})
    known = Known(
        validator=validator,
        owner=owner,
        results=results,
        superseded=queries.superseded(list(results)),
        given=queries.scores_by_result(validator, list(results)),
        stakes=queries.stakes_by_netuid({result.netuid for result in results.values()}),
        owners=queries.owner_by_hotkey({result.hotkey for result in results.values()}),
        reporters=queries.reporters([result.job_id for result in results.values()]),
        sealed_counts=queries.sealed_counts({result.netuid for result in results.values()}),
    )
    taken: dict[UUID, ScoreInput] = {}
    accepted: set[UUID] = set()
    refused: list[tuple[UUID, str]] = []
    for score in scores:
        code = known.refusal(score, taken.get(score.result_id), now=now)
        if code:
            refused.append((score.result_id, code))
            continue
        accepted.add(score.result_id)
        if score.result_id not in known.given:
            taken.setdefault(score.result_id, score)
    write(known, taken, now=max(now, since))
    return ScoresTaken(accepted_count=len(accepted), refused=tuple(refused))


@dataclass(frozen=True, slots=True)
class Known:
    """What decides about a request's scores.

    superseded: results followed by another of their job. stakes: netuid → validator → rao. owners:
    miner → account. reporters: job → account. sealed_counts: netuid → scores that wait for their epoch to close.
    """

    validator: str
    owner: UUID
    results: Mapping[UUID, Result]
    superseded: Collection[UUID]
    given: Mapping[UUID, Score]
    stakes: Mapping[int, Mapping[str, int]]
    owners: Mapping[str, UUID]
    reporters: Mapping[UUID, UUID]
    sealed_counts: Mapping[int, int]

    def refusal(self, score: ScoreInput, earlier: ScoreInput | None, *, now: datetime) -> str:
        """Return the code by which a score is refused; empty when it may stand."""
        result = self.results.get(score.result_id)
        if result is None:
            return "result_unknown"
        if self.validator not in self.stakes[result.netuid]:
            return "not_a_validator"
        if code := self.interest(result):
            return code
        if not is_signed(score, result, validator=self.validator):
            return "score_signature_invalid"
        before = self.given.get(score.result_id) or earlier
        if before is None:
            return self.lateness(result, now=now)
        return "" if before.score_ppm == score.score_ppm else "score_differs"

    def interest(self, result: Result) -> str:
        """Return the code by which a validator may not judge in its owner's own cause; empty when it is not."""
        if self.owners.get(result.hotkey) == self.owner:
            return "own_result"
        return "own_report" if self.reporters.get(result.job_id) == self.owner else ""

    def lateness(self, result: Result, *, now: datetime) -> str:
        """Return the code by which a first score of this result would come too late; empty when it does not."""
        if result.pk in self.superseded or is_decided(result, now=now):
            return "scores_closed"
        is_full = self.sealed_counts.get(result.netuid, 0) >= SCORES_PER_EPOCH_MAX
        return "epoch_full" if is_full else ""


def is_decided(result: Result, *, now: datetime) -> bool:
    """Say whether a result's job ended or went back to the queue too long ago for another score."""
    job = result.job
    decided_at = job.queued_at if job.queued_at > result.submitted_at else job.ended_at
    return decided_at is not None and decided_at + SCORES_STILL_TAKEN <= now


def write(known: Known, taken: Mapping[UUID, ScoreInput], *, now: datetime) -> None:
    """Write the scores, and one commitment a subnet; in the order of result ids, as bundles list them."""
    if not taken:
        return
    last = queries.last_commitments(known.validator, known.stakes)
    # Requests may overtake each other on their way here; in the chain, time never runs backwards.
    latest = max((commitment.committed_at for commitment in last.values()), default=None)
    scored_at = now if latest is None else max(now, latest + NEXT_INSTANT)
    rows: dict[int, list[Score]] = {}
    for result_id in sorted(taken):
        result = known.results[result_id]
        score = row(taken[result_id], result, validator=known.validator, now=scored_at)
        rows.setdefault(result.netuid, []).append(score)
    Score.objects.bulk_create(score for own in rows.values() for score in own)
    ScoreCommitment.objects.bulk_create(
        committed(own, last.get(netuid)) for netuid, own in rows.items()
    )
    logbook.note(
        "job:scored job=%s result=%s validator=%s score_ppm=%s",
        [
            (score.result.job_id, score.result_id, score.validator, score.score_ppm)
            for own in rows.values()
            for score in own
        ],
    )


def committed(rows: Sequence[Score], last: ScoreCommitment | None) -> ScoreCommitment:
    """Continue a validator's chain on one subnet by these scores."""
    first = rows[0]
    start = protocol.score_chain_start(netuid=first.netuid, validator=first.validator)
    before = last.digest if last else start
    evidence = [
        {
            "result_id": str(score.result_id),
            "output_digest": score.result.output_digest,
            "score_ppm": score.score_ppm,
            "reason": score.reason,
            "signature": score.signature,
        }
        for score in rows
    ]
    return ScoreCommitment(
        netuid=first.netuid,
        validator=first.validator,
        before=before,
        count=len(rows),
        total_count=(last.total_count if last else 0) + len(rows),
        digest=commitments.heads(before, evidence)[-1],
        committed_at=first.scored_at,
    )


def is_signed(score: ScoreInput, result: Result, *, validator: str) -> bool:
    """Say whether the validator's hotkey signed this score of this output."""
    message = protocol.score_message(
        result_id=str(result.pk),
        digest=result.output_digest,
        score_ppm=score.score_ppm,
        reason=score.reason,
    )
    return keys.verify(validator, message, score.signature)


def row(score: ScoreInput, result: Result, *, validator: str, now: datetime) -> Score:
    """Return the fact to be written."""
    return Score(
        result=result,
        netuid=result.netuid,
        validator=validator,
        miner=result.hotkey,
        score_ppm=score.score_ppm,
        reason=score.reason,
        signature=score.signature,
        scored_at=now,
    )
