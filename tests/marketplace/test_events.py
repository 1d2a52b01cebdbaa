"""Event streams: a snapshot first, then every change once, and nobody can hold the house up."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from redis.exceptions import ConnectionError as RedisDown

from ledger.money import RAO_PER_TAO as TAO
from marketplace import events, fanout, live, queries
from marketplace.events import EventStreams
from marketplace.fanout import Frame, Stream
from tests.marketplace import world

WAIT_S = 60


class Listener:
    """A browser at the other end of a stream, without a network in between."""

    def __init__(self, app, path, method="GET"):
        self.status, self.headers, self.events, self.comments = None, {}, asyncio.Queue(), 0
        self.body = b""
        self.is_over = asyncio.Event()
        self._gone = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()
        scope = {"type": "http", "method": method, "path": path, "headers": []}
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self):
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message):
        await self.reads.wait()
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
            return
        self.body += message["body"]
        for piece in message["body"].decode().split("\n\n"):
            self.comments += piece.startswith(":")
            if piece.startswith("event:"):
                self.events.put_nowait(dict(line.split(": ", 1) for line in piece.split("\n")))
        if not message.get("more_body", False):
            self.is_over.set()

    async def next(self):
        """Return the next event's name, id and data."""
        event = await asyncio.wait_for(self.events.get(), WAIT_S)
        return event["event"], int(event["id"]), json.loads(event["data"])

    async def leave(self):
        self._gone.set()
        await asyncio.wait_for(self.task, WAIT_S)


@asynccontextmanager
async def serving():
    """The application, hearing what Redis says."""
    app = EventStreams()
    try:
        async with asyncio.timeout(WAIT_S):
            await app.fanout.is_hearing.wait()
        yield app
    finally:
        await app.close()


def run(story):
    """Run a story in a loop of its own; what it starts ends with it."""
    return asyncio.run(asyncio.wait_for(story(), 240))


def path_of(on):
    return f"/events/auctions/{on.id}/"


@pytest.fixture
def on(transactional_db):
    return world.auction(start=10, reserve=50)


@pytest.fixture
def ada(transactional_db):
    return world.person(tao=100)


def test_a_stream_begins_with_a_snapshot_anybody_may_read(on):
    async def story():
        async with serving() as app:
            listener = Listener(app, path_of(on))
            name, version, said = await listener.next()
            await listener.leave()
            return listener, name, version, said

    listener, name, version, said = run(story)

    assert (listener.status, listener.headers[b"content-type"]) == (
        200,
        b"text/event-stream; charset=utf-8",
    )
    assert listener.headers[b"access-control-allow-origin"] == b"*"
    assert (name, version) == ("auction", 0)
    assert (said["auction"], said["state"], said["price_rao"]) == (str(on.id), "open", None)
    assert (said["min_next_rao"], said["leader_alias"]) == (str(10 * TAO), None)


def test_a_bid_reaches_everybody_who_watches_without_its_maximum(on, ada):
    other = world.auction()

    async def story():
        async with serving() as app:
            watching = [Listener(app, path_of(on)) for _ in range(3)]
            elsewhere = Listener(app, path_of(other))
            for listener in (*watching, elsewhere):
                await listener.next()
            await sync_to_async(world.bid)(on, ada, 40)
            heard = [await listener.next() for listener in watching]
            return heard, elsewhere.events.qsize(), [listener.body for listener in watching]

    heard, elsewhere, bodies = run(story)

    assert [(name, version) for name, version, _ in heard] == [("auction", 1)] * 3
    said = heard[0][2]
    assert (said["price_rao"], said["leader_alias"], said["bid_count"]) == (
        str(10 * TAO), "bidder 1", 1,
    )  # fmt: skip
    assert said["reserve_met"] is False
    assert elsewhere == 0
    for secret in (str(40 * TAO), str(50 * TAO), str(ada.id)):
        assert secret.encode() not in b"".join(bodies)


def test_the_end_of_an_auction_is_told(on, ada):
    world.bid(on, ada, 60)

    async def story():
        async with serving() as app:
            listener = Listener(app, path_of(on))
            await listener.next()
            await sync_to_async(world.settle)(on)
            return await listener.next()

    assert run(story)[2]["state"] == "settled"


def test_a_lost_push_is_made_good_from_the_database(on, ada, monkeypatch):
    monkeypatch.setattr(fanout, "LOOK_UP_S", 0.1)
    lost = []
    monkeypatch.setattr(live, "_publish", lost.append)

    async def story():
        async with serving() as app:
            listener = Listener(app, path_of(on))
            await listener.next()
            await sync_to_async(world.bid)(on, ada, 40)
            return await listener.next()

    assert run(story)[1] == 1
    assert [said["auction"] for said in lost] == [str(on.id)]


