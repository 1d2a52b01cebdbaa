"""Jobs: ordered by a consumer who pays, or planted by the network with a known answer."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction

from compute import queries, scheduling
from compute.blueprints import blueprint
from compute.errors import OrderRefused, OwnQueueFull, PriceAboveLimit, QueueFull
from compute.models import Job
from compute.operations import logbook
from compute.queries import Queue
from ledger import chart, prepared
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, PlaceHold, hold_id
from ledger.errors import DomainError, IdempotencyConflict
from ledger.idempotency import stored_key
from subnets import queries as subnets
from subnets.errors import SubnetUnknown

QUEUE_MAX = 1_000  # waiting jobs per subnet; a longer queue would promise more than minutes of work
OWN_QUEUE_MAX = 250  # of them one consumer's, so that one program's loop leaves room for others
RETRY_AFTER_S = 10  # ten sweeps: enough for a queue to have moved
CANARIES_PLANTED_MAX = 16  # at one sweep, so that a long pause does not end in a flood


@dataclass(frozen=True, slots=True)
class Order:
    """One job that a consumer wants."""

    netuid: int
    payload: Mapping[str, Any]
    max_price_rao: int


def submit_job(
    *,
    netuid: int,
    owner: UUID,
    payload: Mapping[str, Any],
    max_price_rao: int,
    key: str,
    now: datetime,
) -> Job:
    """Queue a consumer's job and hold its price.

    key: the client's words for this order; the same key with the same input gets the first job.
    Raises: SubnetUnknown, PayloadInvalid, PriceAboveLimit, QueueFull, OwnQueueFull,
    InsufficientFunds, IdempotencyConflict, IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    asked = Asked(owner, key, (Order(netuid, payload, max_price_rao),))
    [job] = queue_once(asked, [stored_key("job", caller=owner, key=key)], now=now)
    return job


