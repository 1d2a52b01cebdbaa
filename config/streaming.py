"""The event streams as Prometheus sees them: how many are open, what was sent and how late, and the process's memory."""

import os
import time
from pathlib import Path

from config import metrics
from marketplace import events
from marketplace.events import EventStreams, Message, Receive, Send

STATM = Path("/proc/self/statm")
MEMORY_EVERY_S = 5.0
measured_s: list[float] = []  # when it was measured last


class WatchedStreams:
    """The application, with its streams and refusals counted."""

    def __init__(self, application: EventStreams) -> None:
        self._application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        with metrics.STREAMS.track_inprogress():
            await self._application(scope, receive, answer_noted(send))


def answer_noted(send: Send) -> Send:
    """Return a send that counts answers by their status."""

    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start":
            metrics.STREAM_ANSWERS.labels(message["status"]).inc()
        await send(message)

    return noting


def resident_bytes(statm: Path = STATM) -> int:
    """Read how much memory this process has in use; 0 where the system does not tell."""
    try:
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def note(name: str, lag_s: float) -> None:
    """Count a message that a reader took, and how late it was."""
    metrics.VERSIONS.labels(name).inc()
    metrics.STREAM_LAG_S.labels(name).observe(lag_s)
    measure()


def measure() -> None:
    """Note the memory of this process, now and then."""
    now_s = time.monotonic()
    if not measured_s or now_s - measured_s[0] >= MEMORY_EVERY_S:
        measured_s[:] = [now_s]
        metrics.STREAMS_MEMORY.set(resident_bytes())


events.listeners.append(note)