def test_a_bid_stands_when_nobody_can_be_told(on, ada, monkeypatch):
    class Down:
        def publish(self, *_):
            raise RedisDown

    monkeypatch.setattr(live, "_redis", lambda _: Down())

    assert world.bid(on, ada, 40).is_leading
    assert queries.auction(on.id).version == 1


def test_a_refused_bid_is_not_announced(on, ada, monkeypatch):
    told = []
    monkeypatch.setattr(live, "_publish", told.append)

    with suppress(Exception):
        world.bid(on, ada, 101)
    assert told == []
    world.bid(on, ada, 40)

    # The row in hand says what anybody reads of it afterwards.
    seen = live.auction_message(queries.auction(on.id))
    (said,) = told
    assert said | {"server_now": ""} == seen | {"server_now": ""}


def test_the_network_stream_tells_the_figures_again_and_again(on, monkeypatch):
    monkeypatch.setattr(fanout, "FIGURES_S", 0.1)

    async def story():
        async with serving() as app:
            listener = Listener(app, "/events/network/")
            return [await listener.next() for _ in range(2)]

    first, second = run(story)

    assert first[0] == second[0] == "network"
    assert second[1] > first[1]
    assert (first[2]["subnet_count"], first[2]["is_balanced"]) == (1, True)
    assert first[2]["issued_rao"] == str(1_000_000 * TAO)


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/events/auctions/nonsense/", "GET", 404),
        (f"/events/auctions/{UUID(int=7)}/", "GET", 404),
        ("/", "GET", 404),
        ("/events/network/", "POST", 405),
    ],
)
def test_what_is_no_stream_is_refused(on, path, method, status):
    async def story():
        async with serving() as app:
            listener = Listener(app, path, method)
            await asyncio.wait_for(listener.task, WAIT_S)
            return listener, app.fanout.stream_count

    listener, stream_count = run(story)

    assert (listener.status, listener.headers[b"content-type"]) == (
        status,
        b"application/problem+json",
    )
    assert stream_count == 0


def test_a_full_house_asks_to_come_back(on, monkeypatch):
    monkeypatch.setattr(fanout, "STREAMS_MAX", 1)

    async def story():
        async with serving() as app:
            first = Listener(app, path_of(on))
            await first.next()
            second = Listener(app, path_of(on))
            await asyncio.wait_for(second.task, WAIT_S)
            await first.leave()
            third = Listener(app, path_of(on))
            await third.next()
            return second, third

    second, third = run(story)

    assert (second.status, second.headers[b"retry-after"]) == (503, b"5")
    assert json.loads(second.body)["code"] == "too_many_streams"
    assert third.status == 200


def test_a_reader_that_stops_reading_is_dropped_and_holds_nobody_up(on, ada, monkeypatch):
    monkeypatch.setattr(events, "SEND_TIMEOUT_S", 0.2)

    async def story():
        async with serving() as app:
            slow, quick = Listener(app, path_of(on)), Listener(app, path_of(on))
            await slow.next()
            await quick.next()
            slow.reads.clear()
            await sync_to_async(world.bid)(on, ada, 40)
            heard = await quick.next()
            await asyncio.wait_for(slow.task, WAIT_S)
            return heard, app.fanout.stream_count

    heard, stream_count = run(story)

    assert heard[1] == 1
    assert stream_count == 1


def test_a_silent_stream_is_kept_alive(on, monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.05)

    async def story():
        async with serving() as app:
            listener = Listener(app, path_of(on))
            await listener.next()
            while listener.comments < 2:
                await asyncio.sleep(0.01)
            await listener.leave()
            return app.fanout.stream_count

    assert run(story) == 0


def test_stopping_ends_every_stream_in_order(on):
    async def story():
        async with serving() as app:
            listener = Listener(app, path_of(on))
            await listener.next()
            await app.close()
            await asyncio.wait_for(listener.task, WAIT_S)
            return listener.is_over.is_set()

    assert run(story)


def test_the_server_starts_and_stops_the_application(transactional_db):
    async def story():
        app, said = EventStreams(), []
        messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

        async def receive():
            return next(messages)

        async def send(message):
            said.append(message["type"])

        await app({"type": "lifespan"}, receive, send)
        return said

    assert run(story) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def frames(*versions):
    return [Frame(version=version, data="{}") for version in versions]


async def drained(stream):
    stream.offer(Frame(version=10**6, data="last"))
    seen = []
    async for frame in stream.frames(silence_s=1):
        if frame is None or frame.data == "last":
            return seen
        seen.append(frame.version)
    return [*seen, "ended"]


def test_a_stream_never_goes_back():
    async def story():
        stream = Stream()
        for frame in frames(3, 2, 3, 5, 4):
            stream.offer(frame)
        return await drained(stream)

    assert run(story) == [3, 5]


def test_a_stream_that_falls_behind_ends():
    async def story():
        stream = Stream()
        for frame in frames(*range(fanout.WAITING_MAX + 1)):
            stream.offer(frame)
        return await drained(stream)

    assert run(story) == ["ended"]
