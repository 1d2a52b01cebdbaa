"""Bidders of a hot auction: processes that call `place_bid`, and threads that bid over HTTP as programs do.

A ticket, drawn from one counter of all bidders, is the next maximum to state. Whoever arrives late may be refused,
because two with later tickets were faster: they read in the refusal what is asked now, draw again, and state no less.
A run ends after so many accepted bids; refusals take their time and are counted apart.
"""

import http.client
import json
import multiprocessing
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.sharedctypes import Synchronized
from queue import Empty
from threading import Barrier, Thread
from uuid import UUID, uuid4

from django.db import connections

from bench import _world  # noqa: F401  sets Django up before a model is imported
from ledger.errors import DomainError
from marketplace import operations

# Forked, so that a bidder starts in milliseconds: a crowd that loads Django one by one loads the cores as well.
FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who bids where. Bids begin in an auction that nobody measures, where connections and plans are made.

    bid_count, warming_count: bids to be accepted in the auction that is measured, and in the other.
    """

    auction: UUID
    warming: UUID
    bidders: list[UUID]
    bid_count: int
    warming_count: int
    first_rao: int
    step_rao: int


@dataclass(frozen=True, slots=True)
class Heard:
    """What one lot of bidders heard: how long each accepted bid took, how many were refused, and when they bid."""

    latencies_s: list[float]
    refused_count: int
    started_s: float
    ended_s: float


@dataclass(frozen=True, slots=True)
class Rate:
    """What all bidders heard together. p50_ms, p99_ms: of the requests that were accepted."""

    accepted_count: int
    refused_count: int
    per_s: float
    p50_ms: float
    p99_ms: float


Bid = Callable[[UUID, int], int | None]
"""State a maximum in an auction. None: it is accepted; otherwise what is asked for."""


class Tickets:
    """Numbers from 0, each drawn once by whoever comes first, in any process, until so many bids are accepted."""

    def __init__(self, bid_count: int) -> None:
        self._drawn: Synchronized[int] = FORK.Value("q", 0)
        self._left: Synchronized[int] = FORK.Value("q", bid_count)

    def draw(self) -> int | None:
        """Return the next number; None when there are bids enough."""
        if self._left.value <= 0:
            return None
        with self._drawn.get_lock():
            self._drawn.value += 1
            return self._drawn.value - 1

    def spend(self) -> None:
        """Note that a bid was accepted."""
        with self._left.get_lock():
            self._left.value -= 1


def called(crowd: Crowd) -> Rate:
    """Let every bidder be a process with a connection of its own that calls the operation."""
    return _together(crowd, [[_caller(bidder)] for bidder in crowd.bidders])


def sent(crowd: Crowd, *, keys: dict[UUID, str], port: int, processes: int) -> Rate:
    """Let every bidder be a thread with an HTTP connection and an API key of its own."""
    bids = [_sender(keys[bidder], port=port) for bidder in crowd.bidders]
    return _together(crowd, [lot for at in range(processes) if (lot := bids[at::processes])])


def _together(crowd: Crowd, lots: list[list[Bid]]) -> Rate:
    """Let each lot be a process and each of its bidders a thread, and begin all at once."""
    connections.close_all()  # a child would speak on its parent's line
    warming, tickets = Tickets(crowd.warming_count), Tickets(crowd.bid_count)
    gate, answers = FORK.Barrier(len(lots)), FORK.Queue()
    processes = [
        FORK.Process(
            target=_bid_in_threads, args=(crowd, lot, warming, tickets, gate, answers), daemon=True
        )
        for lot in lots
    ]
    for process in processes:
        process.start()
    heard: list[Heard] = []
    while len(heard) < len(crowd.bidders):
        assert not any(process.exitcode for process in processes), "a bidder died"
        with suppress(Empty):
            heard.append(answers.get(timeout=1))
    for process in processes:
        process.join()
    latencies = sorted(latency for one in heard for latency in one.latencies_s)
    taken_s = max(one.ended_s for one in heard) - min(one.started_s for one in heard)
    return Rate(
        accepted_count=len(latencies),
        refused_count=sum(one.refused_count for one in heard),
        per_s=len(latencies) / taken_s,
        p50_ms=1_000 * latencies[len(latencies) // 2],
        p99_ms=1_000 * latencies[int(len(latencies) * 0.99)],
    )


def _bid_in_threads(
    crowd: Crowd, lot: list[Bid], warming: Tickets, tickets: Tickets, gate, answers
) -> None:
    ready = Barrier(len(lot), action=gate.wait)

    def work(bid: Bid) -> None:
        _bid_all(crowd, crowd.warming, warming, bid)
        ready.wait()
        started_s = time.time()
        latencies_s, refused_count = _bid_all(crowd, crowd.auction, tickets, bid)
        answers.put(Heard(latencies_s, refused_count, started_s, time.time()))

    if len(lot) == 1:
        work(lot[0])
        return
    threads = [Thread(target=work, args=(bid,)) for bid in lot]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _bid_all(crowd: Crowd, auction: UUID, tickets: Tickets, bid: Bid) -> tuple[list[float], int]:
    """Bid until all tickets are drawn; return how long accepted bids took, and how many were refused."""
    latencies_s, refused_count, asked_rao = [], 0, 0
    while (ticket := tickets.draw()) is not None:
        started = time.perf_counter()
        refused = bid(auction, max(asked_rao, crowd.first_rao + ticket * crowd.step_rao))
        if refused is None:
            latencies_s.append(time.perf_counter() - started)
            tickets.spend()
        else:
            refused_count += 1
            asked_rao = refused
    return latencies_s, refused_count


def _caller(bidder: UUID) -> Bid:
    def bid(auction: UUID, max_rao: int) -> int | None:
        try:
            operations.place_bid(
                auction_id=auction,
                bidder=bidder,
                max_rao=max_rao,
                key=uuid4().hex,
                now=datetime.now(UTC),  # noqa: TID251  a client's clock
            )
        except DomainError as refusal:
            return _asked_rao(refusal.fields)
        return None

    return bid


def _sender(key: str, *, port: int) -> Bid:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def bid(auction: UUID, max_rao: int) -> int | None:
        line.request(
            "POST",
            f"/api/v1/auctions/{auction}/bids/",
            body=json.dumps({"max_rao": str(max_rao)}),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {key}",
                "Idempotency-Key": uuid4().hex,
            },
        )
        answer = line.getresponse()
        said = json.loads(answer.read())
        assert answer.status in {200, 201, 409}, (answer.status, said)
        return _asked_rao(said) if answer.status == 409 else None

    return bid


def _asked_rao(said: dict[str, object]) -> int:
    """Read what would be taken: BidTooLow names the minimum, MaximumNotRaised the leader's own maximum."""
    asked = said.get("minimum_rao", said.get("maximum_rao"))
    assert asked is not None, said
    return int(str(asked))
