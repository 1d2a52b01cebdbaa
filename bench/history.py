"""A history of random entries by many connections, replayed through a model: what differs has to be nothing.

Once by threads, undisturbed; once by processes that are killed with SIGKILL, as are a worker and PostgreSQL.
HISTORY_OPERATIONS says how many operations each has (100 000 unless told).
"""

import os
import time
from collections.abc import Iterator

from bench import _ledger_killed, _world  # sets Django up
from bench._ledger_history import SHOWN, played
from bench._ledger_replay import differences
from bench.figures import Figure

OPERATIONS = int(os.environ.get("HISTORY_OPERATIONS", "100000"))
CONNECTIONS = 16
KILL_EVERY_S = 0.5
SERVER_KILLS = 5


def measure() -> Iterator[Figure]:
    """Play, replay, and say what differs."""
    yield from _undisturbed()
    yield from _killed()


def _undisturbed() -> Iterator[Figure]:
    with _world.opened():
        started = time.perf_counter()
        calls = played(operations=OPERATIONS, connections=CONNECTIONS, seed=_seed())
        took_s = time.perf_counter() - started
        faults = differences(calls)
    _show(faults)
    refused = sum(bool(call.error) for call in calls)
    yield Figure("random operations by 16 connections", len(calls) / took_s, "operations/s")
    yield Figure("of them refused", refused / len(calls), "of all")
    yield Figure("of them replays", sum(call.is_replay for call in calls) / len(calls), "of all")
    yield Figure("differences from the model", len(faults), "differences", target=0)


def _killed() -> Iterator[Figure]:
    seen = _ledger_killed.told(
        operations=OPERATIONS,
        connections=CONNECTIONS,
        seed=_seed(),
        every_s=KILL_EVERY_S,
        server_kills=SERVER_KILLS,
    )
    _show(seen.faults)
    yield Figure("random operations amid kills", seen.operations / seen.seconds, "operations/s")
    yield Figure("clients killed", seen.clients_killed, "processes")
    yield Figure("workers killed", seen.workers_killed, "processes")
    yield Figure("PostgreSQL killed", seen.servers_killed, "times")
    yield Figure("asked again", seen.resent, "operations")
    yield Figure("of them done, and not answered", seen.committed_unanswered, "operations")
    yield Figure("entries in seals that verify", seen.sealed, "entries")
    yield Figure("lost, doubled or different", len(seen.faults), "differences", target=0)


def _seed() -> int:
    return time.time_ns() % 2**32


def _show(faults: list[str]) -> None:
    for fault in faults[:SHOWN]:
        print(fault)
