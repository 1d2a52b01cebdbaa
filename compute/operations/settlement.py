"""Settlement: a scored job is paid, tried again elsewhere, or given up."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from compute import pricing, queries, scheduling, verification
from compute.errors import JobNotCancellable
from compute.models import Job, Lease, Result
from compute.operations import replicas
from compute.operations.jobs import hold_of
from compute.operations.records import note_outcome
from compute.reliability import Fault
from compute.verification import Verdict
from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, PostHold, VoidHold
from subnets import queries as subnets

ATTEMPTS_MAX = 4  # four machines of four owners; after that the job itself is the likelier fault

# Nobody waits longer for a first token or a matrix; money that is set aside has to come free again.
WAITS_AT_MOST = timedelta(hours=1)


@transaction.atomic
def settle_job(*, job_id: UUID, now: datetime) -> Verdict:
    """Decide a returned job by its scores: pay it, give it to another machine, or wait.

    A job that is not waiting for scores (settled before, or back in the queue) answers PENDING.
    """
    job = queries.lock_job(job_id)
    if job.state != Job.State.RETURNED:
        return Verdict.PENDING
    result = queries.last_result(job)
    assert job.verify_by_at is not None, "a returned job has a deadline for its scores"
    verdict = verification.verdict(
        scores_ppm=queries.scores_of(result),
        stakes_rao=queries.judges(result),
        is_due=job.verify_by_at <= now,
    )
    match verdict:
        case Verdict.ACCEPTED:
            note_outcome(result.lease, blueprint=job.blueprint, fault=None, now=now)
            pay(job, result, now=now)
            if job.origin == Job.Origin.REPLICA:
                replicas.compare(job, now=now)
            else:
                replicas.replicate_perhaps(job, result, now=now)
        case Verdict.REJECTED:
            blame(job, result, Fault.MINER, now=now)
            # A planted job that was scored is named as one in the epoch's bundle: nobody is to get it after that.
            is_spent = job.origin == Job.Origin.CANARY
            failure = "every result was found wrong"
            give_up_or_queue(job, failure=failure, is_spent=is_spent, now=now)
        case Verdict.UNJUDGED:
            blame(job, result, Fault.VALIDATOR, now=now)
            give_up_or_queue(job, failure="no validator judged it in time", now=now)
        case Verdict.PENDING:
            pass
    return verdict


def blame(job: Job, result: Result, fault: Fault, *, now: datetime) -> None:
    """Write down whose fault it is that a result came to nothing."""
    lease = result.lease
    lease.fault = fault
    lease.save(update_fields=["fault"])
    note_outcome(lease, blueprint=job.blueprint, fault=fault, now=now)


def pay(job: Job, result: Result, *, now: datetime) -> None:
    """End a verified job: the held price goes to miner, subnet owner and marketplace."""
    job.move_to(Job.State.VERIFIED, now=now)
    if not job.price_rao:
        return
    parts = pricing.shares(job.price_rao)
    miner = queries.owner_by_hotkey({result.hotkey})[result.hotkey]
    owner = subnets.subnet(job.netuid).owner
    payees = [
        (chart.wallet(miner), parts.miner_rao),
        (chart.wallet(owner), parts.owner_rao),
        (chart.FEES, parts.fee_rao),
    ]
    post = PostHold(hold=hold_of(job), to=tuple(payee for payee in payees if payee[1]))
    ledger.post(Entry(key=f"job:settled:{job.pk}", code=Code.JOB_SETTLED, at=now, steps=(post,)))


def give_up_or_queue(job: Job, *, failure: str, now: datetime, is_spent: bool = False) -> None:
    """Give the job to another machine, or end it and release what was held for it."""
    job.attempts_count += 1
    if job.attempts_count < ATTEMPTS_MAX and not is_spent:
        job.queued_at, job.verify_by_at = now, None
        # What was tried before comes before what is new.
        is_planted = job.origin != Job.Origin.CONSUMER
        job.turn_at = scheduling.turn_at(queued_at=job.created_at, is_canary=is_planted)
        job.ready_at = now + scheduling.back_off(job.attempts_count)
        job.move_to(Job.State.QUEUED, now=now)
        return
    job.failure = failure
    job.move_to(Job.State.FAILED, now=now)
    release(job, now=now)


@transaction.atomic
def cancel_job(*, job_id: UUID, owner: UUID, now: datetime) -> Job:
    """End a consumer's job that waits or is worked on, and release its hold at once. Replays return the same job.

    A machine that works on it is not blamed; what it returns is refused as lease_withdrawn.
    Raises: JobUnknown, JobNotCancellable.
    """
    queries.job_of(job_id, owner)
    # In the order of those who return or expire a lease: the lease, then the job.
    lease = queries.lock_lease_of(job_id)
    job = queries.lock_job(job_id)
    if job.state == Job.State.CANCELLED:
        return job
    if Job.State.CANCELLED not in Job.TRANSITIONS[Job.State(job.state)]:
        raise JobNotCancellable(state=job.state)
    if job.state == Job.State.LEASED and lease is None:
        # It was offered in between. Waiting now might wait in a ring; who holds the lease lets the caller try again.
        lease = queries.lock_lease_of(job_id, wait=False)
    if lease is not None and lease.is_open:
        lease.fault = Fault.CONSUMER
        lease.move_to(Lease.State.WITHDRAWN, now=now)
        note_outcome(lease, blueprint=job.blueprint, fault=Fault.CONSUMER, now=now)
    job.move_to(Job.State.CANCELLED, now=now)
    release(job, now=now)
    return job


@transaction.atomic
def give_up_waiting(*, job_id: UUID, now: datetime) -> bool:
    """End a job that no machine took in time, and release its hold. False when one has it, or time is left."""
    job = queries.lock_job(job_id)
    if job.state != Job.State.QUEUED or job.created_at > now - WAITS_AT_MOST:
        return False
    job.failure = "no machine that may have it was free in an hour"
    job.move_to(Job.State.FAILED, now=now)
    release(job, now=now)
    return True


def release(job: Job, *, now: datetime) -> None:
    """Give back what was held for a job that is not paid."""
    if job.price_rao:
        void = VoidHold(hold=hold_of(job))
        ledger.post(
            Entry(key=f"job:released:{job.pk}", code=Code.JOB_RELEASED, at=now, steps=(void,))
        )
