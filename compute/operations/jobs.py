"""Jobs: ordered by a consumer who pays, or planted by the network with a known answer."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from django.conf import settings
from django.db import IntegrityError, transaction

from compute import queries, scheduling
from compute.blueprints import blueprint
from compute.errors import OwnQueueFull, PriceAboveLimit, QueueFull
from compute.models import Job
from compute.operations import logbook
from ledger import chart, prepared
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, PlaceHold, hold_id
from ledger.errors import IdempotencyConflict
from ledger.idempotency import stored_key
from subnets import queries as subnets
from subnets.errors import SubnetUnknown

QUEUE_MAX = 1_000  # waiting jobs per subnet; a longer queue would promise more than minutes of work
OWN_QUEUE_MAX = 250  # of them one consumer's, so that one program's loop leaves room for others
RETRY_AFTER_S = 10  # ten sweeps: enough for a queue to have moved
CANARIES_PLANTED_MAX = 16  # at one sweep, so that a long pause does not end in a flood


def hold_of(job_id: UUID) -> UUID:
    """Return the id of the hold that backs a job's price."""
    return hold_id(f"job:{job_id}")


@dataclass(frozen=True, slots=True)
class Order:
    """One job that a consumer wants. key: their own words for it, by which it is ordered once."""

    netuid: int
    payload: Mapping[str, Any]
    max_price_rao: int
    key: str


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
    order = Order(netuid, payload, max_price_rao, key)
    stored = stored_key("job", caller=owner, key=key)
    try:
        return queue_order(order, owner=owner, stored=stored, now=now)
    except IntegrityError:
        # The same order came twice at once: what the other request wrote stands now.
        if not Job.objects.filter(key=stored).exists():
            raise
        return queue_order(order, owner=owner, stored=stored, now=now)


@prepared.atomic()
def queue_order(order: Order, *, owner: UUID, stored: str, now: datetime) -> Job:
    """Queue a job whose key is new and hold its price; the first job of a key that is not.

    Three journeys: what decides is read, the wallet is locked, and what was sent in between is committed.
    """
    queues, known = queries.queues_and_orders([order.netuid], owner=owner, keys=[stored])
    if order.netuid not in queues:
        raise SubnetUnknown(netuid=order.netuid)
    if stored in known:
        return replayed(known[stored], order)
    queue = queues[order.netuid]
    price_rao = price(order, queue.blueprint)
    refuse_full(order.netuid, queue)
    job = ordered(order, queue.blueprint, price_rao, owner=owner, stored=stored, now=now)
    write_orders([job])
    logbook.note(
        "job:ordered job=%s netuid=%s owner=%s price_rao=%s",
        [(job.pk, job.netuid, owner, price_rao)],
    )
    hold = PlaceHold(hold=hold_of(job.pk), account=chart.wallet(owner), amount_rao=price_rao)
    entry = Entry(key=f"job:placed:{job.pk}", code=Code.JOB_PLACED, at=now, steps=(hold,))
    ledger.post_at_last(entry)
    return job


def price(order: Order, kind: str) -> int:
    """Return what an order costs. Raises: PayloadInvalid, PriceAboveLimit."""
    work = blueprint(kind)
    price_rao = work.price_rao(work.check_payload(order.payload))
    if price_rao > order.max_price_rao:
        raise PriceAboveLimit(price_rao=price_rao, max_price_rao=order.max_price_rao)
    return price_rao


def ordered(
    order: Order, kind: str, price_rao: int, *, owner: UUID, stored: str, now: datetime
) -> Job:
    """Return the job of an order, to be written."""
    return Job(
        netuid=order.netuid,
        blueprint=kind,
        origin=Job.Origin.CONSUMER,
        owner=owner,
        key=stored,
        payload=dict(order.payload),
        price_rao=price_rao,
        work_units=blueprint(kind).work_units(dict(order.payload)),
        max_price_rao=order.max_price_rao,
        created_at=now,
        queued_at=now,
        turn_at=scheduling.turn_at(queued_at=now, is_canary=False),
        ready_at=now,
    )


def refuse_full(netuid: int, queue: queries.Queue) -> None:
    """Raise OwnQueueFull or QueueFull where one more job would wait longer than anybody would want."""
    if queue.own_count >= OWN_QUEUE_MAX:
        raise OwnQueueFull(
            netuid=netuid, limit="you", limit_count=OWN_QUEUE_MAX, retry_after_s=RETRY_AFTER_S
        )
    if queue.count >= QUEUE_MAX:
        raise QueueFull(
            netuid=netuid, limit="subnet", limit_count=QUEUE_MAX, retry_after_s=RETRY_AFTER_S
        )


# A key that another request is just writing is waited for, and then refused.
WRITE_ORDERS = """
INSERT INTO compute_job
    (id, netuid, blueprint, origin, owner, key, payload, price_rao, max_price_rao, work_units, state, attempts_count,
     failure, created_at, queued_at, turn_at, ready_at)
SELECT new.id, new.netuid, new.blueprint, 'consumer', new.owner, new.key, new.payload, new.price_rao,
       new.max_price_rao, new.work_units, 'queued', 0, '', new.queued_at, new.queued_at, new.turn_at, new.queued_at
FROM unnest(%(ids)s::uuid[], %(netuids)s::smallint[], %(blueprints)s::text[], %(owners)s::uuid[], %(keys)s::text[],
            %(payloads)s::jsonb[], %(prices)s::bigint[], %(most)s::bigint[], %(units)s::int[],
            %(queued)s::timestamptz[], %(turns)s::timestamptz[])
    AS new (id, netuid, blueprint, owner, key, payload, price_rao, max_price_rao, work_units, queued_at, turn_at)
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
            "most": prepared.numbers(job.max_price_rao for job in jobs),
            "units": prepared.numbers(job.work_units for job in jobs),
            "queued": prepared.texts(job.queued_at for job in jobs),
            "turns": prepared.texts(job.turn_at for job in jobs),
        },
    )


def replayed(job: Job, order: Order) -> Job:
    """Return the first answer to a repeated order. Raises: IdempotencyConflict when it differs."""
    for field in ("netuid", "payload", "max_price_rao"):
        first, given = getattr(job, field), getattr(order, field)
        # Orders of the time before limits were kept have none to compare with.
        if first is not None and first != given:
            raise IdempotencyConflict(key=order.key, field=field)
    return job


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
