"""The last conversations of this process, in memory: what a consumer may let validators read when an answer was bad.

Nothing of them is written anywhere until a report asks for one with its consumer's consent (compute.operations.reports).
What is forgotten, by age, for want of room or with the process, is gone; the report then goes with its words alone.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from django.utils import timezone

from compute import openai, operations, queries
from compute.gateway.attempts import ANSWER_MAX_CHARACTERS, Answer, Request
from compute.gateway.threads import in_thread
from compute.reporting import CHAT_MAX_BYTES, Chat
from neurons.workloads import texts

logger = logging.getLogger(__name__)

KEPT_S = (
    1_800.0  # who reads an answer and finds it bad does so within half an hour, or writes it down
)
KEPT_MAX_BYTES = 64 * 2**20
LOOK_S = 2.0
ASKED_MAX = 50  # reports looked for in one round


class Desk(Protocol):
    """Where reports wait for conversations."""

    async def awaited(self, limit: int) -> Collection[UUID]:
        """Return the requests whose conversation some gateway is to hand over."""

    async def hand_over(self, chat: Chat) -> None:
        """Lay one before the validators."""


class DatabaseDesk:
    """The desk over this project's database."""

    async def awaited(self, limit: int) -> Collection[UUID]:
        return await in_thread(lambda: queries.awaited_chats(limit=limit))

    async def hand_over(self, chat: Chat) -> None:
        await in_thread(lambda: operations.hand_over_chat(chat=chat, now=timezone.now()))


@dataclass(frozen=True, slots=True)
class Kept:
    """One conversation, and until when it is remembered."""

    chat: Chat
    size_bytes: int
    until_s: float


class KeptChats:
    """The conversations of one process, oldest first."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._kept: OrderedDict[UUID, Kept] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, request: Request, answer: Answer) -> None:
        """Remember a conversation whose answer was vouched for, as long as it is not too long."""
        ask = request.ask
        if answer.end is None or ask.path is openai.Path.EMBEDDINGS:
            return
        size_bytes = ask.prompt_bytes + sum(map(len, answer.pieces))
        if size_bytes > CHAT_MAX_BYTES:
            return
        chat = Chat(
            request_id=UUID(request.id),
            call_id=UUID(answer.call.id),
            body=ask.body,
            pieces=answer.pieces,
            prompt_tokens=answer.end.prompt_tokens,
            completion_tokens=answer.end.completion_tokens,
        )
        self._kept[chat.request_id] = Kept(chat, size_bytes, time.monotonic() + KEPT_S)
        self._bytes += size_bytes
        while self._bytes > KEPT_MAX_BYTES:
            self._drop(next(iter(self._kept)))

    async def run(self) -> None:
        """Forget what is old and hand over what is asked for, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.step()
            except Exception:
                # A database that is away is back at some later round; the report waits for a minute.
                logger.exception("kept:round_failed")

    async def step(self) -> None:
        """Forget what is old, and hand over what is asked for and remembered."""
        now_s = time.monotonic()
        while self._kept and (oldest := next(iter(self._kept.values()))).until_s <= now_s:
            self._drop(oldest.chat.request_id)
        if not self._kept:
            return
        for request_id in await self._desk.awaited(ASKED_MAX):
            kept = self._kept.get(request_id)
            if kept is not None and is_storable(kept.chat.pieces):
                await self._desk.hand_over(kept.chat)

    def _drop(self, request_id: UUID) -> None:
        self._bytes -= self._kept.pop(request_id).size_bytes


def is_storable(pieces: Sequence[str]) -> bool:
    """Say whether the database can hold an answer as it was signed."""
    return all(texts.is_storable(piece, length_max=ANSWER_MAX_CHARACTERS) for piece in pieces)
