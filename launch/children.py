"""A child process: its own session and log file, told to stop when this process ends, never left behind."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from launch.errors import telling_line

PR_SET_PDEATHSIG = 1  # linux/prctl.h
POLL_S = 0.02
LOG_TAIL_BYTES = 8_192  # enough for the last message of any of these programs
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass
class Child:
    """A program to run: what, where, as whom, and the signal that asks it to stop."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    cwd: Path
    stop_signal: signal.Signals = signal.SIGTERM
    uid: int | None = None  # another user to run as; only root can ask for it
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_at_s: float = field(default=0.0, init=False)  # on the monotonic clock
    log_begins_at: int = field(default=0, init=False)  # bytes that earlier runs have written

    def start(self) -> None:
        """Start the program in a session of its own, its output appended to the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.log_begins_at = log.tell()
            self.process = subprocess.Popen(
                list(self.argv),
                env=dict(self.env),
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(self.stop_signal),  # noqa: PLW1509  bare system calls
                user=self.uid,
                group=self.uid,
                extra_groups=None if self.uid is None else [],
            )
        self.started_at_s = time.monotonic()

    def is_alive(self) -> bool:
        """Say whether the program runs, collecting its exit status when it does not."""
        return self.process is not None and self.process.poll() is None

    def exit_status(self) -> str:
        """Return how the program ended, in words: "exit 1" or "SIGKILL"."""
        code = self.process.returncode if self.process else None
        if code is None:
            return "running"
        return signal.Signals(-code).name if code < 0 else f"exit {code}"

    def tail(self) -> str:
        """Return the line of this run's log that tells most of how it ended."""
        if not self.log.exists():
            return telling_line("")
        with self.log.open("rb") as log:
            log.seek(max(self.log_begins_at, log.seek(0, os.SEEK_END) - LOG_TAIL_BYTES))
            return telling_line(log.read().decode(errors="replace"))

    def ask_to_stop(self) -> None:
        """Send the stop signal to the program itself; what it started, it ends."""
        if self.process and self.is_alive():
            self.process.send_signal(self.stop_signal)

    def make_sure(self, *, until_s: float) -> None:
        """Wait until `until_s` on the monotonic clock, then kill whatever is left of the program's group."""
        if self.process is None:
            return
        while self.is_alive() and time.monotonic() < until_s:
            time.sleep(POLL_S)
        # The group may outlive its leader; its number stays taken as long as it has a member.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def stop_all(children: Sequence[Child], *, grace_s: float) -> None:
    """Ask all the children to stop at once, and kill those that have not after `grace_s`."""
    for child in children:
        child.ask_to_stop()
    until_s = time.monotonic() + grace_s
    for child in children:
        child.make_sure(until_s=until_s)


def die_with_parent(stop_signal: signal.Signals) -> Callable[[], None]:
    """Return what a child runs before its program: ask the kernel for `stop_signal` when this process ends.

    On Linux only; elsewhere a killed launcher leaves its children running. Source: man 2 prctl.
    """
    parent = os.getpid()

    def ask() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(stop_signal))
            if os.getppid() != parent:  # it ended before the line above
                os._exit(1)

    return ask
