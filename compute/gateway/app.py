"""The ASGI application: which door a connection goes through, and what lives as long as the process."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any
from uuid import uuid4

import orjson
from django.utils import timezone

from compute import openai
from compute.errors import (
    GatewayStopping,
    GatewayTrouble,
    MethodRefused,
    ModelNotFound,
    PathUnknown,
)
from compute.gateway import admission, kept, repeats, wire
from compute.gateway.answering import Answering
from compute.gateway.attempts import Request
from compute.gateway.callers import Callers, PayerOf
from compute.gateway.catalogue import Catalogue
from compute.gateway.kept import KeptChats
from compute.gateway.leases import AskedLeases, DatabaseDesk
from compute.gateway.replays import Replay, Replays
from compute.gateway.tunnels import PING_S, Hub
from compute.gateway.wire import ConsumerGone, Message, Receive, Send
from compute.till import Till
from ledger.errors import DomainError
from ledger.idempotency import stored_key

logger = logging.getLogger(__name__)

V1 = "/v1/"
MODELS = "models"
PATHS = frozenset(openai.Path)
TUNNEL = "/tunnel/"
DRAIN_S = 20.0  # for requests under way, when the process is asked to stop


class Gateway:
    """The application, one per process; everything in it lives in the event loop that starts it."""

    def __init__(self, *, payer_of: PayerOf, till: Callable[[], Till]) -> None:
        self._make_till = till
        self._tasks: list[asyncio.Task[None]] = []
        self._under_way: set[str] = set()
        self.is_stopping = False
        self.hub = Hub()
        self.catalogue = Catalogue()
        self.callers = Callers(payer_of)
        self.replays = Replays()
        self.leases = AskedLeases(self.hub, self.catalogue, DatabaseDesk())
        self.repeats = repeats.Repeats(self.hub, repeats.DatabaseDesk())
        self.kept = KeptChats(kept.DatabaseDesk())

    async def start(self) -> None:
        """Recover what an earlier process left, then open."""
        self.open(self._make_till())
        await self.catalogue.refresh()
        await self.till.recover(now=timezone.now())
        self._tasks = [asyncio.create_task(forever) for forever in self._forever()]

    def open(self, till: Till) -> None:
        """Keep the account with this till."""
        self.till = till
        self.answering = Answering(hub=self.hub, till=till, repeats=self.repeats, kept=self.kept)

    def _forever(self) -> list[Coroutine[Any, Any, None]]:
        return [
            self.till.run(timezone.now),
            self.catalogue.run(),
            self._keep_tunnels(),
            self.leases.run(),
            self.kept.run(),
        ]

    async def stop(self) -> None:
        """Take no new requests, let those under way end, write the account, close."""
        self.is_stopping = self.leases.is_stopping = True
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while self._under_way or self.leases.under_way:
                    await asyncio.sleep(0.05)
        for task in self._tasks:
            task.cancel()
        self.leases.close()
        self.repeats.close()
        await admission.close_all(self.hub)
        await self.till.close(now=timezone.now())

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection, or the server's start and stop."""
        match scope["type"]:
            case "lifespan":
                await self._live(receive, send)
            case "websocket":
                await self._tunnel(scope, receive, send)
            case "http":
                await self._http(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _tunnel(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["path"] != TUNNEL or self.is_stopping:
            await send({"type": "websocket.close", "code": 1001})
        else:
            await admission.serve_tunnel(
                self.hub, self.catalogue, scope=scope, receive=receive, send=send
            )

    async def _keep_tunnels(self) -> None:
        while True:
            await asyncio.sleep(PING_S)
            try:
                await self.hub.ping()
                await admission.review(self.hub, self.catalogue)
            except Exception:
                # One round that fails must not end all rounds: dead tunnels would stay.
                logger.exception("gateway:round_failed")

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request of a consumer; whatever goes wrong before the answer begins is a refusal."""
        request_id = str(uuid4())
        sender = _Sender(send)
        self._under_way.add(request_id)
        try:
            await self._route(scope, receive, sender, request_id=request_id)
        except ConsumerGone:
            logger.info("gateway:consumer_gone request=%s", request_id)
        except DomainError as refusal:
            await sender.refuse(refusal, request_id=request_id)
        except Exception:
            logger.exception("gateway:failed request=%s", request_id)
            await sender.refuse(GatewayTrouble(request_id=request_id), request_id=request_id)
        finally:
            self._under_way.discard(request_id)

    async def _route(
        self, scope: Message, receive: Receive, send: "_Sender", *, request_id: str
    ) -> None:
        """Find what is called. Raises: PathUnknown, MethodRefused, and what the call refuses."""
        path = scope["path"]
        name = path.removeprefix(V1).rstrip("/") if path.startswith(V1) else ""
        if name == MODELS or name.startswith(MODELS + "/"):
            _allow(scope, "GET")
            await self._models(name.removeprefix(MODELS).lstrip("/"), send)
        elif name in PATHS:
            _allow(scope, "POST")
            await self._ask(openai.Path(name), scope, receive, send, request_id=request_id)
        elif path == "/health":
            _allow(scope, "GET")
            await wire.answer(send, orjson.dumps({"tunnels": len(self.hub.tunnels)}))
        else:
            raise PathUnknown(path=path[:200])

    async def _models(self, name: str, send: Send) -> None:
        """List the models, or one. Prices are public, so no key is asked for. Raises: ModelNotFound."""
        if not name:
            await wire.answer(send, openai.models_page(self.catalogue.models))
            return
        terms = self.catalogue.terms(name)
        if terms is None:
            raise ModelNotFound(model=name[:80])
        await wire.answer(send, orjson.dumps(openai.model_entry(terms)))

    async def _ask(
        self,
        path: openai.Path,
        scope: Message,
        receive: Receive,
        send: "_Sender",
        *,
        request_id: str,
    ) -> None:
        """Serve one request of a consumer: who, what, then the answer."""
        if self.is_stopping:
            raise GatewayStopping(retry_after_s=2)
        payer = await self.callers.identify(
            wire.header(scope, b"authorization"), address=wire.address(scope)
        )
        raw = await wire.read_body(receive, limit=openai.BODY_MAX_BYTES)
        ask = openai.read_ask(path, raw, terms_of=self.catalogue.terms)
        self.leases.manners.note(ask.body)
        request = Request(id=request_id, ask=ask, payer=payer, began_at=timezone.now())
        key = wire.header(scope, b"idempotency-key")
        stored = stored_key(path.value, caller=payer.key_id, key=key) if key else ""
        self.callers.enter(payer)
        try:
            if stored:
                work = self._replayed(request, raw, key=stored, send=send)
            else:
                work = self.answering.serve(request, send, replay=None)
            await _watched(request, work, receive)
        finally:
            self.callers.leave(payer)

    async def _replayed(self, request: Request, raw: bytes, *, key: str, send: "_Sender") -> None:
        """Serve a request under a key: the first to ask is answered, everybody after gets the same bytes."""
        while True:
            replay, is_first = self.replays.begin(key, raw)
            if is_first:
                try:
                    await self.answering.serve(request, send, replay=replay)
                finally:
                    self.replays.end(key, replay)
                return
            await replay.is_ended.wait()
            if replay.is_complete:
                await _repeat(replay, send)
                return


class _Sender:
    """Sends, and knows whether the head of the answer is out."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        self.has_begun = True
        await self._send(message)

    async def refuse(self, refusal: DomainError, *, request_id: str) -> None:
        """Answer with a refusal; in an answer that has begun, with an error event and the end."""
        if not self.has_begun:
            await wire.refuse(self, refusal, headers=[(b"x-request-id", request_id.encode())])
        else:
            await wire.piece(self, b"data: " + openai.problem(refusal) + b"\n\n", is_last=True)


async def _watched(request: Request, work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Do the work while watching whether the consumer is still there."""

    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        request.abandon()

    watch = asyncio.create_task(until_gone())
    try:
        await work
    finally:
        watch.cancel()


async def _repeat(replay: Replay, send: Send) -> None:
    headers = [*replay.headers, (b"idempotent-replayed", b"true")]
    if wire.EVENT_STREAM not in headers:
        await wire.answer(send, bytes(replay.body), headers=headers)
        return
    await wire.start(send, status=200, headers=headers)
    await wire.piece(send, bytes(replay.body), is_last=True)


def _allow(scope: Message, method: str) -> None:
    if scope["method"] != method:
        raise MethodRefused(path=scope["path"][:200], allowed=method)
