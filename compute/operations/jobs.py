"""Jobs: ordered by a consumer who pays, or planted by the network with a known answer."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from django.conf import settings
from django.db import transaction

from compute import queries, scheduling
from compute.blueprints import blueprint
from compute.errors import OwnQueueFull, PriceAboveLimit, QueueFull
from compute.models import Job
from compute.operations import logbook
from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, PlaceHold, hold_id
from ledger.errors import IdempotencyConflict
from ledger.idempotency import stored_key
from subnets import queries as subnets

QUEUE_MAX = 1_000  # waiting jobs per subnet; a longer queue would promise more than minutes of work
OWN_QUEUE_MAX = 250  # of them one consumer's, so that one program's loop leaves room for others
RETRY_AFTER_S = 10  # ten sweeps: enough for a queue to have moved
CANARIES_PLANTED_MAX = 16  # at one sweep, so that a long pause does not end in a flood


def hold_of(job_id: UUID) -> UUID:
    """Return the id of the hold that backs a job's price."""
    return hold_id(f"job:{job_id}")


@transaction.atomic
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
    stored = stored_key("job", caller=owner, key=key)
    asked = {"netuid": netuid, "payload": dict(payload), "max_price_rao": max_price_rao}
    subnet = subnets.subnet(netuid)
    known = Job.objects.filter(key=stored).first()
    if known is not None:
        return replayed(known, asked=asked, key=key)
    work = blueprint(subnet.blueprint)
    price_rao = work.price_rao(work.check_payload(payload))
    if price_rao > max_price_rao:
        raise PriceAboveLimit(price_rao=price_rao, max_price_rao=max_price_rao)
    refuse_full(netuid, owner=owner)
    new = Job(
        netuid=netuid,
        blueprint=subnet.blueprint,
        origin=Job.Origin.CONSUMER,
        owner=owner,
        key=stored,
        payload=dict(payload),
        price_rao=price_rao,
        work_units=work.work_units(dict(payload)),
        max_price_rao=max_price_rao,
        created_at=now,
        queued_at=now,
        turn_at=scheduling.turn_at(queued_at=now, is_canary=False),
        ready_at=now,
    )
    job = standing(new)
    if job.pk != new.pk:
        return replayed(job, asked=asked, key=key)
    logbook.note(
        "job:ordered job=%s netuid=%s owner=%s price_rao=%s", [(job.pk, netuid, owner, price_rao)]
    )
    hold = PlaceHold(hold=hold_of(job.pk), account=chart.wallet(owner), amount_rao=price_rao)
    ledger.post(Entry(key=f"job:placed:{job.pk}", code=Code.JOB_PLACED, at=now, steps=(hold,)))
    return job


def refuse_full(netuid: int, *, owner: UUID) -> None:
    """Raise OwnQueueFull or QueueFull where one more job would wait longer than anybody would want."""
    all_count, own_count = queries.queued_counts(netuid, owner=owner)
    if own_count >= OWN_QUEUE_MAX:
        raise OwnQueueFull(
            netuid=netuid, limit="you", limit_count=OWN_QUEUE_MAX, retry_after_s=RETRY_AFTER_S
        )
    if all_count >= QUEUE_MAX:
        raise QueueFull(
            netuid=netuid, limit="subnet", limit_count=QUEUE_MAX, retry_after_s=RETRY_AFTER_S
        )


def standing(job: Job) -> Job:
    """Write a new job; return the one that stands under its key: another's, if both came at once."""
    # The insert waits for the other request's end and gives way to it without breaking the transaction.
    Job.objects.bulk_create([job], ignore_conflicts=True)
    return Job.objects.get(key=job.key)


def replayed(job: Job, *, asked: Mapping[str, Any], key: str) -> Job:
    """Return the first answer to a repeated order. Raises: IdempotencyConflict when it differs."""
    for field, given in asked.items():
        first = getattr(job, field)
        # Orders of the time before limits were kept have none to compare with.
        if first is not None and first != given:
            raise IdempotencyConflict(key=key, field=field)
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
