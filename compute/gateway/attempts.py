"""Finding a miner who answers. Until a first piece is there, a request may go to another one."""

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from compute import openai
from compute.errors import MinersFailed, UpstreamRefused
from compute.gateway.tunnels import Call, Done, Event, Failed, Gone, Hub, Tunnel, tell
from compute.gateway.wire import ConsumerGone
from compute.reservations import Payer
from ledger.errors import DomainError

logger = logging.getLogger(__name__)

ATTEMPTS_MAX = 3
FIRST_PIECE_S = 20.0  # of a stream; a cold model loads in less
NEXT_PIECE_S = 30.0
ANSWER_MAX_CHARACTERS = 2**20  # 512 tokens in pieces of OpenAI's form are about 150 000
WHOLE_ANSWER_S = 120.0  # of an answer that comes in one piece, and of all attempts together


@dataclass(slots=True)
class Request:
    """One request of a consumer, under way."""

    id: str
    ask: openai.Ask
    payer: Payer
    began_at: datetime
    began_s: float = field(default_factory=time.monotonic)
    tried: list[str] = field(default_factory=list)
    call: Call | None = None
    is_abandoned: bool = False

    def abandon(self) -> None:
        """Note that the consumer is gone."""
        self.is_abandoned = True
        if self.call is not None:
            self.call.put(Gone())

    def next_call(self, hotkey: str) -> Call:
        """Begin an attempt. Each has an id of its own, so that a late answer to one is none to the next."""
        self.tried.append(hotkey)
        self.call = Call(attempt_id(self.id, number=len(self.tried)))
        if self.is_abandoned:
            self.call.put(Gone())
        return self.call


@dataclass(slots=True)
class Answer:
    """An answer that began: who gives it, its first piece, and its end once it came."""

    tunnel: Tunnel
    call: Call
    first: str
    first_token_ms: int
    end: Done | None = None
    pieces: list[str] = field(default_factory=list)
    """What came of it so far: it may be compared with another answer, or reported."""

    @property
    def is_vouched_for(self) -> bool:
        """Say whether it came to its end, and the hotkey signed just what came."""
        return self.end is not None and self.tunnel.vouches(self.call, self.end)


class Attempts:
    """Asks miners, one after the other."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def first(self, request: Request) -> Answer:
        """Return the first answer that begins. Whoever takes it gives its place back by `release`.

        Raises: NoMiner, ModelBusy, MinersFailed, UpstreamRefused, ConsumerGone.
        """
        until_s = request.began_s + WHOLE_ANSWER_S
        while len(request.tried) < ATTEMPTS_MAX and time.monotonic() < until_s:
            try:
                tunnel = await self._hub.place(
                    request.ask.terms.name, tried=request.tried, payer=request.payer.owner
                )
            except DomainError:
                if not request.tried:
                    raise
                break  # some were tried, and there is nobody else
            answer = await self._asked(request, tunnel)
            if answer is not None:
                return answer
        raise MinersFailed(attempts=len(request.tried))

    async def _asked(self, request: Request, tunnel: Tunnel) -> Answer | None:
        """Ask one miner; None where another may be asked. Raises: UpstreamRefused, ConsumerGone."""
        call = request.next_call(tunnel.hotkey)
        tunnel.calls[call.id] = call
        asked_s = time.monotonic()
        event: Event | None = None
        try:
            event = await self.first_event(request.ask, tunnel, call)
        finally:
            if not isinstance(event, str):
                await self.release(tunnel, call, model=request.ask.terms.name)
        match event:
            case str():
                waited_ms = (time.monotonic() - asked_s) * 1000
                tunnel.standing.note_success(waited_ms)
                return Answer(tunnel, call, event, round(waited_ms))
            case Gone():
                raise ConsumerGone
            case Failed(fault="consumer", message=message):
                raise UpstreamRefused(problem=message or "no reason was given")
        blame(request, tunnel, event or "no answer in time")
        return None

    async def first_event(self, ask: openai.Ask, tunnel: Tunnel, call: Call) -> Event | None:
        """Send a request to a miner and return what comes back first; None where nothing did in time.

        Consumers' chats and jobs alike are sent here and nowhere else.
        """
        within_s = FIRST_PIECE_S if ask.is_streamed else WHOLE_ANSWER_S
        if not call.is_over:
            await tell(
                tunnel,
                type="request",
                id=call.id,
                path=ask.path.value,
                model=ask.terms.name,
                body=ask.body,
                deadline_s=int(within_s),
            )
        try:
            return await call.next(within_s=within_s)
        except TimeoutError:
            return None

    async def whole(
        self, ask: openai.Ask, tunnel: Tunnel, call: Call, *, until_s: float
    ) -> tuple[list[str], Done] | None:
        """Ask one miner and read its answer to the end; return the signed answer, None where there is none."""
        tunnel.calls[call.id] = call
        asked_s = time.monotonic()
        pieces: list[str] = []
        try:
            async with asyncio.timeout(until_s - time.monotonic()):
                event = await self.first_event(ask, tunnel, call)
                if isinstance(event, str):
                    tunnel.standing.note_success((time.monotonic() - asked_s) * 1000)
                while isinstance(event, str) and call.characters <= ANSWER_MAX_CHARACTERS:
                    pieces.append(event)
                    event = await call.next(within_s=NEXT_PIECE_S)
        except TimeoutError:
            return None
        finally:
            await self.release(tunnel, call, model=ask.terms.name)
        is_whole = isinstance(event, Done) and tunnel.vouches(call, event)
        return (pieces, event) if is_whole and isinstance(event, Done) else None

    async def release(self, tunnel: Tunnel, call: Call, *, model: str) -> None:
        """Give a place back; stop a miner that is still at it."""
        del tunnel.calls[call.id]
        if call.gone or not call.is_over:
            call.put(Gone())
            await tell(tunnel, type="cancel", id=call.id)
        await self._hub.free(model)


def attempt_id(request_id: str, *, number: int) -> str:
    """Name an attempt, the first by the request's own id: a UUID as all, or a miner would know what was tried before."""
    if number == 1:
        return request_id
    named = hashlib.sha256(f"{request_id}.{number}".encode()).digest()
    return str(UUID(bytes=named[:16], version=4))


def blame(request: Request, tunnel: Tunnel, what: object) -> None:
    """Count a failure of a miner, and let it rest."""
    tunnel.standing.note_failure(time.monotonic())
    logger.info(
        "gateway:attempt_failed request=%s hotkey=%s attempt=%s what=%s",
        request.id,
        tunnel.hotkey,
        len(request.tried),
        what,
    )
