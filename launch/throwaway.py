"""Run one command with servers of its own that are gone afterwards: `python -m launch with-servers -- CMD…`."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from launch import locks
from launch.children import die_with_parent
from launch.errors import CannotLaunchError
from launch.servers import CACHE, Servers

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OWNER = "owner.lock"  # held by the run that a throw-away folder belongs to
NOT_FOUND_STATUS = 127  # what a shell answers


@contextmanager
def servers(environ: Mapping[str, str] | None = None) -> Iterator[Servers]:
    """Run servers whose data live as long as the block. Any number may run at once."""
    room = CACHE / "throw-away"
    try:
        room.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotLaunchError(f"Cannot write {CACHE}: {error.strerror}.") from error
    with contextlib.ExitStack() as open_locks:
        # A folder between its making and its lock looks like one whose owner was killed.
        with locks.held(room / "lock", wait=True):
            _remove_abandoned(room)
            state = Path(tempfile.mkdtemp(dir=room, prefix="run-"))
            open_locks.enter_context(locks.held(state / OWNER, wait=False))
        mine = Servers(state, is_durable=False, environ=environ)
        try:
            with mine:
                yield mine
        finally:
            mine.remove_data()
            shutil.rmtree(state, ignore_errors=True)


def run(command: Sequence[str]) -> int:
    """Run the command with DATABASE_URL and REDIS_URL set; return its exit status, as a shell would give it."""
    with signals_kept() as received, servers() as mine:
        if received:
            return 128 + received[0]
        env = os.environ | {"DATABASE_URL": mine.database_url, "REDIS_URL": mine.redis_url}
        try:
            process = subprocess.Popen(
                list(command),
                env=env,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509  bare system calls
            )
        except FileNotFoundError:
            print(f"with-servers: {command[0]}: not found", file=sys.stderr)
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


def _remove_abandoned(room: Path) -> None:
    """Remove what runs that were killed outright have left. Their servers ended with them."""
    for state in room.glob("run-*"):
        try:
            with locks.held(state / OWNER, wait=False):
                pass
        except CannotLaunchError:
            continue
        Servers(state, environ={}).remove_data()
        shutil.rmtree(state, ignore_errors=True)
