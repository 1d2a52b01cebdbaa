"""Which tunnel gets a request: a pure choice over what is known of each at this moment.

Of a few tunnels drawn at random, the one that will probably be free soonest: the time its first tokens took
lately, times how full it is. Looking at few costs the same with ten miners and with a thousand, and two
gateways that see the same figures do not send everything to the same miner. A newcomer nobody has measured
counts as fast as the fastest drawn, so it is tried at once, and earns or loses its place by what it does.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

DRAWN_MAX = 8  # the best of eight is within a few per cent of the best of all
MEMORY = 0.2  # weight of the newest first token in the average: about the last ten count
BENCH_FIRST_S = 1.0
BENCH_MAX_S = 60.0
UNMEASURED_MS = 200.0  # where nobody drawn was measured


@dataclass(slots=True)
class Standing:
    """What a gateway knows of one tunnel's service. Times are seconds of a monotonic clock."""

    first_token_ms: float | None = None
    failures_in_a_row: int = 0
    benched_until_s: float = 0.0

    def note_success(self, first_token_ms: float) -> None:
        """Count an answer that came."""
        before = self.first_token_ms
        self.first_token_ms = (
            first_token_ms if before is None else before + MEMORY * (first_token_ms - before)
        )
        self.failures_in_a_row = 0

    def note_failure(self, now_s: float) -> None:
        """Count an answer that did not come; each in a row keeps the tunnel away twice as long."""
        pause_s = min(BENCH_MAX_S, BENCH_FIRST_S * 2.0 ** min(self.failures_in_a_row, 16))
        self.failures_in_a_row += 1
        self.benched_until_s = now_s + pause_s


class Lane(Protocol):
    """What the choice looks at."""

    hotkey: str
    owner: UUID
    slots: int
    standing: Standing

    @property
    def busy(self) -> int:
        """Return how many requests are under way."""


L = TypeVar("L", bound=Lane)


def choose(
    lanes: Sequence[L],
    *,
    tried: Collection[str],
    payer: UUID,
    now_s: float,
    draw: Callable[[int], int],
) -> L | None:
    """Return the lane for a request; None when no lane is able and free.

    tried: hotkeys that failed this request.  payer: whoever pays is not served by a miner of their own, or
    they would pay themselves for standing.  draw: a uniform number below its argument.
    """
    able = [
        lane
        for lane in lanes
        if lane.busy < lane.slots and lane.hotkey not in tried and lane.owner != payer
    ]
    # All benched is no reason to refuse: the one that comes back first is asked.
    ready = [lane for lane in able if lane.standing.benched_until_s <= now_s]
    if not ready:
        return min(able, key=lambda lane: lane.standing.benched_until_s, default=None)
    drawn = ready if len(ready) <= DRAWN_MAX else [ready[i] for i in _distinct(len(ready), draw)]
    measured = [lane.standing.first_token_ms for lane in drawn]
    fastest = min((ms for ms in measured if ms is not None), default=UNMEASURED_MS)
    start = draw(len(drawn))  # equals are taken in turn
    return min(drawn[start:] + drawn[:start], key=lambda lane: _wait_ms(lane, unmeasured=fastest))


def is_served(lanes: Sequence[L], *, tried: Collection[str], payer: UUID) -> bool:
    """Say whether waiting for a free lane makes sense."""
    return any(lane.hotkey not in tried and lane.owner != payer for lane in lanes)


def _wait_ms(lane: Lane, *, unmeasured: float) -> float:
    known = lane.standing.first_token_ms
    return (unmeasured if known is None else known) * (lane.busy + 1) / lane.slots


def _distinct(count: int, draw: Callable[[int], int]) -> set[int]:
    drawn: set[int] = set()
    while len(drawn) < DRAWN_MAX:
        drawn.add(draw(count))
    return drawn
