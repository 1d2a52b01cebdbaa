"""A model server without a model: it says back what it was told, a word a token. For the demo, for tests, to try a set-up.

It speaks the part of OpenAI's API that a miner passes on: chat and text completions, whole and streamed, embeddings
and the list of models. The same request gets the same answer on every machine.
"""

import asyncio
import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

MODEL = "echo"
TOKENS_DEFAULT = 256
TOKENS_MAX = 8_192
DIMENSIONS = 64
BODY_MAX_BYTES = 4 * 2**20
TOKEN = re.compile(r"\s*\S+")


@dataclass(frozen=True, slots=True)
class Echo:
    """The server's answers. token_delay_ms: how long it takes for each token."""

    token_delay_ms: int = 0

    def application(self) -> web.Application:
        """Return what answers."""
        application = web.Application(client_max_size=BODY_MAX_BYTES)
        application.router.add_get("/health", self.health)
        application.router.add_get("/v1/models", self.models)
        application.router.add_post("/v1/chat/completions", self.chat)
        application.router.add_post("/v1/completions", self.completion)
        application.router.add_post("/v1/embeddings", self.embeddings)
        return application

    async def health(self, request: web.Request) -> web.Response:
        """Say that the server is up."""
        del request
        return _json({"status": "ok"})

    async def models(self, request: web.Request) -> web.Response:
        """List the one model."""
        del request
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "neurons"}
        return _json({"object": "list", "data": [model]})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Say the last message back; where the assistant began to, go on from there."""
        body = await _body(request)
        prompts = _texts(body.get("messages"))
        if not prompts:
            raise _wrong("messages must be a list of messages with text")
        if len(prompts) > 1 and body["messages"][-1].get("role") == "assistant":
            whole, begun = prompts[-2].lstrip(), prompts[-1]
            prompts = [*prompts[:-2], whole.removeprefix(begun)]
        return await self._say(request, body, prompts, is_chat=True)

    async def completion(self, request: web.Request) -> web.StreamResponse:
        """Say the prompt back."""
        body = await _body(request)
        prompt = body.get("prompt")
        if not isinstance(prompt, str) or not prompt:
            raise _wrong("prompt must be text")
        return await self._say(request, body, [prompt], is_chat=False)

    async def embeddings(self, request: web.Request) -> web.Response:
        """Turn each text into numbers that its hash gives."""
        body = await _body(request)
        given = body.get("input")
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise _wrong("input must be text or a list of texts")
        data = [
            {"object": "embedding", "index": index, "embedding": vector(text)}
            for index, text in enumerate(texts)
        ]
        count = sum(len(TOKEN.findall(text)) for text in texts)
        usage = {"prompt_tokens": count, "total_tokens": count}
        return _json({"object": "list", "data": data, "model": body.get("model"), "usage": usage})

    async def _say(
        self, request: web.Request, body: dict[str, Any], prompts: Sequence[str], *, is_chat: bool
    ) -> web.StreamResponse:
        limit = _limit(body)
        every = TOKEN.findall(prompts[-1]) or ["…"]
        answer = _Answer(
            id="chatcmpl-" + hashlib.sha256(orjson.dumps(body)).hexdigest()[:24],
            model=str(body.get("model", MODEL)),
            tokens=[every[0].lstrip(), *every[1:]][:limit],
            finish="length" if len(every) > limit else "stop",
            prompt_count=sum(len(TOKEN.findall(prompt)) for prompt in prompts),
            is_chat=is_chat,
        )
        if body.get("stream") is not True:
            await asyncio.sleep(self.token_delay_ms * len(answer.tokens) / 1000)
            return _json(answer.whole())
        return await self._stream(request, answer, body)

    async def _stream(
        self, request: web.Request, answer: "_Answer", body: dict[str, Any]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in answer.pieces():
            await response.write(b"data: " + orjson.dumps(piece) + b"\n\n")
            if self.token_delay_ms:
                await asyncio.sleep(self.token_delay_ms / 1000)
        options = body.get("stream_options")
        if isinstance(options, dict) and options.get("include_usage") is True:
            piece = answer.named(choices=[], usage=answer.usage(), is_piece=True)
            await response.write(b"data: " + orjson.dumps(piece) + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response


@dataclass(frozen=True, slots=True)
class _Answer:
    """One answer in the forms of the API."""

    id: str
    model: str
    tokens: list[str]
    finish: str
    prompt_count: int
    is_chat: bool

    def usage(self) -> dict[str, int]:
        count = len(self.tokens)
        return {
            "prompt_tokens": self.prompt_count,
            "completion_tokens": count,
            "total_tokens": self.prompt_count + count,
        }

    def named(self, *, is_piece: bool, **members: object) -> dict[str, Any]:
        kind = "chat.completion" if self.is_chat else "text_completion"
        if self.is_chat and is_piece:
            kind += ".chunk"
        return {"id": self.id, "object": kind, "created": 0, "model": self.model, **members}

    def whole(self) -> dict[str, Any]:
        text = "".join(self.tokens)
        said: dict[str, Any] = (
            {"message": {"role": "assistant", "content": text}} if self.is_chat else {"text": text}
        )
        choice = {"index": 0, **said, "finish_reason": self.finish}
        return self.named(choices=[choice], usage=self.usage(), is_piece=False)

    def pieces(self) -> list[dict[str, Any]]:
        last = len(self.tokens) - 1
        pieces = []
        for number, token in enumerate(self.tokens):
            said: dict[str, Any] = (
                {"delta": {"content": token}} if self.is_chat else {"text": token}
            )
            if self.is_chat and number == 0:
                said["delta"]["role"] = "assistant"
            finish = self.finish if number == last else None
            choice = {"index": 0, **said, "finish_reason": finish}
            pieces.append(self.named(choices=[choice], is_piece=True))
        return pieces


def vector(text: str) -> list[float]:
    """Derive a vector of length 1 from the hash of a text."""
    raw = hashlib.shake_256(text.encode()).digest(DIMENSIONS)
    numbers = [byte - 127.5 for byte in raw]
    length = math.sqrt(sum(number * number for number in numbers))
    return [round(number / length, 6) for number in numbers]


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise _wrong("the body must be JSON") from None
    if not isinstance(body, dict):
        raise _wrong("the body must be a JSON object")
    return body


def _texts(messages: object) -> list[str]:
    """Read the text of every message; a message may hold parts. Nothing when one has no text."""
    if not isinstance(messages, list):
        return []
    texts = []
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            parts = [part.get("text", "") for part in content if isinstance(part, dict)]
            content = "".join(part for part in parts if isinstance(part, str))
        if not isinstance(content, str):
            return []
        texts.append(content)
    return texts


def _limit(body: dict[str, Any]) -> int:
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or TOKENS_DEFAULT
    if type(limit) is not int or not 1 <= limit <= TOKENS_MAX:
        raise _wrong(f"max_tokens must be a whole number from 1 to {TOKENS_MAX}")
    return limit


def _json(answer: object) -> web.Response:
    return web.Response(body=orjson.dumps(answer), content_type="application/json")


def _wrong(message: str) -> web.HTTPBadRequest:
    error = {"error": {"message": message, "type": "invalid_request_error"}}
    return web.HTTPBadRequest(text=orjson.dumps(error).decode(), content_type="application/json")
