"""Celery's sweeps over the work: each asks for a bounded batch and calls one operation per id, or per lot of ids."""

from celery import shared_task
from django.utils import timezone

from compute import operations, queries
from ledger import sweeps
from subnets import queries as subnets

TABS_PER_SWEEP = 50  # each pays as many miners as answered on it
# One sweep's batch: small enough to finish well within the sweep's own interval.
JOBS_PER_SWEEP = 200


@shared_task
def plant_known_answer_jobs() -> None:
    """Keep every miner measured."""
    sweeps.each(
        queries.netuids_at_work(),
        lambda netuid: operations.plant_known_answers(netuid=netuid, now=timezone.now()),
    )


@shared_task
def dispatch_queued_jobs() -> None:
    """Offer waiting jobs to machines."""
    operations.dispatch_queued(now=timezone.now(), limit=JOBS_PER_SWEEP)


@shared_task
def expire_due_leases() -> None:
    """Take jobs back from machines that let the deadline pass."""
    sweeps.each(
        queries.due_lease_ids(timezone.now(), limit=JOBS_PER_SWEEP),
        lambda lease_id: operations.expire_lease(lease_id=lease_id, now=timezone.now()),
    )


@shared_task
def give_up_unserved_jobs() -> None:
    """End jobs that no machine took, so that nobody's money waits with them."""
    until = timezone.now() - operations.WAITS_AT_MOST
    sweeps.each(
        queries.unserved_job_ids(until, limit=JOBS_PER_SWEEP),
        lambda job_id: operations.give_up_waiting(job_id=job_id, now=timezone.now()),
    )


@shared_task
def settle_scored_jobs() -> None:
    """Pay, retry or give up the jobs that were scored."""
    sweeps.together(
        queries.scored_job_ids(timezone.now(), limit=JOBS_PER_SWEEP),
        lambda job_ids: operations.settle_jobs(job_ids=job_ids, now=timezone.now()),
        at_once=operations.SETTLED_AT_ONCE,
    )


@shared_task
def close_due_epochs() -> None:
    """Close and pay one epoch of every subnet that is due; after an outage epoch by epoch."""
    sweeps.each(
        subnets.due_epochs(timezone.now()),
        lambda due: operations.close_epoch(due=due, now=timezone.now()),
    )


@shared_task
def settle_left_tabs() -> None:
    """Settle tabs whose gateway never came back: what was recorded is paid, the rest released."""
    sweeps.each(
        queries.left_tab_ids(timezone.now(), limit=TABS_PER_SWEEP),
        lambda tab_id: operations.settle_tab(tab_id=tab_id, now=timezone.now()),
    )


@shared_task
def give_up_missed_chats() -> None:
    """Tell who reported an answer that no gateway had the conversation any more."""
    due = queries.missed_chats(timezone.now(), limit=JOBS_PER_SWEEP)
    operations.miss_chats(usage_ids=due, now=timezone.now())


@shared_task
def forget_reported_chats() -> None:
    """Keep no conversation longer than its consumer was told."""
    due = queries.outlived_chats(timezone.now(), limit=JOBS_PER_SWEEP)
    operations.forget_chats(usage_ids=due)
