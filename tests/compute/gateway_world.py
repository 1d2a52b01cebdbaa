"""A gateway without sockets: miners whose behaviour a test writes, consumers, and an account in memory."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import orjson

from compute.gateway.app import Gateway
from compute.gateway.tunnels import Tunnel
from compute.journal import Journal
from compute.reservations import Payer
from compute.serving import Kind, ModelTerms
from compute.till import Till
from neurons import protocol
from neurons.keys import Keypair
from tests.compute.serving_world import MemoryBooks

NOW = datetime(2026, 11, 28, tzinfo=UTC)
GEMMA = ModelTerms("gemma", 3, Kind.CHAT, 4_096, 64, 1_000_000, 2_000_000, 0)  # 1 and 2 rao a token
CONSUMER = Payer(owner=UUID(int=7), key_id="0123456789abcdef")
WORDS = ["Once", " upon", " a", " time"]


def piece(word):
    return json.dumps({"choices": [{"delta": {"content": word}}]})


class Miner:
    """A machine at the other end of a tunnel, whose behaviour a test writes."""

    def __init__(self, hub, behaviour, *, slots=4, keypair=None, machine_id=None):
        self.keypair = keypair or Keypair.generated()[0]
        self.behaviour, self.asked, self.cancelled = behaviour, [], []
        self._tasks = set()
        self.tunnel = Tunnel(
            self.keypair.ss58_address,
            uuid4(),
            machine_id or uuid4(),
            self._hear,
            slots,
            frozenset({"gemma"}),
        )
        hub.enter(self.tunnel)
        self.hub = hub

    async def _hear(self, message):
        frame = orjson.loads(message["text"])
        if frame["type"] == "request":
            self.asked.append(frame)
            task = asyncio.create_task(self.behaviour(self, frame["id"]))
            self._tasks.add(task)
        if frame["type"] == "cancel":
            self.cancelled.append(frame["id"])

    def say(self, **frame):
        self.tunnel.take(orjson.dumps(frame).decode())

    async def speak(self, call_id, datas):
        for data in datas:
            self.say(type="chunk", id=call_id, data=data)
            await asyncio.sleep(0)

    def end(self, call_id, datas, *, prompt_tokens=10, completion_tokens=4, digest=None):
        digest = digest or protocol.answer_digest(datas)
        signature = self.keypair.sign(protocol.answer_message(call_id, digest))
        counted = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
        self.say(type="done", id=call_id, digest=digest, signature=signature, **counted)


async def tells_a_story(miner, call_id):
    datas = [piece(word) for word in WORDS]
    await miner.speak(call_id, datas)
    miner.end(call_id, datas)


async def answers_whole(miner, call_id):
    datas = [json.dumps({"choices": [{"message": {"content": "".join(WORDS)}}]})]
    await miner.speak(call_id, datas)
    miner.end(call_id, datas)


async def says_it_is_busy(miner, call_id):
    miner.say(type="failed", id=call_id, fault="busy", message="all slots taken")


async def fails(miner, call_id):
    miner.say(type="failed", id=call_id, fault="miner", message="out of memory")


async def is_lost_before_a_word(miner, call_id):
    miner.hub.leave(miner.tunnel)


async def is_lost_in_the_middle(miner, call_id):
    await miner.speak(call_id, [piece("Once"), piece(" upon")])
    miner.hub.leave(miner.tunnel)


async def signs_something_else(miner, call_id):
    datas = [piece(word) for word in WORDS]
    await miner.speak(call_id, datas)
    miner.end(call_id, datas, digest=protocol.answer_digest(["another story"]))


async def says_nothing(miner, call_id):
    await asyncio.sleep(3_600)


@dataclass
class Reply:
    """What a consumer got."""

    status: int = 0
    headers: dict = field(default_factory=dict)
    body: bytes = b""

    @property
    def error(self):
        return orjson.loads(self.body)["error"]

    @property
    def events(self):
        """The data of the stream's events; comments are what clients skip."""
        lines = self.body.decode().split("\n\n")
        return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]

    @property
    def text(self):
        said = [json.loads(event) for event in self.events if event != "[DONE]"]
        return "".join(event["choices"][0]["delta"]["content"] for event in said)


class House:
    """A gateway without sockets: its miners and consumers share its event loop."""

    def __init__(self, folder):
        self.books = MemoryBooks()
        self.app = Gateway(payer_of=lambda token, address: CONSUMER, till=None)
        self.app.open(Till(self.books, Journal(folder)))
        self.app.catalogue.models = {"gemma": GEMMA}
        self.hub = self.app.hub

    def miner(self, behaviour, **facts):
        return Miner(self.hub, behaviour, **facts)

    async def ask(self, *, leaves_after=None, key=None, path="/v1/chat/completions", **body):
        """Ask as a consumer does; leaves_after: go away once so many bytes came."""
        reply, is_gone = Reply(), asyncio.Event()
        asked = {"model": "gemma", "messages": [{"role": "user", "content": "Tell"}]} | body
        sent = iter([{"type": "http.request", "body": orjson.dumps(asked)}])

        async def receive():
            for message in sent:
                return message
            await is_gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                reply.headers = {k.decode(): v.decode() for k, v in message["headers"]}
                return
            reply.body += message["body"]
            if leaves_after is not None and len(reply.body) >= leaves_after:
                is_gone.set()
            await asyncio.sleep(0)

        headers = [(b"authorization", b"Bearer snm_live_x")]
        headers += [(b"idempotency-key", key.encode())] if key else []
        scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
        await self.app(scope | {"client": ("192.0.2.7", 5)}, receive, send)
        return reply

    @property
    def records(self):
        """What the books have of each request."""
        return list(self.books.usages.values())

    async def charged(self):
        """Bring everything to the books; return what each request came to."""
        await self.app.till.tick(now=NOW)
        return [record.price_rao for record in self.records]
