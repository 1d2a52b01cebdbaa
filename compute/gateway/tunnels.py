"""The miners' connections and the calls under way on each. One event loop owns all of it, so nothing is locked."""

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import orjson

from compute import routing
from compute.errors import ModelBusy, NoMiner
from compute.gateway.wire import Send
from neurons import keys, protocol

logger = logging.getLogger(__name__)

PING_S = 20.0
SILENCE_S = 60.0
FRAME_MAX_CHARACTERS = 8 * 2**20
PENDING_MAX_CHARACTERS = (
    4 * 2**20
)  # of an answer that its reader does not fetch; then it is dropped
SLOTS_MAX = 256
TUNNELS_MAX = 2_000  # a thousand idle miners are the target
MODELS_MAX = 64  # of one tunnel
WAITING_MAX = 256  # requests that wait for a place at one model
WAIT_S = 5.0  # for a place; a caller that waits longer is better told to come back
BUSY_RETRY_S = 2
NO_MINER_RETRY_S = 10

Fault = Literal["miner", "busy", "consumer"]


@dataclass(frozen=True, slots=True)
class Done:
    """The signed end of an answer, as the miner claims it."""

    prompt_tokens: int
    completion_tokens: int
    digest: str
    signature: str


@dataclass(frozen=True, slots=True)
class Failed:
    """No answer, or none that goes on."""

    fault: Fault
    message: str
    status: int = 502


@dataclass(frozen=True, slots=True)
class Gone:
    """The consumer went away."""


Event = str | Done | Failed | Gone


class FrameInvalid(Exception):
    """A miner's frame cannot be read; the tunnel is closed."""


class Call:
    """One request on one tunnel: a mailbox of what comes back."""

    __slots__ = (
        *("_digest", "_events", "_pending", "_wake"),
        *("characters", "gone", "id", "is_over", "piece_count"),
    )

    def __init__(self, call_id: str) -> None:
        self.id = call_id
        self.is_over = False
        self.gone = False  # the consumer left, or does not fetch what it asked for
        self.characters = 0  # of the whole answer: no token is shorter than one
        self.piece_count = 0
        self._events: deque[Event] = deque()
        self._pending = 0
        self._wake = asyncio.Event()
        self._digest = protocol.AnswerHash()

    def put(self, event: Event) -> None:
        """Add what came, and wake the reader. What comes after the end is dropped."""
        if self.is_over:
            return
        if isinstance(event, str):
            self.characters += len(event)
            self.piece_count += 1
            self._pending += len(event)
            self._digest.add(event)
            if self._pending > PENDING_MAX_CHARACTERS:
                event = Gone()
        if not isinstance(event, str):
            self.is_over = True
            self.gone = isinstance(event, Gone)
        self._events.append(event)
        self._wake.set()

    async def next(self, *, within_s: float) -> Event:
        """Return the next event. Raises: TimeoutError."""
        if not self._events:
            self._wake.clear()
            async with asyncio.timeout(within_s):
                await self._wake.wait()
        event = self._events.popleft()
        if isinstance(event, str):
            self._pending -= len(event)
        return event

    def waiting(self) -> list[str]:
        """Return the texts that came already, so that they leave in one piece."""
        texts = []
        while self._events and isinstance(self._events[0], str):
            text = self._events.popleft()
            assert isinstance(text, str), "looked at above"
            self._pending -= len(text)
            texts.append(text)
        return texts

    def digest(self) -> str:
        """Return the SHA-256 over every text that came, each followed by a line feed."""
        return self._digest.hexdigest()


