"""Run a command in the foreground, in between the start and the stop of what it needs."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

from launch.children import die_with_parent

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NOT_FOUND_STATUS = 127  # what a shell answers


def run(command: Sequence[str], *, variables: AbstractContextManager[dict[str, str]]) -> int:
    """Run the command with more variables in its environment; return its exit status, as a shell would give it."""
    with signals_kept() as received, variables as more:
        if received:
            return 128 + received[0]
        try:
            process = subprocess.Popen(
                list(command),
                env=os.environ | more,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509  bare system calls
            )
        except FileNotFoundError:
            print(f"{command[0]}: not found", file=sys.stderr)
            return NOT_FOUND_STATUS
        with signals_forwarded(process):
            code = process.wait()
        return 128 - code if code < 0 else code


@contextmanager
def signals_kept() -> Iterator[list[int]]:
    """Keep a stop signal from interrupting the start and the stop of servers; yield those received."""
    received: list[int] = []

    def keep(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    before = {name: signal.signal(name, keep) for name in FORWARDED}
    try:
        yield received
    finally:
        for name, action in before.items():
            signal.signal(name, action)


@contextmanager
def signals_forwarded(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Hand a stop signal on to the command, except a Ctrl-C that the terminal gave it already."""

    def forward(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGINT or not is_in_foreground():
            process.send_signal(number)

    before = {name: signal.signal(name, forward) for name in FORWARDED}
    try:
        yield
    finally:
        for name, action in before.items():
            signal.signal(name, action)


def is_in_foreground() -> bool:
    """Say whether a terminal sends its Ctrl-C to this process group."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
