"""Jobs per second through the whole cycle, beside Celery's own no-op tasks on the same Redis.

One process calls the operations as sweeps and views do: submit, dispatch in batches, take, result, score, settle;
every job is paid in the books. It is measured twice: with orders, leases and results each in a request of its own, and
as consumers and miners do it who have many small jobs (`jobs/batch/`, `neuron miner --jobs-at-once`). Products are 16 x 16, and what miners and validators do on their own machines, the
work and their signatures, is not timed; that the server verifies both signatures is. The peer is one Celery worker
process with one child that runs tasks which count themselves; publishing them is part of its time. Jobs and tasks take
turns, so that what else the machine does hits both; the figure is the turn with the middle ratio.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import TypeVar
from uuid import UUID, uuid4

import numpy as np
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench import _market, _noop, _world
from bench.figures import Figure
from compute import operations as compute
from compute import queries
from compute.models import Job, Lease, Result
from compute.operations.jobs import Order
from compute.operations.results import ResultInput
from compute.operations.scores import ScoreInput
from ledger import invariants
from ledger.money import RAO_PER_TAO as TAO
from neurons import protocol
from neurons.keys import Keypair
from neurons.workloads import matmul
from subnets import operations as subnets

ROUNDS, BATCH, SCORED_AT_ONCE, ORDERED_AT_ONCE = 7, 100, 50, 50
MINERS, PLACES = 8, 32
NOOPS, NOOP_WAIT_S = 400, 120  # as long as a batch of jobs takes
RATIO_AT_LEAST = 0.25
T = TypeVar("T")
STEPS = ("submit", "dispatch", "take", "result", "score", "settle")


@dataclass(slots=True)
class Bench:
    """Who takes part, and what each step took."""

    netuid: int
    consumer: UUID
    keys: dict[str, Keypair]
    machines: dict[str, UUID]
    validator: Keypair
    judge: UUID
    is_together: bool = False
    spent_s: dict[str, float] = field(default_factory=dict)

    def timed(self, step: str, work: Callable[[], T]) -> T:
        started = time.perf_counter()
        done = work()
        self.spent_s[step] = self.spent_s.get(step, 0.0) + time.perf_counter() - started
        return done


def measure() -> Iterator[Figure]:
    """Run jobs each by itself, tasks, and jobs many at once, in turns; a first turn warms up and is not counted."""
    with _world.opened(), _worker():
        bench = founded()
        rounds = [
            Round(cycled(bench), noops_per_s(), cycled(bench, is_together=True))
            for _ in range(1 + ROUNDS)
        ]
        counts = [counted(bench, is_together=is_together) for is_together in (False, True)]
        paid = Job.objects.filter(state=Job.State.VERIFIED).count()
        assert paid == 2 * (1 + ROUNDS + 1) * BATCH, paid
        faults = invariants.check_all_books()
        assert not faults, faults
    timed = rounds[1:]
    noops = [each.noops_per_s for each in timed]
    for name, found, statements in (
        ("each by itself", [each.alone for each in timed], counts[0]),
        ("many at once", [each.together for each in timed], counts[1]),
    ):
        yield from figures(f"jobs through the whole cycle, {name}", found, noops)
        yield Figure(name="  statements", value=statements, unit="a job")


@dataclass(frozen=True, slots=True)
class Round:
    """What one turn took. alone, together: seconds of each step for a batch of jobs."""

    alone: dict[str, float]
    noops_per_s: float
    together: dict[str, float]


def cycled(bench: Bench, *, is_together: bool = False) -> dict[str, float]:
    """Bring a batch through the cycle; return what each step took."""
    bench.is_together, bench.spent_s = is_together, {}
    cycle(bench)
    return bench.spent_s


def counted(bench: Bench, *, is_together: bool) -> float:
    """Bring a batch through the cycle; return how many statements a job took."""
    with CaptureQueriesContext(connection) as statements:
        cycled(bench, is_together=is_together)
    return len(statements) / BATCH


def figures(name: str, found: list[dict[str, float]], noops: list[float]) -> Iterator[Figure]:
    """Tell the turn whose ratio is the middle one, how far the others were from it, and each step's middle.

    Two middles, of jobs and of tasks, could come from turns in which the machine was not equally busy.
    """
    rates = [BATCH / sum(spent.values()) for spent in found]
    turns = sorted((rate / peer, rate, peer) for rate, peer in zip(rates, noops, strict=True))
    _, rate, peer = turns[len(turns) // 2]
    yield Figure(
        name=name,
        value=rate,
        unit="/s",
        peer=peer,
        peer_name=f"Celery's no-op tasks, one worker; {turns[0][0]:.2f}-{turns[-1][0]:.2f} x over {len(turns)} turns",
        target=RATIO_AT_LEAST,
        at_most=False,
    )
    for step in STEPS:
        middle = median(spent[step] for spent in found)
        yield Figure(name=f"  of it: {step}", value=middle / BATCH * 1_000, unit="ms a job")


def founded() -> Bench:
    """Found a subnet with miners, a validator and a consumer."""
    now = _market.now()
    subnets.found_network(block_ms=12_000, min_lock_rao=TAO, now=now)
    owner, consumer, judge, *miners = (one.pk for one in _market.people(3 + MINERS, tao=5_000))
    netuid = subnets.register_subnet(
        owner=owner,
        name="Bench",
        summary="Multiplies.",
        blueprint="matmul",
        max_cost_rao=1_000 * TAO,
        key=str(uuid4()),
        now=now,
    ).netuid
    validator = registered(judge, netuid, now=now)
    subnets.add_stake(
        netuid=netuid,
        hotkey=validator.ss58_address,
        owner=judge,
        amount_rao=1_000 * TAO,
        key=str(uuid4()),
        now=now,
    )
    bench = Bench(netuid, consumer, {}, {}, validator, judge)
    for miner in miners:
        key = registered(miner, netuid, now=now)
        bench.keys[key.ss58_address] = key
        machine = compute.report_machine(
            hotkey=key.ss58_address,
            owner=miner,
            name="rig",
            cpu_model="a processor",
            cpu_count=4,
            memory_bytes=2**33,
            gpus=[],
            blueprints=["matmul"],
            concurrency=PLACES,
            now=now,
        )
        bench.machines[key.ss58_address] = machine.pk
    return bench


def registered(owner: UUID, netuid: int, *, now: datetime) -> Keypair:
    """Link a new hotkey to an owner and register it."""
    key = Keypair.generated()[0]
    code = subnets.open_challenge(owner=owner, now=now).code
    subnets.link_hotkey(ss58=key.ss58_address, code=code, name="key", now=now)
    subnets.register_neuron(
        netuid=netuid, hotkey=key.ss58_address, max_burn_rao=1_000 * TAO, now=now
    )
    return key


def cycle(bench: Bench) -> None:
    """Bring a batch of jobs from the order to the payment."""
    now = _market.now()
    for hotkey, machine_id in bench.machines.items():
        compute.see_machine(hotkey=hotkey, machine_id=machine_id, now=now)
    payload = matmul.make(np.random.default_rng(1), 16)
    bench.timed("submit", lambda: order(bench, payload, now))
    bench.timed("dispatch", lambda: compute.dispatch_queued(now=now, limit=BATCH))
    taken = bench.timed("take", lambda: take(bench, now))
    assert len(taken) == BATCH, len(taken)
    signed = [worked(bench, lease) for lease in taken]
    results = bench.timed("result", lambda: hand_in(bench, signed, now))
    scores = [judged(bench, result) for result in results]
    bench.timed("score", lambda: give(bench, scores, now))
    bench.timed("settle", lambda: settle(now))


def order(bench: Bench, payload: dict, now: datetime) -> None:
    """Order a batch of jobs, each in a request or many in one."""
    asked = Order(bench.netuid, payload, TAO)
    if bench.is_together:
        for _ in range(0, BATCH, ORDERED_AT_ONCE):
            orders = [asked] * ORDERED_AT_ONCE
            compute.submit_jobs(owner=bench.consumer, orders=orders, key=str(uuid4()), now=now)
        return
    for _ in range(BATCH):
        compute.submit_job(
            netuid=bench.netuid,
            owner=bench.consumer,
            payload=payload,
            max_price_rao=TAO,
            key=str(uuid4()),
            now=now,
        )


def take(bench: Bench, now: datetime) -> list[Lease]:
    """Take what was offered, as machines ask: for one lease, or for all that are theirs."""
    taken = []
    for hotkey, machine_id in bench.machines.items():
        limit = PLACES if bench.is_together else 1
        while leases := compute.take_leases(
            machine_id=machine_id, hotkey=hotkey, limit=limit, now=now
        ):
            taken += leases
            if bench.is_together:
                break
    return taken


def hand_in(bench: Bench, signed: list[tuple[str, ResultInput]], now: datetime) -> list[Result]:
    """Hand results in, each in a request, or all of a machine's in one."""
    if not bench.is_together:
        return [
            compute.submit_results(hotkey=hotkey, results=[each], now=now).results[each.lease_id]
            for hotkey, each in signed
        ]
    found = []
    for hotkey in bench.machines:
        own = [each for who, each in signed if who == hotkey]
        if own:
            found += compute.submit_results(hotkey=hotkey, results=own, now=now).results.values()
    return found


