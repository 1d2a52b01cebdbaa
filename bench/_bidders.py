"""Bidders of a hot auction: processes that call `place_bid`, and processes that bid over HTTP as browsers do.

A ticket, drawn from one counter of all bidders, is the next maximum to state. Whoever draws late may be refused as
too low, because somebody with a later ticket was faster; refusals are counted apart and make no bid.
"""

import http.client
import json
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.sharedctypes import Synchronized
from threading import Thread
from uuid import UUID, uuid4

SPAWN = multiprocessing.get_context("spawn")
CSRF = (
    "b" * 32
)  # any word of this length is one: it proves that the sender can read its own cookies


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who bids on what, how often in all, and where tickets start and how far apart they lie."""

    auction: UUID
    bidders: list[UUID]
    bid_count: int
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
    """What all bidders heard together."""

    accepted_count: int
    refused_count: int
    per_s: float
    p50_ms: float
    p99_ms: float


Tickets = "Synchronized[int]"
Bid = Callable[[int], bool]


def called(crowd: Crowd) -> Rate:
    """Let every bidder be a process with a connection of its own that calls the operation."""
    shares = [([bidder], None) for bidder in crowd.bidders]
    return _together(_call, crowd, shares)


def sent(crowd: Crowd, *, sessions: dict[UUID, str], port: int, connection_count: int) -> Rate:
    """Let every connection bid over HTTP for some of the bidders in turn, signed in, from two processes."""
    lots = [crowd.bidders[place::connection_count] for place in range(connection_count)]
    process_count = min(2, connection_count)
    shares = [
        (lots[place::process_count], {"sessions": sessions, "port": port})
        for place in range(process_count)
    ]
    return _together(_send, crowd, shares)


def _together(work: Callable, crowd: Crowd, shares: list) -> Rate:
    tickets = SPAWN.Value("q", 0)
    gate = SPAWN.Barrier(len(shares))
    answers = SPAWN.SimpleQueue()
    processes = [
        SPAWN.Process(target=_told, args=(work, crowd, share, tickets, gate, answers))
        for share in shares
    ]
    for process in processes:
        process.start()
    heard: list[Heard] = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    latencies = sorted(latency for lot in heard for latency in lot.latencies_s)
    taken_s = max(lot.ended_s for lot in heard) - min(lot.started_s for lot in heard)
    return Rate(
        accepted_count=len(latencies),
        refused_count=sum(lot.refused_count for lot in heard),
        per_s=len(latencies) / taken_s,
        p50_ms=1_000 * latencies[len(latencies) // 2],
        p99_ms=1_000 * latencies[int(len(latencies) * 0.99)],
    )


def _told(work, crowd: Crowd, share, tickets, gate, answers) -> None:
    answers.put(work(crowd, *share, tickets, gate))


def _drawn(tickets: "Synchronized[int]") -> int:
    with tickets.get_lock():
        tickets.value += 1
        return tickets.value - 1


def _bid_all(crowd: Crowd, tickets: "Synchronized[int]", bid: Bid) -> tuple[list[float], int]:
    """Bid until all tickets are drawn; return how long accepted bids took, and how many were refused."""
    latencies, refused_count = [], 0
    while (ticket := _drawn(tickets)) < crowd.bid_count:
        started = time.perf_counter()
        if bid(crowd.first_rao + ticket * crowd.step_rao):
            latencies.append(time.perf_counter() - started)
        else:
            refused_count += 1
    return latencies, refused_count


def _call(crowd: Crowd, bidders: list[UUID], _, tickets, gate) -> Heard:
    from bench import _world  # noqa: F401, PLC0415  sets Django up, in the process that needs it
    from ledger.errors import DomainError  # noqa: PLC0415
    from marketplace import operations, queries  # noqa: PLC0415

    queries.auction(crowd.auction)  # the connection is open when the clock starts

    def bid(max_rao: int) -> bool:
        try:
            operations.place_bid(
                auction_id=crowd.auction,
                bidder=bidders[0],
                max_rao=max_rao,
                key=uuid4().hex,
                now=datetime.now(UTC),  # noqa: TID251  a client's clock
            )
        except DomainError:
            return False
        return True

    gate.wait()
    started = time.time()
    latencies, refused_count = _bid_all(crowd, tickets, bid)
    return Heard(latencies, refused_count, started, time.time())


def _send(crowd: Crowd, lots: list[list[UUID]], found: dict, tickets, gate) -> Heard:
    heard: list[tuple[list[float], int]] = []

    def connection(lot: list[UUID]) -> None:
        bid = _over_http(crowd, lot, **found)
        heard.append(_bid_all(crowd, tickets, bid))

    threads = [Thread(target=connection, args=(lot,)) for lot in lots]
    gate.wait()
    started = time.time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended = time.time()
    latencies = [latency for some, _ in heard for latency in some]
    return Heard(latencies, sum(count for _, count in heard), started, ended)


def _over_http(crowd: Crowd, lot: list[UUID], *, sessions: dict[UUID, str], port: int) -> Bid:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    turn = 0

    def bid(max_rao: int) -> bool:
        nonlocal turn
        bidder = lot[turn % len(lot)]
        turn += 1
        line.request(
            "POST",
            f"/api/v1/auctions/{crowd.auction}/bids/",
            body=json.dumps({"max_rao": str(max_rao)}),
            headers={
                "Content-Type": "application/json",
                "Cookie": f"sessionid={sessions[bidder]}; csrftoken={CSRF}",
                "X-CSRFToken": CSRF,
                "Idempotency-Key": uuid4().hex,
            },
        )
        answer = line.getresponse()
        said = answer.read()
        assert answer.status in {200, 201, 409}, (answer.status, said)
        return answer.status != 409

    return bid