@dataclass(slots=True, eq=False)
class Tunnel:
    """One machine's connection."""

    hotkey: str
    owner: UUID
    machine_id: UUID
    send: Send
    slots: int = 1
    models: frozenset[str] = frozenset()
    standing: routing.Standing = field(default_factory=routing.Standing)
    calls: dict[str, Call] = field(default_factory=dict)
    heard_s: float = field(default_factory=time.monotonic)

    @property
    def busy(self) -> int:
        """Return how many requests are under way."""
        return len(self.calls)

    async def frame(self, **members: object) -> None:
        """Send one frame."""
        await self.send({"type": "websocket.send", "text": orjson.dumps(members).decode()})

    def take(self, text: str) -> None:
        """Take one frame of the miner's. Raises: FrameInvalid."""
        self.heard_s = time.monotonic()
        message = parsed(text)
        kind = message.get("type")
        if kind == "pong":
            return
        read = READ.get(str(kind))
        if read is None:
            raise FrameInvalid(f"unknown type {str(kind)[:40]!r}")
        event = read(message)
        call = self.calls.get(str(message.get("id")))
        if call is not None:  # what was cancelled meanwhile is nobody's
            call.put(event)

    def vouches(self, call: Call, end: Done) -> bool:
        """Say whether the hotkey signed just what came."""
        return end.digest == call.digest() and keys.verify(
            self.hotkey, protocol.answer_message(call.id, end.digest), end.signature
        )

    def drop(self) -> None:
        """End every call: the connection is gone."""
        for call in self.calls.values():
            call.put(Failed("miner", "the miner's connection was lost"))


class Hub:
    """Every tunnel of this process, by machine, and who waits for a place."""

    def __init__(self) -> None:
        self.tunnels: dict[UUID, Tunnel] = {}
        self._by_model: dict[str, list[Tunnel]] = {}
        self._places: dict[str, asyncio.Condition] = {}
        self._waiting: dict[str, int] = {}

    def enter(self, tunnel: Tunnel) -> None:
        """Let a tunnel have requests."""
        self.tunnels[tunnel.machine_id] = tunnel
        self._index()

    def leave(self, tunnel: Tunnel) -> None:
        """Let a tunnel go; what it had under way moves on or breaks off."""
        if self.tunnels.get(tunnel.machine_id) is tunnel:
            del self.tunnels[tunnel.machine_id]
            self._index()
        tunnel.drop()

    def _index(self) -> None:
        self._by_model = {}
        for tunnel in self.tunnels.values():
            for model in tunnel.models:
                self._by_model.setdefault(model, []).append(tunnel)

    def lanes(self, model: str) -> list[Tunnel]:
        """Return the tunnels that serve a model."""
        return self._by_model.get(model, [])

    async def place(self, model: str, *, tried: Collection[str], payer: UUID) -> Tunnel:
        """Return a tunnel with a free place, waiting a little for one. Raises: NoMiner, ModelBusy."""
        found = self._choose(model, tried=tried, payer=payer)
        if found is not None:
            return found
        if not routing.is_served(self.lanes(model), tried=tried, payer=payer):
            raise NoMiner(model=model, retry_after_s=NO_MINER_RETRY_S)
        if self._waiting.get(model, 0) >= WAITING_MAX:
            raise ModelBusy(model=model, retry_after_s=BUSY_RETRY_S)
        return await self._awaited(model, tried=tried, payer=payer)

    async def _awaited(self, model: str, *, tried: Collection[str], payer: UUID) -> Tunnel:
        place = self._places.setdefault(model, asyncio.Condition())
        self._waiting[model] = self._waiting.get(model, 0) + 1
        try:
            async with asyncio.timeout(WAIT_S), place:
                while True:
                    await place.wait()
                    found = self._choose(model, tried=tried, payer=payer)
                    if found is not None:
                        return found
        except TimeoutError:
            raise ModelBusy(model=model, retry_after_s=BUSY_RETRY_S) from None
        finally:
            self._waiting[model] -= 1

    def _choose(self, model: str, *, tried: Collection[str], payer: UUID) -> Tunnel | None:
        return routing.choose(
            self.lanes(model),
            tried=tried,
            payer=payer,
            now_s=time.monotonic(),
            draw=secrets.randbelow,
        )

    async def free(self, model: str) -> None:
        """Tell who waits that a place is free: two of them, as one may have tried that miner already."""
        if self._waiting.get(model):
            place = self._places[model]
            async with place:
                place.notify(2)

    async def ping(self) -> None:
        """Ask every tunnel whether it lives, and end those that were silent for too long."""
        for tunnel in list(self.tunnels.values()):
            if time.monotonic() - tunnel.heard_s > SILENCE_S:
                logger.info("tunnel:silent machine=%s hotkey=%s", tunnel.machine_id, tunnel.hotkey)
                self.leave(tunnel)
                await close(tunnel.send, 4408, "silent")
            else:
                await tell(tunnel, type="ping")


