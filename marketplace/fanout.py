"""From one Redis subscription to many event streams, within one process and one event loop."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, ParamSpec, TypeVar
from uuid import UUID

import redis.asyncio
from asgiref.sync import sync_to_async
from django.db import close_old_connections, connections
from django.utils import timezone

from marketplace import figures, live, queries
from marketplace.errors import TooManyStreams
from marketplace.queries import AuctionView

logger = logging.getLogger(__name__)

# One process was measured with a thousand streams; twice that still fits its memory.
STREAMS_MAX = 2_000
# A reader this many messages behind is served better by a fresh snapshot.
WAITING_MAX = 32
# A push that Redis lost is made good after this long.
LOOK_UP_S = 5.0
FIGURES_S = 2.0
RECONNECT_S = 1.0

Network = Literal["network"]
NETWORK: Network = "network"
Topic = UUID | Network

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. Of two about the same thing the higher version is the newer.  made_s: when this process had it."""

    version: int
    data: str
    made_s: float = field(default_factory=time.monotonic, compare=False)


class Stream:
    """What waits to be sent to one reader."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Frame | None] = asyncio.Queue(WAITING_MAX)
        self._version = -1
        self._is_ended = False

    def offer(self, frame: Frame) -> None:
        """Queue a frame that is newer than all before it; end the stream when its queue is full."""
        if self._is_ended or frame.version <= self._version:
            return
        self._version = frame.version
        if self._waiting.full():
            self.end()
        else:
            self._waiting.put_nowait(frame)

    def end(self) -> None:
        """Stop, and wake whoever waits for the next frame."""
        if self._is_ended:
            return
        self._is_ended = True
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    async def frames(self, *, silence_s: float) -> AsyncGenerator[Frame | None, None]:
        """Yield frames until the stream ends, and None after each silence of silence_s."""
        while True:
            try:
                async with asyncio.timeout(silence_s):
                    frame = await self._waiting.get()
            except TimeoutError:
                yield None
                continue
            if frame is None:
                return
            yield frame


class Fanout:
    """Hears announcements once and offers each to the streams that watch its topic."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        self._streams: dict[Topic, set[Stream]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.is_hearing = asyncio.Event()

    def start(self) -> None:
        """Begin to listen, in the running event loop."""
        self._tasks = [
            asyncio.create_task(forever(self._hear, pause_s=RECONNECT_S)),
            asyncio.create_task(forever(self._look_up, pause_s=LOOK_UP_S)),
            asyncio.create_task(forever(self._tell_figures, pause_s=FIGURES_S)),
        ]

    async def stop(self) -> None:
        """End every stream and task, and close this process's connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for streams in list(self._streams.values()):
            for stream in list(streams):
                stream.end()
        await sync_to_async(connections.close_all)()

    def watch(self, topic: Topic, *, retry_after_s: int) -> Stream:
        """Open a stream on a topic; give it back with `leave`. Raises: TooManyStreams."""
        if self.stream_count >= STREAMS_MAX:
            raise TooManyStreams(retry_after_s=retry_after_s)
        stream = Stream()
        self._streams.setdefault(topic, set()).add(stream)
        return stream

    def leave(self, topic: Topic, stream: Stream) -> None:
        """Forget a stream."""
        self._streams[topic].discard(stream)
        if not self._streams[topic]:
            del self._streams[topic]

    @property
    def stream_count(self) -> int:
        """Count the open streams."""
        return sum(len(streams) for streams in self._streams.values())

    async def prime(self, topic: Topic, stream: Stream) -> None:
        """Offer a new stream the state as it is. Raises: AuctionUnknown, NetworkNotFounded."""
        if topic == NETWORK:
            stream.offer(await read_figures())
        else:
            stream.offer(frame_of(await read(queries.auction, topic)))

    async def _hear(self) -> None:
        """Pass announcements on for as long as Redis holds the line."""
        client = redis.asyncio.Redis.from_url(self._redis_url)
        try:
            async with client.pubsub() as channel:
                await channel.subscribe(live.CHANNEL)
                async for message in channel.listen():
                    if message["type"] == "subscribe":
                        self.is_hearing.set()
                    elif message["type"] == "message":
                        self._pass_on(message["data"].decode())
        finally:
            self.is_hearing.clear()
            await client.aclose()

    def _pass_on(self, data: str) -> None:
        said = json.loads(data)
        self._offer(UUID(said["auction"]), Frame(version=said["version"], data=data))

    async def _look_up(self) -> None:
        """Offer what the database says of every watched auction: streams drop what they have."""
        watched = [topic for topic in self._streams if isinstance(topic, UUID)]
        if watched:
            for view in await read(queries.auctions_among, watched):
                self._offer(view.id, frame_of(view))

    async def _tell_figures(self) -> None:
        """Read the network's figures once for all who watch them."""
        if self._streams.get(NETWORK):
            self._offer(NETWORK, await read_figures())

    def _offer(self, topic: Topic, frame: Frame) -> None:
        for stream in self._streams.get(topic, ()):
            stream.offer(frame)


def frame_of(view: AuctionView) -> Frame:
    """Put an auction into a frame."""
    return Frame(version=view.version, data=json.dumps(live.auction_message(view)))


async def read_figures() -> Frame:
    """Read the network's figures into a frame; their version is their instant."""
    found = await read(lambda: figures.network_figures(now=timezone.now()))
    version = int(found.server_now.timestamp() * 1000)
    return Frame(version=version, data=json.dumps(found.as_message()))


async def read(query: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a query in the one thread that owns this process's database connection.

    No request begins or ends here, so the connection is looked after by hand: one that broke is replaced.
    """

    def fresh() -> T:
        close_old_connections()
        return query(*args, **kwargs)

    return await sync_to_async(fresh, thread_sensitive=True)()


async def forever(work: Callable[[], Awaitable[Any]], *, pause_s: float) -> None:
    """Repeat work with a pause in between; a fault is logged and does not end it."""
    while True:
        try:
            await work()
        except Exception:
            logger.exception("events:failed work=%s", work.__name__)
        await asyncio.sleep(pause_s)
