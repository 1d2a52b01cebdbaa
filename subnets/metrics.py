"""What is known of a miner in a window, as one validator sees it, and how it lies in columns.

`subnets.measuring` makes it from signed scores and the platform's delivery counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

PPM = 1_000_000  # a score of 1.0 in parts per million

# A latency of 0 ms means "below the clock's step"; 1 keeps a rule's `500.0 / latency_ms` finite.
LATENCY_FLOOR_MS = 1.0


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

    @classmethod
    def of(cls, by_miner: Mapping[str, Metrics]) -> "Table":
        """Return rows as columns; a table is one already."""
        if isinstance(by_miner, Table):
            return by_miner
        miners = tuple(sorted(by_miner))
        rows = [by_miner[miner] for miner in miners]
        return cls(miners, {name: column_of(name, rows) for name in METRICS})

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


def column_of(name: str, rows: Sequence[Metrics]) -> NDArray[Any]:
    """Return one metric of some rows in its type; whole numbers that pass 64 bits as Python's own."""
    values = [getattr(row, name) for row in rows]
    if METRICS[name].type == "double":
        return np.array(values, dtype=np.float64)
    return np.array(values, dtype=np.int64 if max(values, default=0) < 2**63 else object)


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