def submit_jobs(*, owner: UUID, orders: Sequence[Order], key: str, now: datetime) -> list[Job]:
    """Queue many jobs and hold their prices, all or none, with the statements of one; return them in the orders' order.

    key: the client's words for all of them; each job counts once under the key and its place.
    Raises: as `submit_job` does, but OrderRefused for what is wrong with one of them.
    """
    asked = Asked(owner, key, tuple(orders))
    stored = stored_key("jobs", caller=owner, key=key)
    keys = [f"{stored}#{place}" for place in range(len(orders))]
    if Job.objects.filter(key=f"{stored}#{len(orders)}").exists():
        raise IdempotencyConflict(key=key, field="jobs")
    return queue_once(asked, keys, now=now)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a consumer asks for in one request. key: their own words."""

    owner: UUID
    key: str
    orders: tuple[Order, ...]


def queue_once(asked: Asked, stored: Sequence[str], *, now: datetime) -> list[Job]:
    """Queue orders under their stored keys as if nothing were in the way; should anything be, look what it is.

    Where the same came twice at once, what the other request wrote stands.
    """
    try:
        return queue_orders(asked, stored, is_patient=False, now=now)
    except IntegrityError:
        if not Job.objects.filter(key__in=stored).exists():
            raise
    except DatabaseError as fault:
        # The money is not there, or the wallet was never used.
        if not ledger.was_overtaken(fault):
            raise
    return queue_orders(asked, stored, is_patient=True, now=now)


@prepared.atomic()
def queue_orders(
    asked: Asked, stored: Sequence[str], *, is_patient: bool, now: datetime
) -> list[Job]:
    """Queue jobs whose keys are new and hold their prices by one entry; the first jobs of keys that are not.

    Two journeys: what decides is read, and all that is written is committed. Whoever is patient makes a third, in which
    the wallet is locked and says why it cannot pay.
    Raises: as `submit_job` does; for the impatient a database's error that `ledger.was_overtaken` knows stands for
    InsufficientFunds.
    """
    netuids = {order.netuid for order in asked.orders}
    queues, known = queries.queues_and_orders(netuids, owner=asked.owner, keys=stored)
    if known:
        return replayed(asked, [known.get(each) for each in stored])
    prices = prices_rao(asked, queues)
    refuse_full(asked, queues)
    jobs = [
        ordered(order, queues[order.netuid].blueprint, price_rao, now=now)
        for order, price_rao in zip(asked.orders, prices, strict=True)
    ]
    for job, key in zip(jobs, stored, strict=True):
        job.owner, job.key = asked.owner, key
    write_orders(jobs)
    logbook.note(
        "job:ordered job=%s netuid=%s owner=%s price_rao=%s",
        [(job.pk, job.netuid, job.owner, job.price_rao) for job in jobs],
    )
    hold_prices(asked, jobs, is_patient=is_patient, now=now)
    return jobs


def hold_prices(asked: Asked, jobs: Sequence[Job], *, is_patient: bool, now: datetime) -> None:
    """Set aside what new jobs cost; whoever is patient hears how the books stand."""
    post = ledger.post_at_last if is_patient else ledger.post_unheard
    wallet = chart.wallet(asked.owner)
    holds = tuple(PlaceHold(job.hold, wallet, job.price_rao) for job in jobs if job.hold)
    key = f"job:placed:{jobs[0].pk}"
    post(Entry(key=key, code=Code.JOB_PLACED, at=now, steps=holds))


def prices_rao(asked: Asked, queues: Mapping[int, Queue]) -> list[int]:
    """Return what each order costs. Raises: as `price` does; OrderRefused where there are more than one."""
    prices = []
    for place, order in enumerate(asked.orders):
        try:
            prices.append(price(order, queues))
        except DomainError as refusal:
            if len(asked.orders) == 1:
                raise
            raise OrderRefused(place=place, because=refusal.code, problem=str(refusal)) from None
    return prices


def price(order: Order, queues: Mapping[int, Queue]) -> int:
    """Return what an order costs. Raises: SubnetUnknown, PayloadInvalid, PriceAboveLimit."""
    if order.netuid not in queues:
        raise SubnetUnknown(netuid=order.netuid)
    work = blueprint(queues[order.netuid].blueprint)
    price_rao = work.price_rao(work.check_payload(order.payload))
    if price_rao > order.max_price_rao:
        raise PriceAboveLimit(price_rao=price_rao, max_price_rao=order.max_price_rao)
    return price_rao


def ordered(order: Order, kind: str, price_rao: int, *, now: datetime) -> Job:
    """Return the job of an order, whose owner and key are to be set."""
    job_id = uuid4()
    return Job(
        pk=job_id,
        netuid=order.netuid,
        blueprint=kind,
        origin=Job.Origin.CONSUMER,
        payload=dict(order.payload),
        price_rao=price_rao,
        hold=hold_id(f"job:{job_id}"),
        work_units=blueprint(kind).work_units(dict(order.payload)),
        max_price_rao=order.max_price_rao,
        created_at=now,
        queued_at=now,
        turn_at=scheduling.turn_at(queued_at=now, is_canary=False),
        ready_at=now,
    )


def refuse_full(asked: Asked, queues: Mapping[int, Queue]) -> None:
    """Raise OwnQueueFull or QueueFull where the jobs would wait longer than anybody would want."""
    more = Counter(order.netuid for order in asked.orders)
    for netuid, count in more.items():
        if queues[netuid].own_count + count > OWN_QUEUE_MAX:
            raise OwnQueueFull(
                netuid=netuid, limit="you", limit_count=OWN_QUEUE_MAX, retry_after_s=RETRY_AFTER_S
            )
        if queues[netuid].count + count > QUEUE_MAX:
            raise QueueFull(
                netuid=netuid, limit="subnet", limit_count=QUEUE_MAX, retry_after_s=RETRY_AFTER_S
            )


# A key that another request is just writing is waited for, and then refused.
WRITE_ORDERS = """
INSERT INTO compute_job
    (id, netuid, blueprint, origin, owner, key, payload, price_rao, hold, max_price_rao, work_units, state,
     attempts_count, failure, created_at, queued_at, turn_at, ready_at)
