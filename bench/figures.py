"""A measured figure, what it is held against, and how times are taken."""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

RUNS = 5  # the best of them: noise of a shared machine only ever adds


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report.

    value, peer: in `unit`; peer is the other program's figure or the physical floor, measured in the same
    run. ratio: value / peer. target: what the ratio (or, where there is no peer, the value) must reach;
    `at_most` says from which side.
    """

    name: str
    value: float
    unit: str
    peer: float | None = None
    peer_name: str = ""
    target: float | None = None
    at_most: bool = True

    @property
    def ratio(self):
        """Return value / peer, None without a peer."""
        return None if self.peer is None else self.value / self.peer

    @property
    def is_met(self):
        """Say whether the target is reached; None without a target."""
        if self.target is None:
            return None
        reached = self.value if self.ratio is None else self.ratio
        return reached <= self.target if self.at_most else reached >= self.target


def best_s(work: Callable[[], object], *, runs: int = RUNS) -> float:
    """Return the shortest of some runs, in seconds."""
    [best] = bests_s([work], runs=runs)
    return best


def bests_s(
    works: Sequence[Callable[[], object]],
    *,
    runs: int = RUNS,
    before: Callable[[], object] = gc.collect,
) -> list[float]:
    """Return the shortest of some runs of each, taken in turns: who else uses the machine slows all of them alike.

    before: what makes ready for each run; no run is charged for it.
    """
    bests = [float("inf")] * len(works)
    for _ in range(runs):
        for place, work in enumerate(works):
            before()
            gc.collect()
            started = time.perf_counter()
            work()
            bests[place] = min(bests[place], time.perf_counter() - started)
    return bests
