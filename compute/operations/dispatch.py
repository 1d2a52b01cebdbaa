"""Dispatch: queued jobs meet live machines."""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

import redis
from django.conf import settings
from django.db import transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

from compute import deadlines, queries, scheduling
from compute.blueprints import TUNNELED
from compute.models import Job, Lease
from compute.operations import logbook
from compute.operations.moves import write_jobs
from compute.scheduling import Candidate, Match

log = logging.getLogger(__name__)

BLIND_WAIT_S = 1.0  # without Redis a poll still waits, or miners would ask without end
PASSED_OVER = timedelta(seconds=5)  # machines come and go by the minute
NUDGE_KEPT_S = 30  # a nudge nobody waits for is stale by the next poll
SILENT_S_MAX = 30  # longer than any poll waits: a Redis that says nothing for so long hangs


@transaction.atomic
def dispatch_queued(*, now: datetime, limit: int) -> int:
    """Offer up to `limit` queued jobs to machines; return how many found one.

    Jobs are locked and those of another worker's batch passed over, so sweeps may run side by side. One that filled a
    machine which this one chose too is waited for: a job whose place is gone stays queued, and no machine gets more
    leases than it has places.
    """
    candidates = queries.candidates(now=now)
    free = [each for each in candidates if each.open_count < each.concurrency]
    netuids = {netuid for each in free for netuid in each.reached}
    jobs = {job.pk: job for job in queries.lock_queued(limit, netuids=netuids, now=now)}
    if not jobs:
        return 0
    chosen = scheduling.match(queries.wishes(jobs.values()), candidates, now=now)
    open_counts = queries.lock_places({each.machine_id for each in chosen})
    matches = scheduling.within_places(chosen, candidates, open_counts)
    hardware = {each.machine_id: each.hardware for each in candidates}
    for match in matches:
        jobs[match.job_id].turn_to(Job.State.LEASED, now=now)
    write_jobs([jobs[match.job_id] for match in matches])
    leases = [
        Lease(
            job_id=match.job_id,
            netuid=jobs[match.job_id].netuid,
            machine_id=match.machine_id,
            hotkey=match.hotkey,
            offered_at=now,
            deadline_at=now
            + deadlines.lease_for(
                blueprint=jobs[match.job_id].blueprint,
                work_units=jobs[match.job_id].work_units,
                on=hardware[match.machine_id],
                floor=timedelta(seconds=settings.LEASE_S),
            ),
        )
        for match in matches
    ]
    Lease.objects.bulk_create(leases)
    logbook.note(
        "job:offered job=%s lease=%s machine=%s hotkey=%s",
        [(each.job_id, each.pk, each.machine_id, each.hotkey) for each in leases],
    )
    set_aside(jobs, chosen, candidates, now=now)
    # A poll that ended early for a job that comes as a chat would tell the miner which chat that is.
    rung = [each.machine_id for each in matches if jobs[each.job_id].blueprint not in TUNNELED]
    transaction.on_commit(lambda: nudge(rung))
    return len(matches)


def set_aside(
    jobs: Mapping[UUID, Job],
    matches: Sequence[Match],
    candidates: Iterable[Candidate],
    *,
    now: datetime,
) -> None:
    """Let jobs that no free machine may have wait a little, so that they do not keep others out of the batch."""
    given = Counter(match.machine_id for match in matches)
    free = [
        each for each in candidates if each.open_count + given[each.machine_id] < each.concurrency
    ]
    netuids = {netuid for each in free for netuid in each.reached}
    matched = {match.job_id for match in matches}
    passed = [job.pk for job in jobs.values() if job.netuid in netuids and job.pk not in matched]
    if passed:
        Job.objects.filter(pk__in=passed).update(ready_at=now + PASSED_OVER)


def nudge(machine_ids: Sequence[UUID]) -> None:
    """Wake the long-polls of machines; a nudge that gets lost costs one poll's wait, no job."""
    try:
        client = connection()
        with client.pipeline() as pipe:
            for machine_id in machine_ids:
                pipe.rpush(bell(machine_id), 1)
                pipe.expire(bell(machine_id), NUDGE_KEPT_S)
            pipe.execute()
    except redis.RedisError as fault:
        log.warning("nudge failed error=%s", fault)


def await_nudge(machine_id: UUID, *, wait_s: float) -> None:
    """Wait until the machine is nudged or the time is over, half a minute at most; without Redis, a second at most."""
    try:
        waiting().blpop([bell(machine_id)], timeout=wait_s)
    except redis.RedisError as fault:
        log.warning("nudge unavailable error=%s", fault)
        time.sleep(min(wait_s, BLIND_WAIT_S))


def bell(machine_id: UUID) -> str:
    """Name the list a machine waits on."""
    return f"lease:{machine_id}"


@cache
def connection() -> redis.Redis:
    """Return this process's Redis client; it pools its connections."""
    return redis.Redis.from_url(settings.REDIS_URL)


@cache
def waiting() -> redis.Redis:
    """Return the client of those who wait: redis-py takes five seconds of silence for a fault, and then asks again."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=SILENT_S_MAX, retry=Retry(NoBackoff(), 0)
    )
