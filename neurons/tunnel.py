"""The miner's end of the tunnel: one WebSocket to a gateway, requests answered over it (docs/gateway.md).

Memory is bounded: at most `slots` requests run, a frame has at most FRAME_MAX_BYTES, a text is passed on before the
next is read, and a gateway that does not read holds the upstream back through TCP.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from yarl import URL

from neurons import protocol
from neurons.client import pause_s
from neurons.keys import Keypair
from neurons.running import Say
from neurons.upstream import Counted, Upstream, UpstreamFailed

FRAME_MAX_BYTES = 8 * 2**20
SILENCE_S = 60.0  # The gateway pings every 20 s.
CONNECT_S = 10.0
STEADY_S = 60.0  # A tunnel that held so long begins its pauses anew.
REFUSED_PAUSE_S = (
    30.0  # What the operator or the network has to change is not asked for twice a second.
)
DRAIN_S = 10.0
SLOTS_MAX = 256
DEADLINE_MAX_S = 3_600.0
REASON_MAX = 123  # What a closing frame holds.
ENDS = frozenset({aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED})
UNREADABLE, STOPPING = 4400, 1001
REFUSALS = {
    4401: "signature_refused",
    4403: "not_admitted",
    4409: "opened_elsewhere",
    4429: "gateway_full",
    401: "signature_refused",
    403: "not_admitted",
}


class FrameUnreadable(Exception):
    """The gateway sent what this version of the tunnel does not know."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is served through a tunnel, and how many requests at once."""

    upstream: Upstream
    slots: int


@dataclass(slots=True)
class Served:
    """What a tunnel did, for the operator."""

    answered_count: int = 0
    failed_count: int = 0
    cancelled_count: int = 0
    completion_tokens: int = 0