async def tell(tunnel: Tunnel, **members: object) -> None:
    """Send a frame to a tunnel that may be gone."""
    try:
        await tunnel.frame(**members)
    except Exception as fault:  # noqa: BLE001  each server raises its own when the other side is gone
        logger.info("tunnel:unreachable machine=%s error=%s", tunnel.machine_id, fault)


async def close(send: Send, code: int, reason: str) -> None:
    """Close a WebSocket that may be closed already."""
    try:
        await send({"type": "websocket.close", "code": code, "reason": reason})
    except Exception as fault:  # noqa: BLE001  as above
        logger.debug("tunnel:closed before error=%s", fault)


def parsed(text: str) -> dict[str, Any]:
    """Read a frame. Raises: FrameInvalid."""
    if len(text) > FRAME_MAX_CHARACTERS:
        raise FrameInvalid("a frame is too large")
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise FrameInvalid("a frame is no JSON") from None
    if not isinstance(message, dict):
        raise FrameInvalid("a frame is no JSON object")
    return message


def hello(text: str) -> tuple[list[str], int]:
    """Read a miner's first frame: the models it serves, and its places. Raises: FrameInvalid."""
    message = parsed(text)
    models, slots = message.get("models"), message.get("slots")
    if message.get("type") != "hello":
        raise FrameInvalid("the first frame is hello")
    if not isinstance(models, list) or not 1 <= len(models) <= MODELS_MAX:
        raise FrameInvalid(f"hello names 1 to {MODELS_MAX} models")
    if not all(isinstance(name, str) for name in models):
        raise FrameInvalid("a model's name is text")
    if type(slots) is not int or not 1 <= slots <= SLOTS_MAX:
        raise FrameInvalid(f"slots is a number from 1 to {SLOTS_MAX}")
    return models, slots


def chunk(message: dict[str, Any]) -> str:
    """Read a piece of an answer. Raises: FrameInvalid."""
    data = message.get("data")
    # A line feed would end the event and begin one of the miner's own making.
    if not isinstance(data, str) or "\n" in data or "\r" in data:
        raise FrameInvalid("a chunk's data is one line of text")
    return data


def done(message: dict[str, Any]) -> Done:
    """Read the end of an answer. Raises: FrameInvalid."""
    counts = [message.get("prompt_tokens"), message.get("completion_tokens")]
    texts = [message.get("digest"), message.get("signature")]
    if not all(type(count) is int and 0 <= count < 2**31 for count in counts):
        raise FrameInvalid("tokens are whole numbers")
    if not all(isinstance(text, str) and len(text) <= 130 for text in texts):
        raise FrameInvalid("done carries a digest and a signature")
    return Done(*counts, *texts)  # type: ignore[arg-type]  # looked at above


def failed(message: dict[str, Any]) -> Failed:
    """Read a miner's apology. Raises: FrameInvalid."""
    fault, status = message.get("fault"), message.get("status", 502)
    if fault not in ("miner", "busy", "consumer"):
        raise FrameInvalid("fault is miner, busy or consumer")
    if type(status) is not int:
        raise FrameInvalid("status is a number")
    return Failed(fault, str(message.get("message", ""))[:500], status)


READ: Mapping[str, Callable[[dict[str, Any]], Event]] = {
    "chunk": chunk,
    "done": done,
    "failed": failed,
}
