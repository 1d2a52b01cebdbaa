"""ASGI messages: read a body, send an answer."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any

from django.conf import settings

from compute import openai
from compute.errors import RequestTooLarge
from ledger.errors import DomainError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
EVENT_STREAM = (b"content-type", b"text/event-stream; charset=utf-8")
# A proxy that collected an answer, or shared it, would be worse than none.
UNCACHED = [(b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]


class ConsumerGone(Exception):
    """Whoever asked went away before the request was read."""


def header(scope: Message, name: bytes) -> str:
    """Return a request's header, "" where there is none; names are lower case in ASGI."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""


def address(scope: Message) -> str:
    """Return where a request came from: what the proxy in front says last, where there is one (BEHIND_PROXY)."""
    said = header(scope, b"x-forwarded-for")
    if said and settings.REST_FRAMEWORK["NUM_PROXIES"]:
        return said.rsplit(",", 1)[-1].strip()
    return str((scope.get("client") or ("",))[0])


async def read_body(receive: Receive, *, limit: int) -> bytes:
    """Read a whole body. Raises: RequestTooLarge, ConsumerGone."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConsumerGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise RequestTooLarge(limit=limit)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def start(send: Send, *, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Send the head of an answer."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def piece(send: Send, body: bytes, *, is_last: bool = False) -> None:
    """Send a piece of the body."""
    await send({"type": "http.response.body", "body": body, "more_body": not is_last})


async def answer(
    send: Send, body: bytes, *, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Send a whole JSON answer."""
    sized = (b"content-length", b"%d" % len(body))
    await start(send, status=status, headers=[JSON, sized, *UNCACHED, *headers])
    await piece(send, body, is_last=True)


async def refuse(send: Send, refusal: DomainError, *, headers: Headers) -> None:
    """Send a refusal in OpenAI's form; say when to come back where that is known."""
    extra = list(headers)
    wait_s = refusal.fields.get("retry_after_s")
    if wait_s is not None:
        extra.append((b"retry-after", str(wait_s).encode()))
    if refusal.http_status == 401:
        extra.append((b"www-authenticate", b'Bearer realm="gateway"'))
    await answer(send, openai.problem(refusal), status=refusal.http_status, headers=extra)
