"""A thousand idle miners, by tunnel and by REST: what they cost the servers, and what a page waits meanwhile.

The product's own gateway and web processes, with the demo's number of threads. The miners are real connections of
this process, which share the cores: a gateway's tunnels are the miner program's own, and who asks over REST waits up to
20 s for a job that never comes, or stays away as long as it is told to. "Before" is the same servers without miners.
"""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import _idlers, _market, _world
from bench._idlers import Miner, Polls, Tunnels, watched
from bench.figures import Figure
from bench.streams import allow_files, resident_kb
from launch import goals, programs, servers
from launch.children import Child, stop_all
from ledger.money import RAO_PER_TAO as TAO
from subnets import operations as subnets

MINERS = 1_000
AT_ONCE = 50  # tunnels opened together
ALONE_S = 10
WATCHED_S = 60  # three rounds of pings, and of those that wait
SETTLED_S = 20  # the first round of polls
PAGE_EVERY_S = 0.5
READY_S = 60


def measure() -> Iterator[Figure]:
    """Let all miners wait for work, first by tunnel, then over REST."""
    allow_files(2 * MINERS + 500)
    with _world.opened(), tempfile.TemporaryDirectory() as scratch:
        subnets.found_network(block_ms=12_000, min_lock_rao=TAO, now=_market.now())
        crowd = _idlers.idle_miners(MINERS)
        with _running(Path(scratch)) as (web, gateway, port):
            yield from _taken(_by_tunnel(gateway, crowd, port=port))
            yield from _taken(_by_rest(web, crowd, port=port))
    name = f"load of {os.cpu_count()} cores, which servers and miners share"
    yield Figure(name, os.getloadavg()[0], "running")


def _taken(figures: AsyncIterator[Figure]) -> list[Figure]:
    async def every() -> list[Figure]:
        return [figure async for figure in figures]

    return asyncio.run(every())


@contextmanager
def _running(state: Path) -> Iterator[tuple[Child, Child, int]]:
    """Run web and a gateway; the gateway's port is two above web's."""
    port = servers.free_port()
    web, _, gateway = programs.web(
        env=_market.environment(state, port=port), state=state, port=port
    )
    doors = [(web, f"http://127.0.0.1:{port}/"), (gateway, f"http://127.0.0.1:{port + 2}/health")]
    try:
        for child, page in doors:
            child.start()
            until_s = time.monotonic() + READY_S
            while not goals.is_answering(page):
                assert child.is_alive(), child.tail()
                assert time.monotonic() < until_s, child.tail()
                time.sleep(0.1)
        yield web, gateway, port
    finally:
        stop_all([web, gateway], grace_s=4)


async def _by_tunnel(gateway: Child, crowd: list[Miner], *, port: int) -> AsyncIterator[Figure]:
    tunnels = Tunnels(port + 2, await _receiver(port))
    with watched(gateway) as alone:
        await asyncio.sleep(ALONE_S)
    await tunnels.open(crowd[:1])  # what the first tunnel starts is no tunnel's memory
    before_kb, started = resident_kb(gateway), time.perf_counter()
    for start in range(1, len(crowd), AT_ONCE):
        await tunnels.open(crowd[start : start + AT_ONCE])
    opened_s = time.perf_counter() - started
    with watched(gateway) as cost:
        await asyncio.sleep(WATCHED_S)
    after_kb = resident_kb(gateway)
    assert tunnels.open_count == len(crowd), tunnels.told[:3]
    await tunnels.close()
    yield Figure(f"{MINERS} tunnels opened, each signed", opened_s, "s")
    yield Figure("the gateway's memory before", before_kb / 1_000, "MB")
    yield Figure("  an idle tunnel", (after_kb - before_kb) / MINERS, "kB")
    yield Figure("the gateway's processor before", alone.a_minute, "s/min")
    yield Figure(f"  with {MINERS} idle tunnels", cost.a_minute, "s/min")


async def _by_rest(web: Child, crowd: list[Miner], *, port: int) -> AsyncIterator[Figure]:
    receiver, polls = await _receiver(port), Polls()
    with watched(web) as alone:
        alone_ms = await _pages_ms(port, ALONE_S)
    before_kb = resident_kb(web)
    asking = [
        asyncio.create_task(_idlers.poll(miner, port=port, receiver=receiver, polls=polls))
        for miner in crowd
    ]
    first_ms = await _pages_ms(port, SETTLED_S)
    polls.clear()
    with watched(web) as cost:
        pages_ms = await _pages_ms(port, WATCHED_S)
    after_kb = resident_kb(web)
    ended = [task.exception() for task in asking if task.done()]
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    assert not ended, f"{len(ended)} miners gave up, the first by {ended[0]!r}"
    yield Figure(f"polls of {MINERS} miners", polls.count / cost.watched_s, "/s")
    yield Figure("  of them told to come back", 100 * polls.sent_away / polls.count, "%")
    yield Figure("  of them refused, too late to be believed", 100 * polls.late / polls.count, "%")
    yield Figure("web's memory before", before_kb / 1_000, "MB")
    yield Figure("  an idle miner", (after_kb - before_kb) / MINERS, "kB")
    yield Figure("web's processor before, two pages a second", alone.a_minute, "s/min")
    yield Figure(f"  with {MINERS} miners polling", cost.a_minute, "s/min")
    yield Figure("a page before, p50", _at(alone_ms, 50), "ms")
    yield Figure("  p95", _at(alone_ms, 95), "ms")
    yield Figure(f"a page with {MINERS} miners polling, p50", _at(pages_ms, 50), "ms")
    yield Figure("  p95", _at(pages_ms, 95), "ms")
    yield Figure("  the slowest while all came", first_ms[-1], "ms")


async def _pages_ms(port: int, seconds: float) -> list[float]:
    """Time a page again and again; return the times in order of size."""
    ends_s, taken_ms = time.monotonic() + seconds, []
    while time.monotonic() < ends_s:
        taken_ms.append(await _idlers.page_ms(port))
        await asyncio.sleep(PAGE_EVERY_S)
    return sorted(taken_ms)


async def _receiver(port: int) -> str:
    """Ask the network whom requests are signed for."""
    found: str = json.loads(await _idlers.fetched(port, "/api/v1/network/"))["receiver"]
    return found


def _at(ordered: list[float], percent: int) -> float:
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]