def worked(bench: Bench, lease: Lease) -> tuple[str, ResultInput]:
    """Do a lease's work and sign it, as its miner does elsewhere."""
    output = matmul.run(lease.job.payload)
    digest = protocol.output_digest(output)
    message = protocol.result_message(
        lease_id=str(lease.pk), job_id=str(lease.job_id), digest=digest
    )
    signature = bench.keys[lease.hotkey].sign(message)
    return lease.hotkey, ResultInput(lease.pk, output, digest, signature)


def judged(bench: Bench, result: Result) -> ScoreInput:
    """Sign a score, as a validator does elsewhere."""
    message = protocol.score_message(
        result_id=str(result.pk), digest=result.output_digest, score_ppm=1_000_000, reason=""
    )
    return ScoreInput(result.pk, 1_000_000, "", bench.validator.sign(message))


def give(bench: Bench, scores: list[ScoreInput], now: datetime) -> None:
    for start in range(0, len(scores), SCORED_AT_ONCE):
        some = scores[start : start + SCORED_AT_ONCE]
        told = compute.submit_scores(
            validator=bench.validator.ss58_address, owner=bench.judge, scores=some, now=now
        )
        assert not told.refused, told.refused


def settle(now: datetime) -> None:
    due = queries.scored_job_ids(now, limit=BATCH)
    compute.settle_jobs(job_ids=due, now=now)


@contextmanager
def _worker() -> Iterator[None]:
    """Run the peer's worker, which waits while jobs are timed, and answers."""
    _noop.client.delete(_noop.DONE, _noop.QUEUE)
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "bench._noop", "worker", "-c", "1", "-l", "error"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        sent_noops(100)
        yield
    finally:
        worker.terminate()
        worker.wait(timeout=30)


def noops_per_s() -> float:
    """Return how many no-op tasks a second a worker is sent and does."""
    started = time.perf_counter()
    sent_noops(NOOPS)
    return NOOPS / (time.perf_counter() - started)


def sent_noops(count: int) -> None:
    """Send tasks and wait for the last."""
    _noop.client.set(_noop.DONE, 0)
    ends_at = time.monotonic() + NOOP_WAIT_S
    for _ in range(count):
        _noop.noop.delay()
    while int(_noop.client.get(_noop.DONE) or 0) < count:
        assert time.monotonic() < ends_at, "the worker does not answer"
        time.sleep(0.002)
