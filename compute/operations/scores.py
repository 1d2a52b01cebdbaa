"""Scores: what validators say of results, each signed by its hotkey."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from compute import queries
from compute.models import Result, Score
from neurons import keys, protocol


@dataclass(frozen=True, slots=True)
class ScoreInput:
    """One score as it came in. score_ppm: 0..1_000_000."""

    result_id: UUID
    score_ppm: int
    reason: str
    signature: str


@dataclass(frozen=True, slots=True)
class ScoresTaken:
    """How many scores were taken, and the stable code of each refusal; the others stand."""

    accepted_count: int
    refused: tuple[tuple[UUID, str], ...]


@transaction.atomic
def submit_scores(
    *, validator: str, owner: UUID, scores: Sequence[ScoreInput], now: datetime
) -> ScoresTaken:
    """Take a validator's scores; each stands or falls by itself.

    Codes of refusals: result_unknown, not_a_validator (no uid or no stake on the subnet), own_result
    (the miner belongs to the validator's owner), score_differs (another score was given before),
    score_signature_invalid. A score given again unchanged is accepted and written once.
    """
    results = queries.results_by_id([score.result_id for score in scores])
    given = queries.scores_by_result(validator, list(results))
    stakes = queries.stakes_by_netuid({result.netuid for result in results.values()})
    owners = queries.owner_by_hotkey({result.hotkey for result in results.values()})
    taken: dict[UUID, Score] = {}
    refused: list[tuple[UUID, str]] = []
    accepted_count = 0
    for score in scores:
        result = results.get(score.result_id)
        if result is None:
            refused.append((score.result_id, "result_unknown"))
        elif validator not in stakes[result.netuid]:
            refused.append((score.result_id, "not_a_validator"))
        elif owners.get(result.hotkey) == owner:
            refused.append((score.result_id, "own_result"))
        elif not is_signed(score, result, validator=validator):
            refused.append((score.result_id, "score_signature_invalid"))
        else:
            before = given.get(result.pk) or taken.get(result.pk)
            if before is not None and before.score_ppm != score.score_ppm:
                refused.append((score.result_id, "score_differs"))
                continue
            accepted_count += 1
            if before is None:
                taken[result.pk] = row(score, result, validator=validator, now=now)
    # Two requests with one score at once: the constraint lets one in, and both are answered alike.
    Score.objects.bulk_create(taken.values(), ignore_conflicts=True)
    return ScoresTaken(accepted_count=accepted_count, refused=tuple(refused))


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
