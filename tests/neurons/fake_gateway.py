"""A gateway of one process for tests of the tunnel, and a model server beside the miner: real sockets, both.

The gateway checks signatures and digests as docs/gateway.md says; a test reads its fields and asks for answers.
"""

import asyncio
import json
import time
from contextlib import asynccontextmanager

from aiohttp import WSMsgType, web

from neurons import keys, protocol
from tests.neurons.fake_network import SERVER

USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


class FakeGateway:
    """Takes tunnels; `ask` sends a request and returns what came back."""

    def __init__(self):
        self.hotkeys, self.hellos, self.frames = [], [], []
        self.refusal = None
        self.opened = asyncio.Event()
        self.socket = None
        self.answers = {}

    async def tunnel(self, request):
        if self.refusal and not isinstance(self.refusal, int):
            raise self.refusal
        signed = protocol.check_auth(
            headers=request.headers,
            method="GET",
            path=request.raw_path,
            body=b"",
            receiver=SERVER.ss58_address,
            now_ns=time.time_ns(),
        )
        self.hotkeys.append(signed.hotkey)
        socket = web.WebSocketResponse(max_msg_size=8 * 2**20)
        await socket.prepare(request)
        if self.refusal:
            code, self.refusal = self.refusal, None
            await socket.close(code=code)
            return socket
        self.hellos.append(json.loads(await socket.receive_str()))
        self.socket = socket
        await socket.send_json({"type": "welcome", "models": self.hellos[-1]["models"]})
        self.opened.set()
        async for message in socket:
            assert message.type == WSMsgType.TEXT
            frame = json.loads(message.data)
            self.frames.append(frame)
            if "id" in frame:
                self.answers.setdefault(frame["id"], asyncio.Queue()).put_nowait(frame)
        self.opened.clear()
        return socket

    async def send(self, **frame):
        await self.socket.send_json(frame)

    async def ask(self, request_id, path="chat/completions", deadline_s=10, model="m", **body):
        """Return the texts of an answer and its last frame."""
        await self.send(
            type="request",
            id=request_id,
            path=path,
            model=model,
            body={"model": model, **body},
            deadline_s=deadline_s,
        )
        return await self.rest(request_id)

    async def rest(self, request_id):
        texts = []
        answers = self.answers.setdefault(request_id, asyncio.Queue())
        while True:
            frame = await asyncio.wait_for(answers.get(), 60)
            if frame["type"] != "chunk":
                break
            texts.append(frame["data"])
        if frame["type"] == "done":
            assert frame["digest"] == protocol.answer_digest(texts)
            message = protocol.answer_message(request_id, frame["digest"])
            assert keys.verify(self.hotkeys[-1], message, frame["signature"])
        return texts, frame


class FakeModel:
    """An OpenAI-compatible server that says `words`; tests set what it does wrong."""

    def __init__(self, words=("Hello", " you")):
        self.words = words
        self.bodies, self.status, self.error = [], 200, {}
        self.gone = asyncio.Event()
        self.hold = None
        """Set to an event: the answer waits for it after its first word."""
        self.raw = None
        """Set to bytes: they are the streamed answer."""

    async def answer(self, request):
        body = await request.json()
        self.bodies.append((request.path, body))
        if self.status != 200:
            return web.json_response(self.error, status=self.status)
        if not body.get("stream"):
            if self.hold:
                await self.hold.wait()
            choice = {"index": 0, "message": {"role": "assistant", "content": "".join(self.words)}}
            return web.json_response({"id": "x", "choices": [choice], "usage": USAGE})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            await self.stream(response, body)
        except (ConnectionError, asyncio.CancelledError):
            self.gone.set()
            raise
        return response

    async def stream(self, response, body):
        if self.raw is not None:
            await response.write(self.raw)
            return
        for word in self.words:
            piece = {
                "id": "x",
                "choices": [{"index": 0, "delta": {"content": word}}],
                "usage": None,
            }
            await response.write(f"data: {json.dumps(piece)}\n\n".encode())
            if self.hold:
                await self.hold.wait()
        if body.get("stream_options", {}).get("include_usage"):
            piece = json.dumps({"id": "x", "choices": [], "usage": USAGE})
            await response.write(f"data: {piece}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")


@asynccontextmanager
async def serving(method, path, handler):
    """Serve one handler on a loopback port; yields its base address."""
    application = web.Application(client_max_size=2**24)
    application.router.add_route(method, path, handler)
    async with application_served(application) as url:
        yield url


@asynccontextmanager
async def application_served(application):
    """Serve an application on a loopback port; yields its base address."""
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
