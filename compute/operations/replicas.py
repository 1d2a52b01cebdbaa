"""Replicas: ordered jobs that another owner's machine does once more, and what comes of comparing."""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from compute import queries, replication, scheduling
from compute.blueprints import blueprint
from compute.models import Comparison, Job
from compute.operations import logbook
from compute.queries import Case, Said

log = logging.getLogger(__name__)

REPLICAS_WAITING_MAX = (
    20  # of a subnet; where other owners' machines are short, or there are none, no more wait
)


def replicate_some(accepted: Collection[Case], *, now: datetime) -> None:
    """Toss the coins of jobs that were accepted just now; plant a replica of each that says so.

    The miner signed its output long ago: nothing it does can depend on the answer.
    """
    if not settings.REPLICATE_JOBS:
        return
    ordered = [case for case in accepted if case.job.origin == Job.Origin.CONSUMER]
    right = queries.right_counts({(case.result.hotkey, case.job.blueprint) for case in ordered})
    secret = settings.SECRET_KEY.encode()
    chosen = [
        case.job
        for case in ordered
        if replication.is_replicated(
            case.job.pk,
            right_count=right[case.result.hotkey, case.job.blueprint],
            secret=secret,
        )
    ]
    waiting = queries.waiting_replicas_counts({job.netuid for job in chosen})
    wanted = []
    for job in chosen:
        if waiting[job.netuid] < REPLICAS_WAITING_MAX:
            waiting[job.netuid] += 1
            wanted.append((job, 1))
    plant(wanted, now=now)


def plant(wanted: Collection[tuple[Job, int]], *, now: datetime) -> None:
    """Queue jobs once more, each under a number; that costs nobody anything and pays nobody by itself."""
    if not wanted:
        return
    payloads = queries.payloads_of([job.pk for job, _ in wanted])
    replicas = [
        Job(
            netuid=job.netuid,
            blueprint=job.blueprint,
            origin=Job.Origin.REPLICA,
            replicates=job,
            key=f"replica:{job.pk}:{number}",
            payload=payloads[job.pk],
            work_units=job.work_units,
            created_at=now,
            queued_at=now,
            turn_at=scheduling.turn_at(queued_at=now, is_canary=True),
            ready_at=now,
        )
        for job, number in wanted
    ]
    Job.objects.bulk_create(replicas)
    logbook.note(
        "job:planted job=%s netuid=%s origin=%s replicates=%s",
        [(each.pk, each.netuid, each.origin, each.replicates_id) for each in replicas],
    )


def compare(accepted: Collection[Job], *, now: datetime) -> None:
    """Hold replicas that were accepted just now against what they repeat; ask one more owner where they differ.

    Money that was paid stays paid: validators accepted the result. Who was wrong has every job done again
    from here on.
    """
    repeated = {job.replicates_id for job in accepted if job.replicates_id is not None}
    if not repeated:
        return
    # Two replicas of a job may be accepted at once; one compares after the other.
    jobs = queries.lock_originals(repeated)
    answers = queries.answers_to(jobs)
    wanted = []
    for job in jobs:
        found = agreement(job, answers[job.pk])
        if found is not None:
            record(job, found, now=now)
        elif len(answers[job.pk]) < replication.ANSWERS_MAX:
            wanted.append((job, len(answers[job.pk])))
        else:
            log.warning("job:replicas:undecided job=%s answers=%s", job.pk, len(answers[job.pk]))
    plant(wanted, now=now)


def agreement(
    job: Job, answers: Sequence[replication.Answer[Said, dict[str, Any]]]
) -> replication.Agreement[Said] | None:
    """Find what most owners say of a job."""
    work = blueprint(job.blueprint)
    return replication.agreement(
        answers, agrees=lambda one, other: work.agrees(job.payload, one, other)
    )


def record(job: Job, found: replication.Agreement[Said], *, now: datetime) -> None:
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
