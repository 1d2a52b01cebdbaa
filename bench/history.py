"""A history of random entries by many connections, replayed through a model: what differs has to be nothing.

HISTORY_OPERATIONS says how many (100 000 unless told).
"""

import os
import time
from collections.abc import Iterator

from bench import _world  # sets Django up
from bench._ledger_history import SHOWN, differences, played
from bench.figures import Figure

OPERATIONS = int(os.environ.get("HISTORY_OPERATIONS", "100000"))
CONNECTIONS = 16


def measure() -> Iterator[Figure]:
    """Play, replay, and say what differs."""
    with _world.opened():
        started = time.perf_counter()
        calls = played(operations=OPERATIONS, connections=CONNECTIONS, seed=time.time_ns() % 2**32)
        took_s = time.perf_counter() - started
        faults = differences(calls)
    for fault in faults[:SHOWN]:
        print(fault)
    refused = sum(bool(call.error) for call in calls)
    yield Figure("random operations by 16 connections", len(calls) / took_s, "operations/s")
    yield Figure("of them refused", refused / len(calls), "of all")
    yield Figure("of them replays", sum(call.is_replay for call in calls) / len(calls), "of all")
    yield Figure("differences from the model", len(faults), "differences", target=0)