SELECT new.id, new.netuid, new.blueprint, 'consumer', new.owner, new.key, new.payload, new.price_rao,
       new.hold, new.max_price_rao, new.work_units, 'queued', 0, '', new.queued_at, new.queued_at, new.turn_at, new.queued_at
FROM unnest(%(ids)s::uuid[], %(netuids)s::smallint[], %(blueprints)s::text[], %(owners)s::uuid[], %(keys)s::text[],
            %(payloads)s::jsonb[], %(prices)s::bigint[], %(holds)s::uuid[], %(most)s::bigint[], %(units)s::int[],
            %(queued)s::timestamptz[], %(turns)s::timestamptz[])
    AS new (id, netuid, blueprint, owner, key, payload, price_rao, hold, max_price_rao, work_units, queued_at, turn_at)
"""


def write_orders(jobs: Collection[Job]) -> None:
    """Write new jobs that were ordered, in one statement that is not waited for."""
    prepared.send(
        WRITE_ORDERS,
        {
            "ids": prepared.texts(job.pk for job in jobs),
            "netuids": prepared.numbers(job.netuid for job in jobs),
            "blueprints": prepared.texts(job.blueprint for job in jobs),
            "owners": prepared.texts(job.owner for job in jobs),
            "keys": prepared.texts(job.key for job in jobs),
            "payloads": prepared.texts(json.dumps(job.payload) for job in jobs),
            "prices": prepared.numbers(job.price_rao for job in jobs),
            "holds": prepared.texts(job.hold for job in jobs),
            "most": prepared.numbers(job.max_price_rao for job in jobs),
            "units": prepared.numbers(job.work_units for job in jobs),
            "queued": prepared.texts(job.queued_at for job in jobs),
            "turns": prepared.texts(job.turn_at for job in jobs),
        },
    )


def replayed(asked: Asked, jobs: Sequence[Job | None]) -> list[Job]:
    """Return the first answer to repeated orders. Raises: IdempotencyConflict when they differ."""
    same = []
    for order, job in zip(asked.orders, jobs, strict=True):
        if job is None:
            raise IdempotencyConflict(key=asked.key, field="jobs")
        for field in ("netuid", "payload", "max_price_rao"):
            first, given = getattr(job, field), getattr(order, field)
            # Orders of the time before limits were kept have none to compare with.
            if first is not None and first != given:
                raise IdempotencyConflict(key=asked.key, field=field)
        same.append(job)
    return same


@transaction.atomic
def plant_known_answers(*, netuid: int, now: datetime) -> int:
    """Queue jobs whose answer is known or can be found again, one per live machine and CANARY_EVERY_S, and return how many.

    They cost nobody anything: they keep every miner measured even where no consumer orders.
    """
    subnet = subnets.lock_subnet(netuid)
    machine_count = queries.live_machine_count(netuid, now=now)
    since = now - timedelta(seconds=settings.CANARY_EVERY_S)
    missing = machine_count - queries.canaries_since(netuid, since=since)
    work = blueprint(subnet.blueprint)
    rng = np.random.default_rng()
    jobs = []
    for _ in range(max(0, min(missing, CANARIES_PLANTED_MAX))):
        payload, known_answer = work.make_canary(rng)
        jobs.append(
            Job(
                netuid=netuid,
                blueprint=subnet.blueprint,
                origin=Job.Origin.CANARY,
                key=f"canary:{uuid4()}",
                payload=payload,
                work_units=work.work_units(payload),
                known_answer=known_answer,
                created_at=now,
                queued_at=now,
                turn_at=scheduling.turn_at(queued_at=now, is_canary=True),
                ready_at=now,
            )
        )
    Job.objects.bulk_create(jobs)
    logbook.note("job:planted job=%s netuid=%s origin=%s", [(j.pk, netuid, j.origin) for j in jobs])
    return len(jobs)
