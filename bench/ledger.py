"""Transfers a second through `ledger.post`, beside pgbench's TPC-B-like script, django-hordak and COPY, on one server.

- Eight processes, each with a connection, post single transfers between a thousand wallets: a key of its own, a
  decision, an entry, both balances, both counters, no account below zero.
- pgbench's built-in script moves an amount within three counters and adds a row of history: 5 statements in a
  transaction, by a client in C that decides nothing.
- django-hordak's `transfer_to` writes a transaction and two legs through the ORM; its triggers check that they sum.
- The same postings with one hot system account on the other side.
- Entries of 500 moves between the wallets, beside a COPY of the rows they wrote.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

from bench import _copies, _payers, _peers, _world
from bench.figures import Figure
from ledger import operations as ledger
from ledger.chart import FEES, ISSUANCE, TREASURY, Address, Code, wallet
from ledger.entries import Entry, Move

ACCOUNT_COUNT = 1_000
PAYERS = 8
SECONDS = 4.0
FUNDS_RAO = 10**12
BATCH = 500
BATCH_COUNT = 5  # a run of about a tenth of a second
PGBENCH_SCALE = 10  # more branches than connections, or they would wait for each other
HORDAK = ("django-hordak==2.0.0", "psycopg[binary]==3.2.*", "setuptools<81")
PGBENCH_TARGET, HORDAK_TARGET, HOT_TARGET, COPY_TARGET = 0.5, 4.0, 0.8, 0.3


def measure() -> Iterator[Figure]:
    """Measure each peer alone, one after the other."""
    with _world.opened():
        wallets = _funded()
        spread = _payers.rate(_payers.spread(wallets), payers=PAYERS, seconds=SECONDS)
        hot = _payers.rate(_payers.to_one(wallets, FEES), payers=PAYERS, seconds=SECONDS)
        batched, copied = _copies.beside(lambda: _post_batches(wallets), BATCH, BATCH_COUNT)
        pgbench, hordak = _pgbench(), _hordak()
    yield _beside("transfers", spread, pgbench, "pgbench, TPC-B-like", PGBENCH_TARGET)
    yield _beside("transfers", spread, hordak, "django-hordak", HORDAK_TARGET)
    yield _beside("transfers to one hot account", hot, spread, "spread out", HOT_TARGET)
    for said, rate in copied.items():
        target = COPY_TARGET if said == _copies.KEPT else None
        yield _beside(f"transfers in entries of {BATCH}", batched, rate, said, target)


def _beside(
    name: str, value: float, peer: float | None, peer_name: str, target: float | None
) -> Figure:
    return Figure(
        f"{name}, {PAYERS} connections" if "entries" not in name else name,
        value,
        "transfers/s",
        peer=peer,
        peer_name=peer_name,
        target=None if peer is None else target,
        at_most=False,
    )


def _funded() -> list[Address]:
    """Open the wallets and give each enough for all it will pay."""
    wallets = [wallet(uuid4()) for _ in range(ACCOUNT_COUNT)]
    issued = Move(ISSUANCE, TREASURY, FUNDS_RAO * ACCOUNT_COUNT)
    grants = (Move(TREASURY, one, FUNDS_RAO) for one in wallets)
    ledger.post(_entry(Code.GRANT_MADE, issued, *grants))
    ledger.post(_entry(Code.JOB_SETTLED, Move(wallets[0], FEES, 1)))
    with psycopg.connect(_world.address(), autocommit=True) as line:
        line.execute("VACUUM ANALYZE")
    return wallets


def _entry(code: Code, *steps: Move) -> Entry:
    return Entry(key=f"bench:{uuid4()}", code=code, at=_payers.NOW, steps=steps)


def _post_batches(wallets: list[Address]) -> None:
    for batch in range(BATCH_COUNT):
        moves = (
            Move(wallets[place], wallets[(place + batch + 1) % ACCOUNT_COUNT], 1 + place)
            for place in range(BATCH)
        )
        ledger.post(_entry(Code.JOB_SETTLED, *moves))


def _pgbench() -> float | None:
    """Run pgbench's own script; BENCH_PGBENCH names the program where it is not on the path."""
    program = os.environ.get("BENCH_PGBENCH") or shutil.which("pgbench")
    if program is None:
        print("ledger       pgbench is not installed here: no figure of it", file=sys.stderr)
        return None
    with _database("bench_pgbench") as address:
        make = [program, "-i", "-q", "-s", str(PGBENCH_SCALE), address]
        subprocess.run(make, check=True, capture_output=True)
        run = [program, "-c", str(PAYERS), "-j", "2", "-T", str(int(SECONDS)), "-n", address]
        said = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    return float(said.split("tps = ")[1].split()[0])


def _hordak() -> float | None:
    program = _peers.program_of("hordak", HORDAK, "python")
    if program is None:
        return None
    with _database("bench_hordak") as address:
        script = Path(__file__).with_name("_hordak.py")
        run = [str(program), str(script), address, str(PAYERS), str(SECONDS)]
        return float(subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True).stdout)


@contextmanager
def _database(name: str) -> Iterator[str]:
    """Make a database on the same server, dropped when it has been measured."""
    with psycopg.connect(_world.address("postgres"), autocommit=True) as line:
        line.execute(f"DROP DATABASE IF EXISTS {name}")
        line.execute(f"CREATE DATABASE {name}")
        try:
            yield _world.address(name)
        finally:
            line.execute(f"DROP DATABASE {name} WITH (FORCE)")
