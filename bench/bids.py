"""Bids accepted per second on one hot auction, beside pgbench that updates the same row and inserts one.

Everybody wants one row, so a bid costs what the lock is held for; those of one process who wait for it are placed
together. pgbench does the least that can be done under it: one UPDATE of the auction's row and one INSERT into a table
with a bid's columns, indexes and checks. A bid beside it also decides, moves the money that is set aside, and can be
repeated under its key without counting twice. pgbench runs before and after each crowd, on the same server, and the
figure stands beside the mean of the two.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench import _bidders, _market, _world
from bench._bidders import Crowd, Rate
from bench.figures import Figure
from launch import goals, postgres, programs, servers
from launch.children import stop_all
from ledger import invariants
from ledger.money import RAO_PER_TAO as TAO
from marketplace import bidding
from marketplace.models import User
from subnets import operations as subnets

CALLED_TARGET, SENT_TARGET = 0.3, 0.1
CLIENTS = 8
PGBENCH_S = 2
GROWTH = (1, 8, 64)
BIDS = {1: 200, 8: 400, 64: 150}
# A statement gets its plan at its second use on a connection, and everything else gets warm meanwhile.
WARMING = {1: 20, 8: 120, 64: 192}
# By how many steps one accepted bid moves the highest maximum, with room to spare: a lone bidder raises by five and a
# half on average, and in a crowd most bids stay below the leader's. Every bidder must have the last price, and more
# would need more TAO than there can be.
STEPS_A_BID = {1: 7, 8: 4, 64: 4}
# People over HTTP share the cores with the server they ask: two processes are what they need.
SENDERS = 2
# A person may bid sixty times a minute. The limit is counted as always, and lies where it stops nobody.
RATE_LIMITS = "bid=1000000/60"

HOT = """BEGIN;
UPDATE marketplace_auction SET version = version + 1 WHERE id = '{auction}';
INSERT INTO bench_bid (id, auction_id, bidder, key, sequence, max_rao, price_rao, leader, closes_at, placed_at,
                       place)
VALUES (gen_random_uuid(), '{auction}', '{bidder}', gen_random_uuid()::text, nextval('bench_sequence'), 10, 10,
        '{bidder}', now(), now(), 1);
