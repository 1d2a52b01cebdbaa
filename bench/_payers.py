"""Payers: processes with a connection of their own that post one transfer after another for some seconds."""

import multiprocessing
import random  # noqa: TID251  which accounts pay is no secret
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from queue import Empty
from uuid import uuid4

from django.db import connections

from bench import _world  # noqa: F401  sets Django up before a model is imported
from ledger import operations as ledger
from ledger.chart import Address, Code
from ledger.entries import Entry, Move

FORK = multiprocessing.get_context(
    "fork"
)  # loading Django eight times would load the cores as well
WARMING_COUNT = 50  # the transfers in which a connection is made and its plans are
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

Pair = Callable[[random.Random], tuple[Address, Address]]
"""Choose who pays whom next."""


def spread(accounts: Sequence[Address]) -> Pair:
    """Let any two of the accounts pay each other."""

    def pair(chance: random.Random) -> tuple[Address, Address]:
        source, target = chance.sample(accounts, 2)
        return source, target

    return pair


def to_one(accounts: Sequence[Address], target: Address) -> Pair:
    """Let all of the accounts pay one."""
    return lambda chance: (chance.choice(accounts), target)


def rate(pair: Pair, *, payers: int, seconds: float) -> float:
    """Return the transfers a second of so many payers together."""
    connections.close_all()  # a child would speak on its parent's line
    gate, answers = FORK.Barrier(payers), FORK.Queue()
    processes = [
        FORK.Process(target=_pay, args=(place, pair, seconds, gate, answers), daemon=True)
        for place in range(payers)
    ]
    for process in processes:
        process.start()
    heard: list[tuple[int, float]] = []
    while len(heard) < payers:
        assert not any(process.exitcode for process in processes), "a payer died"
        with suppress(Empty):
            heard.append(answers.get(timeout=1))
    for process in processes:
        process.join()
    return sum(count / taken_s for count, taken_s in heard)


def _pay(place: int, pair: Pair, seconds: float, gate, answers) -> None:
    chance = random.Random(place)
    for _ in range(WARMING_COUNT):
        _post(*pair(chance))
    gate.wait()
    started = time.perf_counter()
    count = 0
    while time.perf_counter() - started < seconds:
        _post(*pair(chance))
        count += 1
    answers.put((count, time.perf_counter() - started))


def _post(source: Address, target: Address) -> None:
    move = Move(source, target, 1)
    ledger.post(Entry(key=f"bench:{uuid4()}", code=Code.JOB_SETTLED, at=NOW, steps=(move,)))
