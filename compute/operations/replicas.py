"""Replicas: ordered jobs that another owner's machine does once more, and what comes of comparing."""

import logging
from datetime import datetime

from django.conf import settings

from compute import queries, replication, scheduling
from compute.blueprints import blueprint
from compute.models import Comparison, Job, Result

log = logging.getLogger(__name__)

REPLICAS_WAITING_MAX = (
    20  # of a subnet; where other owners' machines are short, or there are none, no more wait
)


def replicate_perhaps(job: Job, result: Result, *, now: datetime) -> Job | None:
    """Toss the coin of a job that was accepted just now; plant its replica when it says so.

    The miner signed its output long ago: nothing it does can depend on the answer.
    """
    if job.origin != Job.Origin.CONSUMER or not settings.REPLICATE_JOBS:
        return None
    right_count = queries.right_count(result.hotkey, blueprint=job.blueprint)
    secret = settings.SECRET_KEY.encode()
    if not replication.is_replicated(job.pk, right_count=right_count, secret=secret):
        return None
    if queries.waiting_replicas_count(job.netuid) >= REPLICAS_WAITING_MAX:
        return None
    return plant(job, number=1, now=now)


def plant(job: Job, *, number: int, now: datetime) -> Job:
    """Queue a job once more; it costs nobody anything and pays nobody by itself."""
    return Job.objects.create(
        netuid=job.netuid,
        blueprint=job.blueprint,
        origin=Job.Origin.REPLICA,
        replicates=job,
        key=f"replica:{job.pk}:{number}",
        payload=job.payload,
        work_units=job.work_units,
        created_at=now,
        queued_at=now,
        turn_at=scheduling.turn_at(queued_at=now, is_canary=True),
        ready_at=now,
    )


def compare(replica: Job, *, now: datetime) -> None:
    """Hold a replica that was accepted just now against what it repeats; ask one more owner where they differ.

    Money that was paid stays paid: validators accepted the result. Who was wrong has every job done again
    from here on.
    """
    # Two replicas of a job may be accepted at once; one compares after the other.
    assert replica.replicates_id is not None, "a replica names what it repeats"
    job = queries.lock_job(replica.replicates_id)
    work = blueprint(job.blueprint)
    answers = queries.answers_to(job)
    found = replication.agreement(
        answers, agrees=lambda one, other: work.agrees(job.payload, one, other)
    )
    if found is not None:
        record(job, found, now=now)
    elif len(answers) < replication.ANSWERS_MAX:
        plant(job, number=len(answers), now=now)
    else:
        log.warning("job:replicas:undecided job=%s answers=%s", job.pk, len(answers))


def record(job: Job, found: replication.Agreement[queries.Said], *, now: datetime) -> None:
    """Write down what was found; of a result that was compared before, what was found first stands."""
    sides = {**dict.fromkeys(found.right, True), **dict.fromkeys(found.wrong, False)}
    Comparison.objects.bulk_create(
        (
            Comparison(
                result_id=said.result_id,
                hotkey=said.hotkey,
                blueprint=job.blueprint,
                is_right=is_right,
                compared_at=now,
            )
            for said, is_right in sides.items()
        ),
        ignore_conflicts=True,
    )
