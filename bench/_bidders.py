"""Bidders of a hot auction: threads that call `place_bid`, and threads that bid over HTTP as programs do.

A bidder hears what is asked in the answer to their last bid, be it taken or refused, and states a maximum some steps
above it; whoever leads raises what they stated, since nobody waits to be outbid. So what they heard is as old as the bids
of all others that came between, and many are refused, as in the last minute of a real auction. A maximum of several
steps is what people state who are asked for "the most you would pay": some lead with it, some are outbid in the same
breath by the leader's, and with one step each nearly everybody would come too late. Bidders who draw tickets from one
counter, as this benchmark once had them, know of each other what no bidder knows.

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

import numpy as np
from django.db import connections

from bench import _world  # noqa: F401  sets Django up before a model is imported
from ledger.errors import DomainError
from marketplace import bidding, operations

# Forked, so that a bidder starts in milliseconds: a crowd that loads Django one by one loads the cores as well.
FORK = multiprocessing.get_context("fork")
# How many steps above what is asked a maximum lies, at most.
STEPS_MAX = 10


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
    start_rao: int


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


@dataclass(frozen=True, slots=True)
class Said:
    """What the house said to a bid. above_rao: whatever is stated next lies above this, or is the least that is asked."""

    is_taken: bool
    above_rao: int


Bid = Callable[[UUID, int], Said]
"""State a maximum in an auction."""


class Places:
    """How many bids are still wanted, by all processes together."""

    def __init__(self, bid_count: int) -> None:
        self._left: Synchronized[int] = FORK.Value("q", bid_count)

    def are_left(self) -> bool:
        """Say whether more bids are wanted."""
        return self._left.value > 0

    def take(self) -> None:
        """Note that a bid was accepted."""
        with self._left.get_lock():
            self._left.value -= 1


def called(crowd: Crowd, *, processes: int) -> Rate:
    """Let every bidder be a thread with a connection of its own that calls the operation, in so many processes."""
    return _together(crowd, _dealt([_caller(bidder) for bidder in crowd.bidders], processes))


def sent(crowd: Crowd, *, keys: dict[UUID, str], port: int, processes: int) -> Rate:
    """Let every bidder be a thread with an HTTP connection and an API key of its own."""
    bids = [_sender(keys[bidder], port=port) for bidder in crowd.bidders]
    return _together(crowd, _dealt(bids, processes))


def _dealt(bids: list[Bid], processes: int) -> list[list[Bid]]:
    return [lot for at in range(processes) if (lot := bids[at::processes])]


def _together(crowd: Crowd, lots: list[list[Bid]]) -> Rate:
    """Let each lot be a process and each of its bidders a thread, and begin all at once."""
    connections.close_all()  # a child would speak on its parent's line
    warming, places = Places(crowd.warming_count), Places(crowd.bid_count)
    gate, answers = FORK.Barrier(len(lots)), FORK.Queue()
    processes = [
        FORK.Process(
            target=_bid_in_threads,
            args=(crowd, lot, warming, places, gate, answers, number),
            daemon=True,
        )
        for number, lot in enumerate(lots)
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
    crowd: Crowd, lot: list[Bid], warming: Places, places: Places, gate, answers, number: int
) -> None:
    ready = Barrier(len(lot), action=gate.wait)

    def work(bid: Bid, at: int) -> None:
        chance = np.random.default_rng([number, at])
        _bid_all(crowd.warming, crowd.start_rao, warming, bid, chance)
        ready.wait()
        started_s = time.time()
        latencies_s, refused_count = _bid_all(crowd.auction, crowd.start_rao, places, bid, chance)
        answers.put(Heard(latencies_s, refused_count, started_s, time.time()))

    if len(lot) == 1:
        work(lot[0], 0)
        return
    threads = [Thread(target=work, args=(bid, at)) for at, bid in enumerate(lot)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _bid_all(
    auction: UUID, start_rao: int, places: Places, bid: Bid, chance: np.random.Generator
) -> tuple[list[float], int]:
    """Bid until there are bids enough; return how long accepted ones took, and how many were refused."""
    latencies_s, refused_count, above_rao = [], 0, start_rao
    while places.are_left():
        step_rao = bidding.increment(above_rao, bidding.TAO_INCREMENTS)
        max_rao = above_rao + int(chance.integers(1, STEPS_MAX, endpoint=True)) * step_rao
        started = time.perf_counter()
        said = bid(auction, max_rao)
        above_rao = said.above_rao
        if said.is_taken:
            latencies_s.append(time.perf_counter() - started)
            places.take()
        else:
            refused_count += 1
    return latencies_s, refused_count


def _caller(bidder: UUID) -> Bid:
    def bid(auction: UUID, max_rao: int) -> Said:
        try:
            placed = operations.place_bid(
                auction_id=auction,
                bidder=bidder,
                max_rao=max_rao,
                key=uuid4().hex,
                now=datetime.now(UTC),  # noqa: TID251  a client's clock
            )
        except DomainError as refusal:
            return _refused(refusal.fields)
        return Said(is_taken=True, above_rao=max_rao if placed.is_leading else placed.min_next_rao)

    return bid


def _sender(key: str, *, port: int) -> Bid:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def bid(auction: UUID, max_rao: int) -> Said:
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
        if answer.status == 409:
            return _refused(said)
        return Said(
            is_taken=True,
            above_rao=max_rao if said["is_leading"] else int(said["min_next_rao"]),
        )

    return bid


def _refused(said: dict[str, object]) -> Said:
    """Read what would be taken: BidTooLow names the minimum, MaximumNotRaised the leader's own maximum."""
    asked = said.get("minimum_rao", said.get("maximum_rao"))
    assert asked is not None, said
    return Said(is_taken=False, above_rao=int(str(asked)))
