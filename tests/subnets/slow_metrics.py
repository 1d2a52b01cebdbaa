"""The metrics once more, a miner at a time in Python's own integers: what the columns are held against."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

from subnets.metrics import LATENCY_FLOOR_MS, PPM, Delivery, Metrics


@dataclass(frozen=True, slots=True)
class Observation:
    """One validator's signed score of one result.

    score_ppm: 0..1_000_000; latency_ms and work_units: >= 0.
    Raises: ValueError when a number is out of its range.
    """

    validator: str
    miner: str
    result_id: str
    score_ppm: int
    latency_ms: int
    work_units: int
    is_canary: bool

    def __post_init__(self) -> None:
        """Refuse numbers no validator can have measured."""
        if not 0 <= self.score_ppm <= PPM:
            raise ValueError(f"score_ppm {self.score_ppm} is not within 0..{PPM}")
        if self.latency_ms < 0 or self.work_units < 0:
            raise ValueError("latency_ms and work_units cannot be negative")


def metrics_of(
    observations: Iterable[Observation], deliveries: Iterable[Delivery], *, validator: str
) -> dict[str, Metrics]:
    """Measure every miner the validator sampled, from its own scores only.

    Scores of other validators are passed over. A sampled miner without a delivery counts as
    neither failed nor completed. The result is sorted by miner.
    Raises: ValueError when the validator scored a result twice or a miner has two deliveries.
    """
    scored: dict[str, list[Observation]] = {}
    seen: set[str] = set()
    for observation in observations:
        if observation.validator != validator:
            continue
        if observation.result_id in seen:
            raise ValueError(f"result {observation.result_id} was scored twice by {validator}")
        seen.add(observation.result_id)
        scored.setdefault(observation.miner, []).append(observation)
    counted: dict[str, Delivery] = {}
    for delivery in deliveries:
        if delivery.miner in counted:
            raise ValueError(f"miner {delivery.miner} has two deliveries")
        counted[delivery.miner] = delivery
    return {
        miner: _measure(scored[miner], counted.get(miner, Delivery(miner, 0, 0, 0)))
        for miner in sorted(scored)
    }


def _measure(scores: list[Observation], delivery: Delivery) -> Metrics:
    """Compute the metrics of one miner from at least one score."""
    assert scores
    canaries = [score for score in scores if score.is_canary]
    finished_count = delivery.returned_count + delivery.expired_count
    return Metrics(
        quality=_mean_score(scores),
        sample_count=len(scores),
        canary_quality=_mean_score(canaries) if canaries else 1.0,
        canary_count=len(canaries),
        latency_ms=max(LATENCY_FLOOR_MS, float(median(score.latency_ms for score in scores))),
        work_units=sum(score.work_units for score in scores),
        credited_work_units=float(
            Fraction(sum(score.work_units * score.score_ppm for score in scores), PPM)
        ),
        offered_count=delivery.offered_count,
        completed_count=delivery.returned_count,
        failed_count=delivery.expired_count,
        success_rate=delivery.returned_count / finished_count if finished_count else 1.0,
    )


def _mean_score(scores: list[Observation]) -> float:
    """Return the mean score, 0..1; int / int rounds once, to the nearest float."""
    return sum(score.score_ppm for score in scores) / (len(scores) * PPM)
