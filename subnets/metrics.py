"""Turn one validator's signed scores and the platform's delivery counts into metrics per miner.

Observations are integers, so two readers of the same scores get the same metrics: each metric is an
exact quotient of integers, rounded once to the nearest float.
A miner nobody sampled is absent: "not sampled" is never "failed".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from statistics import median
from types import MappingProxyType
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

PPM = 1_000_000  # a score of 1.0 in parts per million

# A latency of 0 ms means "below the clock's step"; 1 keeps a rule's `500.0 / latency_ms` finite.
LATENCY_FLOOR_MS = 1.0


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


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the platform itself counted for a miner in the window: jobs offered, returned, expired."""

    miner: str
    offered_count: int
    returned_count: int
    expired_count: int

    def __post_init__(self) -> None:
        """Refuse negative counts."""
        if min(self.offered_count, self.returned_count, self.expired_count) < 0:
            raise ValueError("delivery counts cannot be negative")


@dataclass(frozen=True, slots=True)
class Metric:
    """What a rule's author may know about a metric: its CEL type (`double` or `int`), unit, meaning."""

    type: str
    unit: str
    doc: str


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "quality": Metric(
            "double", "0..1", "Mean score of the sampled results, canaries included."
        ),
        "sample_count": Metric("int", "results", "Results this validator scored; at least 1."),
        "canary_quality": Metric(
            "double", "0..1", "Mean score of jobs with a known answer; 1 when there was none."
        ),
        "canary_count": Metric("int", "results", "Scored results whose answer was known before."),
        "latency_ms": Metric(
            "double", "milliseconds", "Median time from offer to result; at least 1."
        ),
        "work_units": Metric("int", "work units", "Work in the scored results, right or wrong."),
        "credited_work_units": Metric(
            "double", "work units", "Work in the scored results, each times its score."
        ),
        "offered_count": Metric("int", "jobs", "Jobs the platform offered in the window."),
        "completed_count": Metric("int", "jobs", "Jobs returned in time in the window."),
        "failed_count": Metric("int", "jobs", "Jobs taken and not returned in time."),
        "success_rate": Metric(
            "double", "0..1", "completed / (completed + failed); 1 when neither happened."
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Metrics:
    """One miner's metrics as one validator sees them; the fields are the names in METRICS."""

    quality: float
    sample_count: int
    canary_quality: float
    canary_count: int
    latency_ms: float
    work_units: int
    credited_work_units: float
    offered_count: int
    completed_count: int
    failed_count: int
    success_rate: float


assert tuple(METRICS) == tuple(field.name for field in fields(Metrics))


@dataclass(frozen=True, slots=True, eq=False)
class Table(Mapping[str, Metrics]):
    """The metrics of one validator's miners as columns, for replays of many epochs; reads like a dict.

    miners: sorted. columns: metric → one value a miner, in the types of METRICS; whole numbers that pass
    64 bits as Python's own (dtype object).
    """

    miners: tuple[str, ...]
    columns: Mapping[str, NDArray[Any]]

    def __getitem__(self, miner: str) -> Metrics:
        """Return one miner's metrics. Raises: KeyError."""
        if miner not in self.miners:
            raise KeyError(miner)
        place = self.miners.index(miner)
        return Metrics(*(self.columns[name][place : place + 1].tolist()[0] for name in METRICS))

    def __iter__(self) -> Iterator[str]:
        return iter(self.miners)

    def __len__(self) -> int:
        return len(self.miners)


@dataclass(frozen=True, slots=True, eq=False)
class Rows(Sequence[Metrics]):
    """The rows of some tables, one after the other; a column is read without making them."""

    tables: Sequence[Mapping[str, Metrics]]

    @property
    def has_columns(self) -> bool:
        """Say whether the tables hold columns, so that no row has to be made to read one."""
        return all(isinstance(table, Table) or not table for table in self.tables)

    def column(self, name: str) -> NDArray[Any] | list[float]:
        """Return one metric of every row, table by table, miners sorted, where there are columns."""
        assert self.has_columns
        parts = [table.columns[name] for table in self.tables if isinstance(table, Table)]
        column = np.concatenate(parts) if parts else np.zeros(0)
        return column.tolist() if column.dtype == object else column

    def __iter__(self) -> Iterator[Metrics]:
        for table in self.tables:
            yield from (table[miner] for miner in sorted(table))

    @overload
    def __getitem__(self, place: int) -> Metrics: ...
    @overload
    def __getitem__(self, place: slice) -> list[Metrics]: ...
    def __getitem__(self, place: int | slice) -> Metrics | list[Metrics]:
        """Return a row, which walks all before it."""
        return list(self)[place]

    def __len__(self) -> int:
        return sum(map(len, self.tables))


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
