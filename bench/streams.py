"""A thousand open event streams on loopback: how soon a bid's price reaches them, and what a stream costs in memory.

The real events server and its readers share the cores. Time runs from the call of `place_bid`, so it holds the bid
itself, its commit, Redis and the fan-out.
"""

import asyncio
import os
import re
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

from django.db import connection

from bench import _market, _world
from bench.figures import Figure
from launch import goals, programs, servers
from launch.children import Child, stop_all
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations
from subnets import operations as subnets

STREAMS = 1_000
TARGET_MS = 1_000  # for 95 of 100
BIDS = 10
PAUSE_S = 1.0
FIRST_RAO, STEP_RAO = 100 * TAO, 10 * TAO
AT_ONCE = 50  # streams that are opened together: the server takes a snapshot for each
PATIENCE_S = 60
FILES = STREAMS + 500  # either side holds one a stream
ID = re.compile(rb"^id: (\d+)$")

Heard = dict[int, list[float]]
"""By the version of the auction, the instants at which streams told of it."""


def measure() -> Iterator[Figure]:
    """Open all streams, bid, and time the arrivals."""
    allow_files(FILES)
    with _world.opened(), tempfile.TemporaryDirectory() as scratch:
        os.environ["DATABASE_URL"] = _market.address()
        subnets.found_network(block_ms=12_000, min_lock_rao=TAO, now=_market.now())
        seller, *bidders = _market.people(3, tao=10_000)
        auction = _market.auction(seller)
        state, port = Path(scratch), servers.free_port()
        env = _market.environment(state, port=port) | {"EVENTS_PORT": str(port + 1)}
        events = programs.web(env=env, state=state, port=port)[1]
        events.start()
        try:
            while not goals.is_answering(f"http://127.0.0.1:{port + 1}/nothing/"):
                assert events.is_alive(), events.tail()
            yield from asyncio.run(
                _watched(events, auction, [who.id for who in bidders], port=port + 1)
            )
        finally:
            stop_all([events], grace_s=4)


async def _watched(events: Child, auction: UUID, bidders: list[UUID], *, port: int) -> list[Figure]:
    heard: Heard = defaultdict(list)
    await _open(1, auction, heard, port=port)  # what the first stream starts is no stream's memory
    before_kb = resident_kb(events)
    started = time.perf_counter()
    await _open(STREAMS - 1, auction, heard, port=port)
    opened_s = time.perf_counter() - started
    after_kb = resident_kb(events)
    rounds = []
    for version in range(1, BIDS + 1):
        bid_at = await asyncio.to_thread(_bid, auction, bidders[version % 2], version)
        await _until(lambda version=version: len(heard[version]) == STREAMS)
        rounds.append(sorted(1_000 * (at - bid_at) for at in heard[version]))
        await asyncio.sleep(PAUSE_S)
    worst = max(rounds, key=lambda taken_ms: taken_ms[_place(95)])
    every = sorted(taken_ms for taken in rounds for taken_ms in taken)
    return [
        Figure(f"{STREAMS} streams opened, each with a snapshot", opened_s, "s"),
        Figure(f"a bid's price at half of {STREAMS} streams", every[len(every) // 2], "ms"),
        Figure(f"at 95 of 100, worst of {BIDS} bids", worst[_place(95)], "ms", target=TARGET_MS),
        Figure(f"at the last stream, worst of {BIDS} bids", every[-1], "ms"),
        Figure("the server's memory before", before_kb / 1_000, "MB"),
        Figure("the server's memory a stream", (after_kb - before_kb) / STREAMS, "kB"),
        Figure(
            f"load of {os.cpu_count()} cores, which server and readers share",
            os.getloadavg()[0],
            "running",
        ),
    ]


class Reader(asyncio.Protocol):
    """One stream: notes when it is told of a version."""

    def __init__(self, auction: UUID, heard: Heard) -> None:
        self._request = f"GET /events/auctions/{auction}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        self._heard = heard
        self._line = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request.encode())

    def data_received(self, data: bytes) -> None:
        """Note every version in the lines that are complete."""
        at = time.perf_counter()
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            if found := ID.match(line):
                self._heard[int(found[1])].append(at)


async def _open(count: int, auction: UUID, heard: Heard, *, port: int) -> None:
    """Open streams, some at a time, until each has its snapshot."""
    loop = asyncio.get_running_loop()
    for start in range(0, count, AT_ONCE):
        lot = min(AT_ONCE, count - start)
        wanted = len(heard[0]) + lot
        for _ in range(lot):
            await loop.create_connection(lambda: Reader(auction, heard), "127.0.0.1", port)
        await _until(lambda wanted=wanted: len(heard[0]) == wanted)


async def _until(is_done) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_done():
            await asyncio.sleep(0.005)


def _bid(auction: UUID, bidder: UUID, version: int) -> float:
    """Raise the price, and return when the bid was called. Bidders alternate, so that every bid moves it."""
    connection.ensure_connection()
    try:
        called_at = time.perf_counter()
        operations.place_bid(
            auction_id=auction,
            bidder=bidder,
            max_rao=FIRST_RAO + version * STEP_RAO,
            key=uuid4().hex,
            now=_market.now(),
        )
    finally:
        connection.close()  # of this thread
    return called_at


def _place(percent: int) -> int:
    """Return where in STREAMS sorted figures the percent-th of a hundred stands."""
    return STREAMS * percent // 100 - 1


def allow_files(count: int) -> None:
    """Let this process and its children hold so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
    assert min(count, hard) == count, f"the limit of open files is {hard}, and {count} are needed"


def resident_kb(child: Child) -> int:
    """Return what a child and all it started hold in memory."""
    assert child.process is not None
    found = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if os.getsid(int(status.parent.name)) == child.process.pid:
                found += int(re.search(r"VmRSS:\s+(\d+)", status.read_text())[1])
        except (ProcessLookupError, FileNotFoundError, TypeError):
            continue  # it ended meanwhile, or is the kernel's
    return found
