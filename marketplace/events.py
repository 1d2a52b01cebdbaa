"""Event streams: a small ASGI application that tells browsers what changed, as server-sent events.

A stream begins with a snapshot from the database, never sends what is not newer than what it sent, and is
ended when its reader falls behind: the browser comes back by itself and gets a snapshot. What is said is
public, so anybody may listen from anywhere and no cookie is looked at.
"""

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any
from uuid import UUID

from django.conf import settings

from ledger.errors import DomainError
from marketplace.fanout import NETWORK, Fanout, Frame, Stream, Topic

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Proxies and phones cut connections that stay silent for half a minute or more.
HEARTBEAT_S = 15.0
# A reader that takes nothing for so long is gone, or so slow that a fresh snapshot serves it better.
SEND_TIMEOUT_S = 10.0
RETRY_AFTER_S = 5  # told to those who find the house full
RECONNECT_MS = 2_000  # told to browsers, for when a stream ends

AUCTION_PATH = re.compile(r"/events/auctions/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/")
NETWORK_PATH = "/events/network/"
OPEN_TO_ALL = (b"access-control-allow-origin", b"*")
STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx would collect events otherwise
    OPEN_TO_ALL,
]


# Told of each message that a reader took: what it is about, and how long after this process had it. Whoever measures
# adds itself here (config.streaming).
listeners: list[Callable[[str, float], None]] = []


class EventStreams:
    """The application, one per process; its fan-out lives in the event loop that first calls it."""

    def __init__(self) -> None:
        self._fanout: Fanout | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection, or the server's start and stop."""
        match scope["type"]:
            case "lifespan":
                await self._live(receive, send)
            case "http":
                await self._serve(scope, receive, send)
            case "websocket":
                await send({"type": "websocket.close"})

    @property
    def fanout(self) -> Fanout:
        """Return the fan-out; the first to ask starts it."""
        if self._fanout is None:
            self._fanout = Fanout(settings.REDIS_URL)
            self._fanout.start()
        return self._fanout

    async def close(self) -> None:
        """End every stream and let go of Redis and the database."""
        if self._fanout is not None:
            await self._fanout.stop()
            self._fanout = None

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                assert self.fanout.stream_count == 0
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        topic = topic_of(scope["path"])
        if topic is None:
            await _refuse(send, status=404, code="not_found", detail="There is no such stream.")
        elif scope["method"] != "GET":
            await _refuse(send, status=405, code="method_not_allowed", detail="Streams are read.")
        else:
            try:
                await self._stream(topic, receive, send)
            except DomainError as refusal:
                await _refuse(
                    send, status=refusal.http_status, code=refusal.code, detail=str(refusal)
                )

    async def _stream(self, topic: Topic, receive: Receive, send: Send) -> None:
        """Watch a topic until the reader goes or falls behind, or the process stops.

        The stream is opened before the snapshot is read, so that no change falls between the two.
        """
        fanout = self.fanout
        stream = fanout.watch(topic, retry_after_s=RETRY_AFTER_S)
        gone = asyncio.create_task(_until_gone(receive))
        gone.add_done_callback(lambda _: stream.end())
        try:
            await fanout.prime(topic, stream)
            await _send_all(stream, send, name="network" if topic == NETWORK else "auction")
        except TimeoutError:
            logger.info("stream:dropped topic=%s reason=slow", topic)
        finally:
            gone.cancel()
            fanout.leave(topic, stream)


def topic_of(path: str) -> Topic | None:
    """Read from a path what is to be watched; None where there is nothing."""
    if path == NETWORK_PATH:
        return NETWORK
    match = AUCTION_PATH.fullmatch(path)
    return UUID(match[1]) if match else None


def sse(frame: Frame, *, name: str) -> bytes:
    """Write a frame as a server-sent event; its id comes back as Last-Event-ID, which a snapshot answers."""
    return f"event: {name}\nid: {frame.version}\ndata: {frame.data}\n\n".encode()


async def _send_all(stream: Stream, send: Send, *, name: str) -> None:
    """Send everything the stream has, and a comment where it has been silent. Raises: TimeoutError."""
    await _send(send, {"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})
    await _send(send, _piece(f"retry: {RECONNECT_MS}\n\n".encode()))
    async with aclosing(stream.frames(silence_s=HEARTBEAT_S)) as frames:
        async for frame in frames:
            if frame is None:
                await _send(send, _piece(b": still here\n\n"))
                continue
            await _send(send, _piece(sse(frame, name=name)))
            for listener in listeners:
                listener(name, time.monotonic() - frame.made_s)
    await _send(send, {"type": "http.response.body", "body": b"", "more_body": False})


def _piece(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def _send(send: Send, message: Message) -> None:
    async with asyncio.timeout(SEND_TIMEOUT_S):
        await send(message)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send, *, status: int, code: str, detail: str) -> None:
    """Answer with a problem document (RFC 9457), like the API does."""
    body = {"type": f"urn:problem:{code}", "status": status, "code": code, "detail": detail}
    headers = [(b"content-type", b"application/problem+json"), OPEN_TO_ALL]
    if status == 503:
        headers.append((b"retry-after", str(RETRY_AFTER_S).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
