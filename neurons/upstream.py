"""The model server beside a neuron: any server that speaks OpenAI's API, asked for text as it gave it.

Its address and its models are the operator's. Nothing of a payload or of a consumer's request becomes part
of an address, so that nobody can make a miner call what only the miner can reach.
"""

import os
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import orjson

Fault = Literal["miner", "busy", "consumer"]

PATHS = frozenset({"chat/completions", "completions", "embeddings"})
STREAMED = frozenset({"chat/completions", "completions"})
KEY_VARIABLE = "NEURON_UPSTREAM_KEY"
CONNECT_S = 5.0
EVENT_MAX_BYTES = 4 * 2**20  # Escaped once more it still fits a frame of the tunnel, 8 MiB.
MESSAGE_MAX_BYTES = 64 * 2**10
MESSAGE_MAX = 500
BUSY_STATUSES = frozenset({408, 425, 429, 502, 503, 504})
# What these say is about the operator's set-up (key, address, name of the model), never about the request.
MINERS_STATUSES = frozenset({401, 402, 403, 404, 405})


class UpstreamFailed(Exception):
    """There is no answer. `fault` says whose that is; `status` and the message are for the consumer."""

    def __init__(self, fault: Fault, *, status: int, message: str) -> None:
        self.fault: Fault = fault
        self.status = status
        self.message = message[:MESSAGE_MAX]
        super().__init__(f"{fault} {status}: {self.message}")


@dataclass(slots=True)
class Counted:
    """How many tokens an answer took: what the upstream says, else the pieces that came."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    pieces_count: int = 0

    def take(self, usage: object) -> bool:
        """Read a `usage` member; tell whether there was one."""
        if not isinstance(usage, Mapping):
            return False
        self.prompt_tokens = _count(usage.get("prompt_tokens"))
        self.completion_tokens = _count(usage.get("completion_tokens"))
        return True

    @property
    def completion_count(self) -> int:
        """Tell the tokens of the completion; a piece a token where the upstream does not count."""
        return self.completion_tokens or self.pieces_count


def _count(value: object) -> int:
    return value if type(value) is int and value >= 0 else 0


@dataclass(frozen=True, slots=True)
class Upstream:
    """One server. models: the name on the network, and what the server calls it."""

    url: str
    models: Mapping[str, str]
    api_key: str = field(default="", repr=False)

    def session(self) -> aiohttp.ClientSession:
        """Open connections to it: kept between requests, and through no proxy."""
        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        return aiohttp.ClientSession(
            headers=headers | {"Content-Type": "application/json"},
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            auto_decompress=True,
            trust_env=False,
        )

    async def answer(
        self, session: aiohttp.ClientSession, *, path: str, model: str, body: Mapping[str, Any]
    ) -> AsyncGenerator[str | Counted]:
        """Pass a request on; yield the texts of the answer as they come, and last what was counted.

        Raises: UpstreamFailed. Closing this iterator drops the connection, which is how a server is told to stop.
        """
        if path not in PATHS or model not in self.models:
            raise UpstreamFailed("miner", status=404, message=f"{model} is not served at {path}.")
        asked = dict(body) | {"model": self.models[model]}
        is_streamed = path in STREAMED and body.get("stream") is True
        wants_usage = _wants_usage(body)
        if is_streamed:
            asked["stream_options"] = _options(body) | {"include_usage": True}
        try:
            async with session.post(f"{self.url}/{path}", data=orjson.dumps(asked)) as response:
                await _refuse_failure(response)
                pieces = _streamed(response, wants_usage) if is_streamed else _whole(response)
                async with aclosing(pieces):
                    async for piece in pieces:
                        yield piece
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            message = f"The miner's model server does not answer ({type(error).__name__})."
            raise UpstreamFailed("miner", status=502, message=message) from error


def upstream_key() -> str:
    """Read the key of the model server, which never stands in the arguments."""
    return os.environ.get(KEY_VARIABLE, "")


def _options(body: Mapping[str, Any]) -> dict[str, Any]:
    given = body.get("stream_options")
    return dict(given) if isinstance(given, Mapping) else {}


def _wants_usage(body: Mapping[str, Any]) -> bool:
    return _options(body).get("include_usage") is True


async def _refuse_failure(response: aiohttp.ClientResponse) -> None:
    """Say whose fault an answer without success is. Raises: UpstreamFailed."""
    status = response.status
    if status == 200:
        return
    message = _message(await _read(response, MESSAGE_MAX_BYTES)) or f"HTTP status {status}"
    if status in BUSY_STATUSES:
        raise UpstreamFailed("busy", status=503, message=message)
    if 400 <= status < 500 and status not in MINERS_STATUSES:
        raise UpstreamFailed("consumer", status=status, message=message)
    raise UpstreamFailed("miner", status=502, message=f"HTTP status {status}: {message}")


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read an answer of bounded size. Raises: UpstreamFailed."""
    parts: list[bytes] = []
    size_bytes = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size_bytes += len(part)
        if size_bytes > limit:
            raise UpstreamFailed("miner", status=502, message="The answer is too large.")
    return b"".join(parts)


