"""Run a step again and again until someone asks to stop, through every outage."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from neurons.client import Refused, Unreachable, pause_s

# Waiting does not cure these: the operator has to act.
FATAL_CODES = frozenset(
    {"hotkey_not_linked", "hotkey_taken", "challenge_unknown", "challenge_expired"}
)


class Say(Protocol):
    """Tell the operator one event."""

    def __call__(self, event: str, /, **fields: object) -> None:
        """Print `event` with its fields."""


class Stopped(BaseException):
    """Someone asked to stop while nothing was under way. Not an Exception: nothing swallows it."""


class Stop:
    """The wish to stop, asked by a signal: waits end at once, work under way is finished first."""

    def __init__(self) -> None:
        self.is_requested = False
        self._may_interrupt = False

    def on_signals(self) -> None:
        """Take SIGTERM and SIGINT as the wish to stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.request()

    def request(self) -> None:
        """Ask to stop. Raises: Stopped when the program is only waiting."""
        self.is_requested = True
        if self._may_interrupt:
            raise Stopped

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Mark a wait that may be broken off. Raises: Stopped."""
        before = self._may_interrupt
        self._may_interrupt = True
        try:
            if self.is_requested:
                raise Stopped
            yield
        finally:
            self._may_interrupt = before

    def sleep(self, seconds: float) -> None:
        """Wait, or stop. Raises: Stopped."""
        with self.interruptible():
            time.sleep(seconds)


def run_until_stopped(
    step: Callable[[], None], *, say: Say, sleep: Callable[[float], None]
) -> None:
    """Repeat `step` until it is stopped; wait longer after each failure in a row.

    Raises: Refused when only the operator can help (FATAL_CODES).
    """
    failures = 0
    try:
        while True:
            failures = 0 if succeeded(step, say=say) else failures + 1
            if failures:
                sleep(pause_s(failures))
    except Stopped:
        return


def succeeded(step: Callable[[], None], *, say: Say) -> bool:
    """Take one step; tell what went wrong instead of failing. Raises: Stopped, fatal Refused."""
    try:
        step()
    except Refused as refusal:
        if refusal.code in FATAL_CODES:
            raise
        say("refused", code=refusal.code, detail=refusal.detail)
    except Unreachable as trouble:
        say("unreachable", detail=str(trouble))
    except Exception as error:  # noqa: BLE001 - the outermost loop of a neuron goes on
        say("failed", error=type(error).__name__, detail=str(error))
    else:
        return True
    return False
