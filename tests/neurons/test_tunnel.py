"""The miner's end of the tunnel against a gateway and a model server, over real sockets."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress

import pytest
from aiohttp import web

from neurons import tunnel as tunnels
from neurons.client import Client
from neurons.keys import Keypair
from neurons.tunnel import Plan, Tunnel
from neurons.tunnels import Tunnels
from neurons.upstream import Upstream
from tests.neurons.fake_gateway import FakeGateway, FakeModel, serving
from tests.neurons.fake_network import FakeNetwork
from tests.neurons.test_neurons import Said

KEYPAIR = Keypair.from_seed("22" * 32)
MACHINE = "6f8e2f5e-9f43-4f0c-8ac8-0e0d9d6f6b51"
HELLO = [{"role": "user", "content": "Hi"}]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(tunnels, "pause_s", lambda failures: 0.01 * (failures + 1))
    monkeypatch.setattr(tunnels, "REFUSED_PAUSE_S", 0.05)


def client():
    return Client("http://market.test", KEYPAIR, transport=FakeNetwork().transport())


@asynccontextmanager
async def mined(gateway, model, *, slots=2, opened=True):
    """Run a gateway, a model server and a tunnel between them; yields the tunnel and what it said."""
    said = Said()
    async with (
        serving("POST", "/v1/{path:.*}", model.answer) as upstream_url,
        serving("GET", "/tunnel/", gateway.tunnel) as gateway_url,
    ):
        tunnel = Tunnel(
            url=f"{gateway_url}/tunnel/?machine={MACHINE}",
            sign=client().signed_headers,
            keypair=KEYPAIR,
            plan=Plan(Upstream(f"{upstream_url}/v1", {"m": "m-of-the-server"}), slots),
            say=said,
        )
        running = asyncio.create_task(tunnel.run())
        try:
            if opened:
                await asyncio.wait_for(gateway.opened.wait(), 60)
            yield tunnel, said
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


def go(story):
    """Run an async test with a fresh gateway and model server."""
    asyncio.run(story(FakeGateway(), FakeModel()))


def contents(texts):
    return [json.loads(text)["choices"][0]["delta"]["content"] for text in texts]


def test_a_miner_says_what_it_serves_and_signs_what_it_answers():
    async def story(gateway, model):
        async with mined(gateway, model):
            texts, done = await gateway.ask("r1", messages=HELLO, temperature=0)

        assert gateway.hotkeys == [KEYPAIR.ss58_address]
        assert gateway.hellos == [{"type": "hello", "models": ["m"], "slots": 2}]
        assert json.loads(texts[0])["choices"][0]["message"]["content"] == "Hello you"
        assert (done["type"], done["prompt_tokens"], done["completion_tokens"]) == ("done", 5, 2)
        path, body = model.bodies[0]
        assert path == "/v1/chat/completions"
        assert body == {"model": "m-of-the-server", "messages": HELLO, "temperature": 0}

    go(story)


def test_a_streamed_answer_comes_in_pieces_without_the_usage_nobody_asked_for():
    async def story(gateway, model):
        async with mined(gateway, model):
            texts, done = await gateway.ask("r1", messages=HELLO, stream=True)

        assert contents(texts) == ["Hello", " you"]
        assert (done["prompt_tokens"], done["completion_tokens"]) == (5, 2)
        assert model.bodies[0][1]["stream_options"] == {"include_usage": True}

    go(story)


def test_who_asks_for_the_usage_gets_it():
    async def story(gateway, model):
        async with mined(gateway, model):
            options = {"include_usage": True}
            texts, _ = await gateway.ask("r1", messages=HELLO, stream=True, stream_options=options)

        assert contents(texts[:-1]) == ["Hello", " you"]
        assert json.loads(texts[-1])["usage"]["total_tokens"] == 7

    go(story)


def test_a_server_that_counts_no_tokens_has_its_pieces_counted():
    async def story(gateway, model):
        model.raw = (
            b'data: {"choices": [{}]}\r\n\r\ndata: {"choices":\ndata: [{}]}\n\ndata: [DONE]\n\n'
        )
        async with mined(gateway, model):
            texts, done = await gateway.ask("r1", messages=HELLO, stream=True)

        assert texts == ['{"choices": [{}]}', '{"choices": [{}]}']
        assert (done["prompt_tokens"], done["completion_tokens"]) == (0, 2)

    go(story)


@pytest.mark.parametrize(
    ("status", "fault", "told"),
    [
        (400, "consumer", 400),
        (422, "consumer", 422),
        (404, "miner", 502),
        (401, "miner", 502),
        (500, "miner", 502),
        (429, "busy", 503),
        (503, "busy", 503),
    ],
)
def test_a_failure_is_put_down_to_whose_it_is(status, fault, told):
    async def story(gateway, model):
        model.status, model.error = status, {"error": {"message": "max_tokens is too large"}}
        async with mined(gateway, model):
            _, failed = await gateway.ask("r1", messages=HELLO)

        assert (failed["type"], failed["fault"], failed["status"]) == ("failed", fault, told)
        assert "max_tokens is too large" in failed["message"]

    go(story)


@pytest.mark.parametrize(
    "raw",
    [b'data: {"choices": []}\n\n', b'data: {"error": {"message": "out of memory"}}\n\n', b""],
)
def test_an_answer_that_breaks_off_is_failed_and_never_done(raw):
    async def story(gateway, model):
        model.raw = raw
        async with mined(gateway, model):
            _, failed = await gateway.ask("r1", messages=HELLO, stream=True)

        assert (failed["type"], failed["fault"]) == ("failed", "miner")

    go(story)


def test_a_model_server_that_is_down_is_the_miners_fault():
    async def story(gateway, model):
        async with mined(gateway, model) as (tunnel, _):
            tunnel.plan = Plan(Upstream("http://127.0.0.1:9/v1", {"m": "m"}), 2)
            _, failed = await gateway.ask("r1", messages=HELLO)

        assert (failed["fault"], failed["status"]) == ("miner", 502)

    go(story)


def test_a_model_or_a_path_that_is_not_served_is_never_asked_for():
    async def story(gateway, model):
        async with mined(gateway, model):
            _, other_model = await gateway.ask("r1", model="other")
            _, other_path = await gateway.ask("r2", path="../admin")

        assert [other_model["fault"], other_path["fault"]] == ["miner", "miner"]
        assert model.bodies == []

    go(story)


def test_an_answer_that_takes_too_long_is_failed():
    async def story(gateway, model):
        model.hold = asyncio.Event()
        async with mined(gateway, model):
            _, failed = await gateway.ask("r1", messages=HELLO, deadline_s=0.1)

        assert (failed["fault"], failed["status"]) == ("miner", 504)

    go(story)


def test_requests_run_side_by_side_and_one_beyond_the_slots_is_sent_elsewhere():
    async def story(gateway, model):
        model.hold = asyncio.Event()
        async with mined(gateway, model):
            held = [asyncio.create_task(gateway.ask(f"r{n}", messages=HELLO)) for n in range(2)]
            while len(model.bodies) < 2:
                await asyncio.sleep(0.01)
            _, third = await gateway.ask("r3", messages=HELLO)
            model.hold.set()
            answers = await asyncio.gather(*held)
            _, fourth = await gateway.ask("r4", messages=HELLO)

        assert (third["type"], third["fault"]) == ("failed", "busy")
        assert [frame["type"] for _, frame in answers] == ["done", "done"]
        assert fourth["type"] == "done"

    go(story)


def test_a_cancelled_request_stops_the_model_and_says_nothing_more():
    async def story(gateway, model):
        model.hold = asyncio.Event()
        async with mined(gateway, model):
            asked = asyncio.create_task(gateway.ask("r1", messages=HELLO, stream=True))
            while not gateway.frames:
                await asyncio.sleep(0.01)
            await gateway.send(type="cancel", id="r1")
            await gateway.send(type="cancel", id="never seen")
            await asyncio.wait_for(model.gone.wait(), 60)
            asked.cancel()
            model.hold = None
            _, done = await gateway.ask("r2", messages=HELLO)

        assert done["type"] == "done"
        assert [frame["type"] for frame in gateway.frames if frame["id"] == "r1"] == ["chunk"]

    go(story)


def test_a_ping_is_answered_at_once():
    async def story(gateway, model):
        async with mined(gateway, model):
            await gateway.send(type="ping", unknown="member")
            while not gateway.frames:
                await asyncio.sleep(0.01)

        assert gateway.frames == [{"type": "pong"}]

    go(story)


@pytest.mark.parametrize("frame", ["no JSON", "[]", '{"type": "dance"}', '{"type": "request"}'])
def test_a_frame_that_cannot_be_read_ends_the_tunnel_and_a_new_one_is_opened(frame):
    async def story(gateway, model):
        async with mined(gateway, model):
            await gateway.socket.send_str(frame)
            while len(gateway.hellos) < 2:
                await asyncio.sleep(0.01)

    go(story)


def test_a_gateway_that_is_silent_is_left_for_a_new_tunnel(monkeypatch):
    monkeypatch.setattr(tunnels, "SILENCE_S", 0.05)

    async def story(gateway, model):
        async with mined(gateway, model):
            while len(gateway.hellos) < 2:
                await asyncio.sleep(0.01)

    go(story)


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (4401, "signature_refused"),
        (4403, "not_admitted"),
        (4409, "opened_elsewhere"),
        (web.HTTPForbidden(), "not_admitted"),
    ],
)
def test_a_refusal_is_told_and_asked_again_later(refusal, reason):
    async def story(gateway, model):
        gateway.refusal = refusal
        async with mined(gateway, model, opened=False) as (_, said):
            while not said.of("tunnel_closed"):
                await asyncio.sleep(0.01)
            gateway.refusal = None
            await asyncio.wait_for(gateway.opened.wait(), 60)

        assert said.of("tunnel_closed")[0]["reason"] == reason

    go(story)


def test_a_gateway_that_restarts_finds_its_miner_back():
    async def story(gateway, model):
        async with mined(gateway, model):
            await gateway.socket.close(code=1001)
            gateway.opened.clear()
            await asyncio.wait_for(gateway.opened.wait(), 60)
            _, done = await gateway.ask("r1", messages=HELLO)

        assert len(gateway.hellos) == 2
        assert done["type"] == "done"

    go(story)


def test_a_thread_holds_a_tunnel_to_each_gateway_and_ends_with_the_work_under_way():
    async def story(gateway, model):
        other = FakeGateway()
        model.hold = asyncio.Event()
        async with (
            serving("POST", "/v1/{path:.*}", model.answer) as upstream_url,
            serving("GET", "/tunnel/", gateway.tunnel) as one,
            serving("GET", "/tunnel/", other.tunnel) as two,
        ):
            plan = Plan(Upstream(f"{upstream_url}/v1", {"m": "m"}), 2)
            held = Tunnels(client=client(), plan=plan, say=Said())
            held.point_at(gateways=[one], machine_id=MACHINE)
            held.point_at(gateways=[one, two], machine_id=MACHINE)
            await asyncio.wait_for(gateway.opened.wait(), 60)
            await asyncio.wait_for(other.opened.wait(), 60)
            asked = asyncio.create_task(other.ask("r1", messages=HELLO))
            while not model.bodies:
                await asyncio.sleep(0.01)
            closing = asyncio.create_task(asyncio.to_thread(held.close))
            await asyncio.sleep(0.05)
            model.hold.set()
            _, done = await asked
            await closing

        assert (len(gateway.hellos), len(other.hellos)) == (1, 1)
        assert done["type"] == "done"

    go(story)
