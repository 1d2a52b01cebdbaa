"""The real gateway and the real tunnel, over a real socket: both ends read docs/gateway.md alike."""

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import pytest
from aiohttp import WSMsgType, web

from compute.gateway import admission
from neurons import protocol
from neurons import tunnel as tunnels
from neurons.echo import Echo
from neurons.tunnel import Plan, Tunnel
from neurons.upstream import Upstream
from tests.compute.gateway_world import House
from tests.neurons.fake_gateway import application_served, serving
from tests.neurons.fake_network import SERVER
from tests.neurons.test_neurons import Said
from tests.neurons.test_tunnel import KEYPAIR, MACHINE, client

STORY = [{"role": "user", "content": "Once upon a time there was a harbour."}]


@pytest.fixture(autouse=True)
def _admits_whoever_signs(monkeypatch):
    """Stand for the database: the signature is checked, the machine and its subnet are taken as given."""

    def entrant(headers, target, machine):
        signed = protocol.check_auth(
            headers=headers,
            method="GET",
            path=target,
            body=b"",
            receiver=SERVER.ss58_address,
            now_ns=time.time_ns(),
        )
        return admission.Entrant(signed.hotkey, UUID(int=1), UUID(machine), frozenset({3}))

    monkeypatch.setattr(admission, "_entrant", entrant)
    monkeypatch.setattr(tunnels, "REFUSED_PAUSE_S", 0.05)


def asgi(application):
    """Serve the WebSockets of an ASGI application by aiohttp."""

    async def handler(request):
        socket = web.WebSocketResponse(max_msg_size=8 * 2**20)
        await socket.prepare(request)
        first = iter([{"type": "websocket.connect"}])

        async def receive():
            for message in first:
                return message
            message = await socket.receive()
            if message.type is WSMsgType.TEXT:
                return {"type": "websocket.receive", "text": message.data}
            return {"type": "websocket.disconnect"}

        async def send(message):
            if message["type"] == "websocket.send":
                await socket.send_str(message["text"])
            elif message["type"] == "websocket.close":
                reason = message.get("reason", "").encode()
                await socket.close(code=message["code"], message=reason)

        headers = [(key.lower(), value) for key, value in request.raw_headers]
        path, _, query = request.raw_path.partition("?")
        scope = {"type": "websocket", "path": path, "query_string": query.encode()}
        await application(scope | {"headers": headers}, receive, send)
        return socket

    return handler


@asynccontextmanager
async def served(house, *, models=("gemma",), **options):
    """Run the gateway, an echo and a tunnel between them; yields the tunnel and what it said."""
    said = Said()
    async with (
        application_served(Echo(**options).application()) as upstream,
        serving("GET", "/tunnel/", asgi(house.app)) as gateway,
    ):
        tunnel = Tunnel(
            url=f"{gateway}/tunnel/?machine={MACHINE}",
            sign=client().signed_headers,
            keypair=KEYPAIR,
            plan=Plan(Upstream(f"{upstream}/v1", dict.fromkeys(models, "echo")), 4),
            say=said,
        )
        running = asyncio.create_task(tunnel.run())
        try:
            await until(lambda: tunnel.is_open or said.of("tunnel_closed"))
            yield tunnel, said
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def until(question):
    async with asyncio.timeout(60):
        while not question():
            await asyncio.sleep(0.01)


def test_a_consumer_is_answered_by_a_miner_over_its_tunnel(tmp_path):
    async def story():
        house = House(tmp_path)
        async with served(house):
            streamed = await house.ask(messages=STORY, stream=True)
            whole = await house.ask(messages=STORY)
            return streamed, whole, await house.charged()

    streamed, whole, charged = asyncio.run(story())

    assert (streamed.status, streamed.text) == (200, STORY[0]["content"])
    assert b"Once upon a time there was a harbour." in whole.body
    assert whole.status == 200
    # 8 tokens of prompt at 1 rao and 8 of answer at 2, twice.
    assert charged == [24, 24]


def test_a_consumer_that_goes_away_stops_the_miners_work(tmp_path):
    async def story():
        house = House(tmp_path)
        async with served(house, token_delay_ms=50) as (tunnel, _):
            await house.ask(messages=STORY, stream=True, leaves_after=10)
            await until(lambda: tunnel.served.cancelled_count)
            return tunnel.served

    assert asyncio.run(story()).answered_count == 0


def test_a_consumers_mistake_is_the_consumers(tmp_path):
    async def story():
        house = House(tmp_path)
        async with served(house):
            return await house.ask(path="/v1/chat/completions", messages=[{"role": "user"}])

    assert asyncio.run(story()).status in (400, 422)


def test_a_miner_of_a_model_that_nobody_offers_is_told_so(tmp_path):
    async def story():
        async with served(House(tmp_path), models=("other",)) as (_, said):
            return said.of("tunnel_closed")[0]

    closed = asyncio.run(story())

    assert (closed["code"], closed["reason"]) == (4403, "not_admitted")
    assert "other: model_unknown" in closed["detail"]