def _message(raw: bytes) -> str:
    """Find the sentence in an error of OpenAI's form, or of another."""
    try:
        error = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return ""
    for name in ("error", "detail", "message"):
        if isinstance(error, Mapping):
            error = error.get(name, error)
    return error if isinstance(error, str) else ""


async def _whole(response: aiohttp.ClientResponse) -> AsyncGenerator[str | Counted]:
    counted = Counted()
    raw = await _read(response, EVENT_MAX_BYTES)
    try:
        answer = orjson.loads(raw)
        text = raw.decode()
    except ValueError:
        raise UpstreamFailed("miner", status=502, message="The answer is no JSON.") from None
    if isinstance(answer, Mapping):
        counted.take(answer.get("usage"))
    yield text
    yield counted


async def _streamed(
    response: aiohttp.ClientResponse,
    wants_usage: bool,  # noqa: FBT001  one caller, above
) -> AsyncGenerator[str | Counted]:
    if response.content_type != "text/event-stream":
        raise UpstreamFailed("miner", status=502, message="The model server does not stream.")
    counted, events = Counted(), Events()
    async for part in response.content.iter_any():
        for data in events.texts(part):
            if data == "[DONE]":
                yield counted
                return
            if not _is_hidden(data, counted, wants_usage=wants_usage):
                yield data
    raise UpstreamFailed("miner", status=502, message="The answer broke off.")


def _is_hidden(data: str, counted: Counted, *, wants_usage: bool) -> bool:
    """Count a piece; tell whether it is the one that only this miner asked for.

    Only what may hold a usage is read as JSON. In a text the quotes of "usage" would be escaped.
    """
    if '"usage"' in data and '"usage":null' not in data and '"usage": null' not in data:
        piece = _object(data)
        if counted.take(piece.get("usage")) and not piece.get("choices"):
            return not wants_usage
    if data.startswith('{"error"'):
        raise UpstreamFailed("miner", status=502, message=_message(data.encode()) or "It failed.")
    counted.pieces_count += 1
    return False


def _object(data: str) -> Mapping[str, Any]:
    try:
        piece = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return piece if isinstance(piece, Mapping) else {}


class Events:
    """Server-sent events, cut out of the bytes as they come."""

    def __init__(self) -> None:
        self._rest = b""

    def texts(self, part: bytes) -> Iterator[str]:
        """Yield the data of every event that is complete. Raises: UpstreamFailed for one without an end."""
        if b"\r" in part:
            # A CR at the very end may be half a line break: without it the LF that follows ends the line.
            part = part.replace(b"\r", b"")
        *events, self._rest = (self._rest + part).split(b"\n\n")
        if len(self._rest) > EVENT_MAX_BYTES:
            raise UpstreamFailed("miner", status=502, message="A piece is too large.")
        for event in events:
            # In JSON a raw line break is white space, so lines may be joined by a space.
            lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
            if lines:
                try:
                    yield b" ".join(lines).decode()
                except UnicodeDecodeError:
                    message = "A piece is no UTF-8."
                    raise UpstreamFailed("miner", status=502, message=message) from None
