"""Answers kept for a while: who asks again under the same Idempotency-Key gets the first answer, and pays once.

Kept in memory of one process and bounded; a key that is forgotten is a new request. An answer that failed is
not kept, so that asking again helps.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from compute.gateway.wire import Headers
from ledger.errors import IdempotencyConflict

KEPT_S = 600.0
KEPT_MAX = 10_000
KEPT_MAX_BYTES = 64 * 2**20
ANSWER_MAX_BYTES = 2**20  # a longer answer is served, and not kept


@dataclass(slots=True)
class Replay:
    """One answer under a key: under way, or complete."""

    asked: bytes
    until_s: float
    is_ended: asyncio.Event = field(default_factory=asyncio.Event)
    headers: Headers = ()
    body: bytearray = field(default_factory=bytearray)
    is_complete: bool = False

    def add(self, part: bytes) -> None:
        """Keep a part of the answer, as long as it is not too long to be kept."""
        if len(self.body) <= ANSWER_MAX_BYTES:
            self.body += part


class Replays:
    """The kept answers of one process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Replay] = OrderedDict()
        self._bytes = 0

    def begin(self, key: str, raw: bytes) -> tuple[Replay, bool]:
        """Return the answer under a stored key, and whether the caller is the first to ask.

        Raises: IdempotencyConflict when something else was asked under it.
        """
        asked = hashlib.sha256(raw).digest()
        known = self._kept.get(key)
        if known is not None and known.until_s > time.monotonic():
            if known.asked != asked:
                raise IdempotencyConflict(key=key.split(":", 2)[2], field="body")
            return known, False
        self._drop(key)
        while len(self._kept) >= KEPT_MAX:
            self._drop(next(iter(self._kept)))
        self._kept[key] = replay = Replay(asked, time.monotonic() + KEPT_S)
        return replay, True

    def end(self, key: str, replay: Replay) -> None:
        """Keep an answer that is complete and not too long; forget any other. Wakes who waits for it."""
        replay.is_complete &= len(replay.body) <= ANSWER_MAX_BYTES
        replay.is_ended.set()
        if self._kept.get(key) is not replay:
            return  # it made room for others while it was under way
        if not replay.is_complete:
            del self._kept[key]
            return
        self._bytes += len(replay.body)
        while self._bytes > KEPT_MAX_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None and gone.is_complete:
            self._bytes -= len(gone.body)
