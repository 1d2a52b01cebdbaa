"""What people see of a running neuron: a table that is kept up to date, where the output is a terminal.

It is told the same events as a log, and keeps of them what fits a screen: memory does not grow with time.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

Key = TypeVar("Key")
Value = TypeVar("Value")

LINES_KEPT = 8
REFRESHES_PER_S = 2
SUBNETS_SHOWN = 12
GATEWAYS_SHOWN = 6
# Told often and counted above the lines: they would push what needs eyes off the screen.
COUNTED = frozenset({"job_done", "scored", "standing", "tunnel_open"})
TROUBLE = frozenset(
    {
        "refused",
        "unreachable",
        "failed",
        "job_failed",
        "result_refused",
        "result_dropped",
        "result_not_kept",
        "score_refused",
        "sample_skipped",
        "deregistered",
        "tunnel_closed",
        "tunnel_failed",
        "request_failed",
        "wrong_result",
    }
)


@dataclass(slots=True)
class Board:
    """What is known at this moment. `say` takes an event; any thread may call it."""

    clock: Callable[[], float] = time.time
    started_s: float = 0.0
    hotkey: str = ""
    url: str = ""
    jobs_count: int = 0
    scores_count: int = 0
    trouble_count: int = 0
    work_ms: int = 0
    standings: dict[object, dict[str, object]] = field(default_factory=dict)
    gateways: dict[str, str] = field(default_factory=dict)
    lines: deque[tuple[str, str, str]] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, event: str, /, **fields: object) -> None:
        """Take an event in."""
        with self.lock:
            self._count(event, fields)
            if event not in COUNTED:
                told = " ".join(f"{name}={value}" for name, value in fields.items())
                at = time.strftime("%H:%M:%S", time.localtime(self.clock()))
                self.lines.append((at, event, told))

    def _count(self, event: str, fields: dict[str, object]) -> None:
        self.trouble_count += event in TROUBLE
        match event:
            case "miner_started" | "validator_started":
                self.started_s = self.clock()
                self.hotkey, self.url = str(fields["hotkey"]), str(fields["url"])
            case "job_done":
                self.jobs_count += 1
                self.work_ms += int(str(fields["duration_ms"]))
            case "scored":
                self.scores_count += int(str(fields["accepted"]))
            case "standing":
                told = fields | {"told_s": self.clock()}
                _keep(self.standings, fields["netuid"], told, limit=SUBNETS_SHOWN)
            case "deregistered":
                self.standings.pop(fields["netuid"], None)
            case "tunnel_open":
                _keep(self.gateways, str(fields["gateway"]), "open", limit=GATEWAYS_SHOWN)
            case "tunnel_closed":
                state = f"closed: {fields['reason']}"
                _keep(self.gateways, str(fields["gateway"]), state, limit=GATEWAYS_SHOWN)

    def __rich__(self) -> RenderableType:
        """Draw the board."""
        with self.lock:
            parts: list[RenderableType] = [self._head()]
            parts += [self._standings()] if self.standings else []
            parts += [self._gateways()] if self.gateways else []
            return Group(*parts, *[_line(*line) for line in self.lines])

    def _head(self) -> Text:
        minutes = int((self.clock() - self.started_s) // 60) if self.started_s else 0
        mean = f", {self.work_ms / self.jobs_count:.0f} ms each" if self.jobs_count else ""
        done = (
            f"{self.scores_count} scores given"
            if self.scores_count
            else f"{self.jobs_count} jobs{mean}"
        )
        counts = f"{done} · {self.trouble_count} troubles"
        return Text(f"{self.hotkey} at {self.url}\nup {minutes} min · {counts}", style="bold")

    def _standings(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for name in ("subnet", "uid", "rank", "score", "incentive", "last TAO", "next pay"):
            table.add_column(name, justify="right")
        for netuid in sorted(self.standings, key=str):
            each = self.standings[netuid]
            table.add_row(
                str(netuid),
                str(each.get("uid", "")),
                str(each.get("rank", "")),
                str(each.get("score", "")),
                _share(each.get("incentive_u16")),
                str(each.get("last_payout_tao", "")),
                self._until(each.get("next_payout_s"), each.get("told_s")),
            )
        return table

    def _until(self, next_s: object, told_s: object) -> str:
        if not isinstance(next_s, int | float):
            return ""
        since_s = self.clock() - told_s if isinstance(told_s, int | float) else 0.0
        return _span(max(0.0, next_s - since_s))

    def _gateways(self) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False)
        for url, state in self.gateways.items():
            table.add_row("gateway", escape(url.partition("/tunnel/")[0]), escape(state))
        return table


def _keep(shown: dict[Key, Value], name: Key, value: Value, *, limit: int) -> None:
    """Keep a value under its name, unless it is a new one too many."""
    if name in shown or len(shown) < limit:
        shown[name] = value


def _share(incentive_u16: object) -> str:
    return f"{incentive_u16 / 65_535:.2%}" if isinstance(incentive_u16, int) else ""


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _line(at: str, event: str, told: str) -> Text:
    style = "red" if event in TROUBLE else ""
    return Text(f"{at} {event} {told}", style=style, overflow="ellipsis", no_wrap=True)


def live(board: Board, console: Console | None = None) -> Live:
    """Return what draws a board again and again while it is entered."""
    return Live(board, console=console, refresh_per_second=REFRESHES_PER_S)