class Tunnel:
    """A connection to one gateway that is opened again whenever it ends."""

    def __init__(
        self,
        *,
        url: str,
        sign: Callable[[str, str], dict[str, str]],
        keypair: Keypair,
        plan: Plan,
        say: Say,
    ) -> None:
        """url: of the WebSocket, with its query. sign: makes the headers of (method, path)."""
        self.url = url
        self.plan = plan
        self.served = Served()
        self.is_open = False
        self._sign = sign
        self._keypair = keypair
        self._say = say
        self._running: dict[str, asyncio.Task[None]] = {}
        self._is_stopping = False
        self._told = ""

    async def run(self) -> None:
        """Hold the tunnel open until this task is cancelled."""
        failures = 0
        async with self.plan.upstream.session() as upstream, _gateway_session() as gateway:
            while not self._is_stopping:
                opened_s, self._told = time.monotonic(), ""
                code = await self._once(gateway, upstream)
                if code == STOPPING or time.monotonic() - opened_s > STEADY_S:
                    failures = 0
                refusal = REFUSALS.get(code)
                reason = refusal or "lost"
                self._say(
                    "tunnel_closed",
                    gateway=self.url,
                    code=code,
                    reason=reason,
                    detail=self._told,
                )
                floor_s = REFUSED_PAUSE_S if refusal else 0.0
                await asyncio.sleep(floor_s + pause_s(failures))
                failures += 1

    async def _once(self, gateway: aiohttp.ClientSession, upstream: aiohttp.ClientSession) -> int:
        """Open the tunnel and serve until it ends; answer the code it was closed with, 0 for none."""
        try:
            async with asyncio.timeout(CONNECT_S):
                path = URL(self.url).raw_path_qs
                socket = await gateway.ws_connect(
                    self.url, headers=self._sign("GET", path), max_msg_size=FRAME_MAX_BYTES
                )
        except aiohttp.WSServerHandshakeError as error:
            return error.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0
        try:
            await self._serve(socket, upstream)
        except FrameUnreadable as error:
            self._say("frame_unreadable", gateway=self.url, detail=str(error))
            await socket.close(code=UNREADABLE)
        except (aiohttp.ClientError, OSError, TimeoutError, ConnectionError):
            await socket.close()
        finally:
            self.is_open = False
            await self._cancel_all()
            if not socket.closed:
                await socket.close(code=STOPPING)
        return socket.close_code or 0

    async def _serve(
        self, socket: aiohttp.ClientWebSocketResponse, upstream: aiohttp.ClientSession
    ) -> None:
        """Answer frames until the gateway closes. Raises: FrameUnreadable, TimeoutError after SILENCE_S."""
        names = sorted(self.plan.upstream.models)
        await _send(socket, {"type": "hello", "models": names, "slots": self.plan.slots})
        while True:
            message = await socket.receive(timeout=SILENCE_S)
            if message.type in ENDS:
                self._told = str(message.extra or "")[:REASON_MAX]
                return
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise FrameUnreadable(f"a message of type {message.type.name}")
            frame = _frame(message.data)
            match frame["type"]:
                case "request":
                    await self._take(socket, upstream, frame)
                case "cancel":
                    self._cancel(frame.get("id"))
                case "ping":
                    await _send(socket, {"type": "pong"})
                case "welcome":
                    self.is_open = True
                    refused = frame.get("refused") or {}
                    models = frame.get("models")
                    self._say("tunnel_open", gateway=self.url, models=models, refused=refused)
                case unknown:
                    raise FrameUnreadable(f"a frame of type {unknown!r}")

    async def _take(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        upstream: aiohttp.ClientSession,
        frame: dict[str, Any],
    ) -> None:
        """Begin to answer a request, unless every slot is taken. Raises: FrameUnreadable."""
        request = _request(frame)
        if request.id in self._running:
            raise FrameUnreadable("two requests of one id")
        if self._is_stopping or len(self._running) >= self.plan.slots:
            refusal = UpstreamFailed(
                "busy", status=503, message="Every slot of the miner is taken."
            )
            await _send(socket, _failed(request.id, refusal))
            return
        task = asyncio.create_task(self._answer(socket, upstream, request))
        self._running[request.id] = task
        task.add_done_callback(lambda _: self._running.pop(request.id, None))

    async def _answer(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        upstream: aiohttp.ClientSession,
        request: "Request",
    ) -> None:
        """Answer one request: its chunks, then done; or failed."""
        # When the tunnel is gone there is nobody to tell.
        with suppress(aiohttp.ClientError, ConnectionError):
            await _send(socket, await self._outcome(socket, upstream, request))

    async def _outcome(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        upstream: aiohttp.ClientSession,
        request: "Request",
    ) -> dict[str, Any]:
        """Pass the answer on; return the frame that ends it, done or failed."""
        try:
            async with asyncio.timeout(request.deadline_s):
                done = await self._passed_on(socket, upstream, request)
        except UpstreamFailed as failure:
            refusal = failure
        except TimeoutError:
            refusal = UpstreamFailed("miner", status=504, message="The miner took too long.")
        except (aiohttp.ClientError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 - one bad request must not leave its consumer waiting
            detail = f"The miner failed ({type(error).__name__})."
            refusal = UpstreamFailed("miner", status=500, message=detail)
        else:
            self.served.answered_count += 1
            return done
        self.served.failed_count += 1
        self._say("request_failed", request=request.id, fault=refusal.fault, detail=refusal.message)
        return _failed(request.id, refusal)

    async def _passed_on(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        upstream: aiohttp.ClientSession,
        request: "Request",
    ) -> dict[str, Any]:
        """Send the upstream's answer piece by piece; return the frame that ends it. Raises: UpstreamFailed."""
        answer, counted = protocol.AnswerHash(), Counted()
        pieces = self.plan.upstream.answer(
            upstream, path=request.path, model=request.model, body=request.body
        )
        async with aclosing(pieces):  # A cancelled request drops the upstream's connection at once.
            async for piece in pieces:
                if isinstance(piece, Counted):
                    counted = piece
                    continue
                answer.add(piece)
                await _send(socket, {"type": "chunk", "id": request.id, "data": piece})
        digest = answer.hexdigest()
        self.served.completion_tokens += counted.completion_count
        return {
            "type": "done",
            "id": request.id,
            "prompt_tokens": counted.prompt_tokens,
            "completion_tokens": counted.completion_count,
            "digest": digest,
            "signature": self._keypair.sign(protocol.answer_message(request.id, digest)),
        }

    def _cancel(self, request_id: object) -> None:
        # A cancel and the end of an answer may cross: an unknown id is none of a fault.
        task = self._running.get(request_id) if isinstance(request_id, str) else None
        if task is not None:
            self.served.cancelled_count += 1
            task.cancel()

    async def _cancel_all(self) -> None:
        tasks = [*self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def drain(self) -> None:
        """Take nothing more and wait, for DRAIN_S at most, until what runs has ended."""
        self._is_stopping = True
        if self._running:
            await asyncio.wait([*self._running.values()], timeout=DRAIN_S)


@dataclass(frozen=True, slots=True)
class Request:
    """What the gateway asks for."""

    id: str
    path: str
    model: str
    body: dict[str, Any]
    deadline_s: float


def _request(frame: dict[str, Any]) -> Request:
    """Read a request frame. Raises: FrameUnreadable."""
    match frame:
        case {
            "id": str(request_id),
            "path": str(path),
            "model": str(model),
            "body": dict(body),
            "deadline_s": int() | float() as deadline_s,
        }:
            limit_s = min(max(float(deadline_s), 0.0), DEADLINE_MAX_S)
            return Request(id=request_id, path=path, model=model, body=body, deadline_s=limit_s)
    raise FrameUnreadable("a request without id, path, model, body or deadline_s")


def _frame(text: str) -> dict[str, Any]:
    """Read a frame. Raises: FrameUnreadable."""
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise FrameUnreadable("a frame that is no JSON") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise FrameUnreadable("a frame without a type")
    return frame


def _failed(request_id: str, failure: UpstreamFailed) -> dict[str, Any]:
    return {
        "type": "failed",
        "id": request_id,
        "fault": failure.fault,
        "status": failure.status,
        "message": failure.message,
    }


async def _send(socket: aiohttp.ClientWebSocketResponse, frame: dict[str, Any]) -> None:
    """Send a frame. Raises: UpstreamFailed when it is larger than the tunnel takes."""
    raw = orjson.dumps(frame)
    if len(raw) > FRAME_MAX_BYTES:
        raise UpstreamFailed("miner", status=502, message="The answer is too large.")
    await socket.send_frame(raw, aiohttp.WSMsgType.TEXT)


def _gateway_session() -> aiohttp.ClientSession:
    # Proxies of the environment are used: the gateway is out in the world, as the API is.
    return aiohttp.ClientSession(trust_env=True, headers={"User-Agent": "neurons/1"})
