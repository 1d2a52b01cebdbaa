"""Chats at temperature 0, asked of another owner's miner once more, by a coin that falls when the answer is signed.

It is to real requests what a replica is to a job (compute.replication): the same coin, the same quorum, the same
measure of texts. The consumer has the last byte before anything of it begins; only places that are to spare are used;
nobody is charged, and nobody paid. What was asked and said stays in this process and is forgotten at the end: written
down are digests, tokens, and who stood with the others (compute.models.Repeat).
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID, uuid4

from django.conf import settings
from django.utils import timezone

from compute import manners, openai, operations, queries, replication, routing
from compute.blueprints import language as blueprint
from compute.gateway.attempts import Answer, Attempts, Request
from compute.gateway.threads import in_thread
from compute.gateway.tunnels import Call, Done, Hub, Tunnel
from compute.operations.repeats import Repeated
from neurons.workloads import language

logger = logging.getLogger(__name__)

UNDER_WAY_MAX = 8  # of one process; beyond, coins are not even thrown
ANSWER_S = 120.0
RECORDS_MAX = 10_000  # hotkeys whose record is remembered; then all are read anew


@dataclass(frozen=True, slots=True)
class Said:
    """One miner's answer to a chat. end: what it signed."""

    hotkey: str
    end: Done


Voice = replication.Answer[Said, dict[str, Any]]


class Desk(Protocol):
    """Where records of miners come from, and what was found goes."""

    async def right_count(self, hotkey: str) -> int:
        """Return how many comparisons in a row found it right."""

    async def record(self, found: Sequence[Repeated], *, netuid: int, model: str) -> None:
        """Write down what came of one chat."""


class DatabaseDesk:
    """The desk over this project's database."""

    async def right_count(self, hotkey: str) -> int:
        return await in_thread(lambda: queries.right_chats_count(hotkey))

    async def record(self, found: Sequence[Repeated], *, netuid: int, model: str) -> None:
        await in_thread(
            lambda: operations.record_repeat(found, netuid=netuid, model=model, now=timezone.now())
        )


class Repeats:
    """The chats of one process that are asked once more."""

    def __init__(
        self, hub: Hub, desk: Desk, *, drawn_ppm: Callable[[UUID], int] | None = None
    ) -> None:
        self._hub = hub
        self._desk = desk
        self._attempts = Attempts(hub)
        self._drawn_ppm = drawn_ppm or _drawn_ppm
        self._right: dict[str, int] = {}
        self.under_way: set[asyncio.Task[None]] = set()

    def consider(self, request: Request, answer: Answer, pieces: Sequence[str]) -> None:
        """Begin to repeat a chat whose answer was delivered and vouched for, if its coin says so. Waits for nothing."""
        has_room = len(self.under_way) < UNDER_WAY_MAX and settings.REPEAT_CHATS
        if not has_room or answer.end is None or not is_repeatable(request.ask):
            return
        hotkey, drawn_ppm = answer.tunnel.hotkey, self._drawn_ppm(UUID(request.id))
        if drawn_ppm >= replication.replica_ppm(self._right.get(hotkey, 0)):
            return
        said = Said(hotkey, answer.end)
        task = asyncio.create_task(
            self._repeated(request, said, answer.tunnel, pieces, drawn_ppm=drawn_ppm)
        )
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    def close(self) -> None:
        """Forget what is under way."""
        for task in self.under_way:
            task.cancel()

    async def _repeated(
        self,
        request: Request,
        said: Said,
        tunnel: Tunnel,
        pieces: Sequence[str],
        *,
        drawn_ppm: int,
    ) -> None:
        try:
            if drawn_ppm >= replication.replica_ppm(await self._right_count(said.hotkey)):
                return
            first = voice(said, tunnel, pieces)
            if first is not None:
                await self._compared(request, first, {said.hotkey: tunnel})
        except Exception:
            logger.exception("repeats:failed request=%s", request.id)

    async def _right_count(self, hotkey: str) -> int:
        """Return a miner's record: read once, and counted on from there."""
        if hotkey not in self._right:
            if len(self._right) >= RECORDS_MAX:
                self._right.clear()
            self._right[hotkey] = await self._desk.right_count(hotkey)
        return self._right[hotkey]

    async def _compared(self, request: Request, first: Voice, tunnels: dict[str, Tunnel]) -> None:
        """Ask other owners until most of them say the same, or nobody is left to be asked."""
        voices, found = [first], None
        while found is None and len(voices) < replication.ANSWERS_MAX:
            tunnel = self._spare(request, {each.owner for each in voices})
            another = None if tunnel is None else await self._asked(request.ask, tunnel)
            if tunnel is None or another is None:
                break
            voices.append(another)
            tunnels[tunnel.hotkey] = tunnel
            found = replication.agreement(
                voices, agrees=lambda one, other: blueprint.agrees({}, one, other)
            )
        if len(voices) == 1:
            return
        wrong = {said.hotkey for said in found.wrong} if found else set()
        for hotkey in wrong:
            tunnels[hotkey].standing.note_failure(time.monotonic())
        for said in found.right if found else ():
            if said.hotkey in self._right:
                self._right[said.hotkey] += 1
        self._right |= dict.fromkeys(wrong & self._right.keys(), 0)
        lines = [
            Repeated(
                request_id=UUID(request.id),
                hotkey=each.by.hotkey,
                is_first=each is first,
                is_right=each.by.hotkey not in wrong if found else None,
                prompt_tokens=each.by.end.prompt_tokens,
                completion_tokens=each.by.end.completion_tokens,
                answer_digest=each.by.end.digest,
            )
            for each in voices
        ]
        terms = request.ask.terms
        await self._desk.record(lines, netuid=terms.netuid, model=terms.name)

    def _spare(self, request: Request, owners: set[object]) -> Tunnel | None:
        """Choose a tunnel of yet another owner that has most of its places free: no consumer waits for this one."""
        lanes = [
            tunnel
            for tunnel in self._hub.lanes(request.ask.terms.name)
            if tunnel.owner not in owners and 2 * tunnel.busy < tunnel.slots
        ]
        return routing.choose(
            lanes,
            tried=(),
            payer=request.payer.owner,
            now_s=time.monotonic(),
            draw=secrets.randbelow,
        )

    async def _asked(self, ask: openai.Ask, tunnel: Tunnel) -> Voice | None:
        """Ask as any chat is asked, under an id of its own; None where nothing whole comes."""
        call = Call(str(uuid4()))
        answered = await self._attempts.whole(
            ask, tunnel, call, until_s=time.monotonic() + ANSWER_S
        )
        if answered is None:
            tunnel.standing.note_failure(time.monotonic())
            return None
        pieces, end = answered
        return voice(Said(tunnel.hotkey, end), tunnel, pieces)


def is_repeatable(ask: openai.Ask) -> bool:
    """Say whether a model says the same again: a chat at temperature 0 without tools, forms or other options."""
    return ask.path is openai.Path.CHAT and manners.manner_of(ask.body) is not None


def voice(said: Said, tunnel: Tunnel, pieces: Sequence[str]) -> Voice | None:
    """Read an answer's text; None where it has none."""
    try:
        text, _ = language.spoken(pieces)
    except ValueError:
        return None
    return replication.Answer(by=said, owner=tunnel.owner, output={"text": text})


def _drawn_ppm(request_id: UUID) -> int:
    return replication.drawn_ppm(request_id, secret=settings.SECRET_KEY.encode())