COMMIT;
"""


def measure() -> Iterator[Figure]:
    """Let pgbench, then threads and processes that call, then programs over HTTP fight for one row each time."""
    with _world.opened(), tempfile.TemporaryDirectory() as scratch:
        os.environ["DATABASE_URL"] = _market.address()
        subnets.found_network(block_ms=12_000, min_lock_rao=TAO, now=_market.now())
        seller = _market.people(1, tao=100_000)[0]
        calm = _market.auction(seller)
        _pgbench(calm, seconds=1)
        yield from _grown("place_bid called", seller, calm, _called_in_one, target=CALLED_TARGET)
        yield from _apart(seller, calm)
        yield from _over_http(Path(scratch), seller, calm)
        faults = invariants.check_all_books()
        assert not faults, faults


def _called_in_one(crowd: Crowd) -> Rate:
    """Let all call in one process, as the threads of a web process do: those who wait for the row are placed together."""
    return _bidders.called(crowd, processes=1)


def _apart(seller: User, calm: UUID) -> Iterator[Figure]:
    """Let as many call in a process each, where nobody can bid for another and each waits for the row by itself."""
    before = _pgbench(calm, seconds=PGBENCH_S)
    rate = _bidders.called(_crowd(seller, CLIENTS), processes=CLIENTS)
    yield Figure(
        name=f"the same, {CLIENTS} processes: {rate.accepted_count} taken, {rate.refused_count} refused",
        value=rate.per_s,
        unit="bids/s",
        peer=(before + _pgbench(calm, seconds=PGBENCH_S)) / 2,
        peer_name=f"pgbench, the same row, {CLIENTS} clients",
    )


def _over_http(state: Path, seller: User, calm: UUID) -> Iterator[Figure]:
    port = servers.free_port()
    env = _market.environment(state, port=port, RATE_LIMITS=RATE_LIMITS)
    settings.STATIC_ROOT = env["STATIC_ROOT"]
    web = programs.web(env=env, state=state, port=port)[0]
    web.start()

    def sent(crowd: Crowd) -> Rate:
        keys = {who: _market.key_of(who) for who in crowd.bidders}
        return _bidders.sent(crowd, keys=keys, port=port, processes=SENDERS)

    try:
        while not goals.is_answering(f"http://127.0.0.1:{port}/accounts/login/"):
            assert web.is_alive(), web.tail()
        yield from _grown("bids over HTTP", seller, calm, sent, target=SENT_TARGET)
        yield Figure(
            name="statements of a bid over HTTP", value=_statements(seller), unit="statements"
        )
    finally:
        stop_all([web], grace_s=4)


def _grown(
    said: str,
    seller: User,
    calm: UUID,
    bid: Callable[[Crowd], Rate],
    *,
    target: float,
) -> Iterator[Figure]:
    """Report crowds of 1 and more; a target is set for as many at once as pgbench has clients.

    calm: the auction that pgbench writes to; every slot costs twice the last one, so there is one for all.
    """
    rates: dict[int, Rate] = {}
    for count in GROWTH:
        before = _pgbench(calm, seconds=PGBENCH_S)
        rate = rates[count] = bid(_crowd(seller, count))
        peer = (before + _pgbench(calm, seconds=PGBENCH_S)) / 2
        name = f"{said}, {count} at once"
        yield Figure(
            name=f"{name}: {rate.accepted_count} taken, {rate.refused_count} refused",
            value=rate.per_s,
            unit="bids/s",
            peer=peer,
            peer_name=f"pgbench, the same row, {CLIENTS} clients",
            target=target if count == CLIENTS else None,
            at_most=False,
        )
        yield Figure(name=f"{name}, p50", value=rate.p50_ms, unit="ms")
        yield Figure(name=f"{name}, p99", value=rate.p99_ms, unit="ms")
        yield Figure(
            name=f"load of {os.cpu_count()} cores, which bidders and servers share",
            value=os.getloadavg()[0],
            unit="running",
        )
    most, least = max(GROWTH), min(GROWTH)
    yield Figure(
        name=f"{said}, {most} at once beside {least}",
        value=rates[most].per_s,
        unit="bids/s",
        peer=rates[least].per_s,
        peer_name=f"{least} at once",
    )


def _crowd(seller: User, count: int) -> Crowd:
    """Open an auction and one to warm up in, and give everybody what both can cost."""
    lasts_rao = sum(_last_rao(bids[count] * STEPS_A_BID[count]) for bids in (BIDS, WARMING))
    return Crowd(
        auction=_market.auction(seller),
        warming=_market.auction(seller),
        bidders=[user.id for user in _market.people(count, tao=lasts_rao // TAO)],
        bid_count=BIDS[count],
        warming_count=WARMING[count],
        start_rao=TAO,
    )


def _last_rao(step_count: int) -> int:
    """Return the price so many steps above the first."""
    price_rao = TAO
    for _ in range(step_count):
        price_rao += bidding.increment(price_rao, bidding.TAO_INCREMENTS)
    return price_rao


def _statements(seller: User) -> int:
    """Count what one bid sends to PostgreSQL, from its key to its answer."""
    auction, bidder = _market.auction(seller), _market.people(1, tao=10)[0]
    headers = {"Authorization": f"Bearer {_market.key_of(bidder.id)}"}
    for place in range(2):  # the first notes that the key was used
        with CaptureQueriesContext(connection) as captured:
            answer = Client(SERVER_NAME="127.0.0.1").post(
                f"/api/v1/auctions/{auction}/bids/",
                {"max_rao": str((place + 1) * TAO)},
                content_type="application/json",
                headers=headers | {"Idempotency-Key": uuid4().hex},
            )
            assert answer.status_code == 201, answer.content
    return len(captured)


def _pgbench(auction: UUID, *, seconds: int) -> float:
    """Return pgbench's transactions per second on an auction's row, which is put back afterwards."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_bid")
        cursor.execute("CREATE TABLE bench_bid (LIKE marketplace_bid INCLUDING ALL)")
        cursor.execute("CREATE SEQUENCE IF NOT EXISTS bench_sequence")
    script = HOT.format(auction=auction, bidder=auction)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        run = subprocess.run(
            [*_pgbench_words(), "-T", str(seconds), "-f", file.name, _market.address()],
            env=_pgbench_env(),
            capture_output=True,
            text=True,
            check=True,
        )
    with connection.cursor() as cursor:
        cursor.execute("UPDATE marketplace_auction SET version = 0 WHERE id = %s", [auction])
    found = re.search(r"tps = ([\d.]+)", run.stdout)
    assert found, run.stdout
    return float(found[1])


def _pgbench_words() -> list[str]:
    program = postgres.unpack(servers.CACHE, who=postgres.guise()) / "bin" / "pgbench"
    assert program.exists(), "the embedded PostgreSQL comes without pgbench"
    return [str(program), "-n", "-c", str(CLIENTS), "-j", "2"]


def _pgbench_env() -> dict[str, str]:
    home = postgres.unpack(servers.CACHE, who=postgres.guise())
    return {"LD_LIBRARY_PATH": str(home / "lib"), "LANG": "C.UTF-8"}
