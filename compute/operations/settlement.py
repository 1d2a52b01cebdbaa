"""Settlement: scored jobs are paid, tried again elsewhere, or given up."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from compute import pricing, queries, scheduling, verification
from compute.errors import JobNotCancellable
from compute.models import Job, Lease
from compute.operations import logbook, replicas
from compute.operations.moves import write_jobs
from compute.operations.records import Outcome, note_outcomes
from compute.queries import Case
from compute.reliability import Fault
from compute.verification import Verdict
from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, PostHold, VoidHold

ATTEMPTS_MAX = 4  # four machines of four owners; after that the job itself is the likelier fault

# Nobody waits longer for a first token or a matrix; money that is set aside has to come free again.
WAITS_AT_MOST = timedelta(hours=1)

# Jobs settled together: every entry keeps within the ledger's limit of steps, and wallets are locked for moments.
SETTLED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Loss:
    """Why a result came to nothing, and what is said of its job if it was the last attempt."""

    fault: Fault
    failure: str


LOSSES = {
    Verdict.REJECTED: Loss(Fault.MINER, verification.FOUND_WRONG),
    Verdict.UNJUDGED: Loss(Fault.VALIDATOR, "no validator judged it in time"),
}


def settle_job(*, job_id: UUID, now: datetime) -> Verdict:
    """Decide one returned job. One that does not wait for scores, or is being settled, answers PENDING."""
    return settle_jobs(job_ids=[job_id], now=now).get(job_id, Verdict.PENDING)


@transaction.atomic
def settle_jobs(*, job_ids: Collection[UUID], now: datetime) -> dict[UUID, Verdict]:
    """Decide returned jobs by their scores, together: pay them, give them to other machines, or let them wait.

    Return job → verdict; a job that does not wait for scores (settled before, or back in the queue), or that
    another worker is settling, is not in the answer. The number of statements grows with the subnets and not
    with the jobs. What fails for one fails for all, and none is touched.
    """
    cases = queries.lock_cases(job_ids)
    decided = [(case, verdict_on(case, now=now)) for case in cases]
    accepted = [case for case, verdict in decided if verdict is Verdict.ACCEPTED]
    lost = [(case, loss) for case, verdict in decided if (loss := LOSSES.get(verdict))]
    for case in accepted:
        case.job.turn_to(Job.State.VERIFIED, now=now)
    for case, loss in lost:
        # A planted job that was scored is named as one in the epoch's bundle: nobody is to get it after that.
        # And a reported answer is one miner's, whom nobody else can stand in for.
        is_spent = case.job.origin == Job.Origin.REPORTED or (
            loss.fault is Fault.MINER and case.job.origin == Job.Origin.CANARY
        )
        queue_or_give_up(case.job, failure=loss.failure, is_spent=is_spent, now=now)
    write_jobs([case.job for case in accepted] + [case.job for case, _ in lost])
    blame(lost)
    logbook.note(
        "job:verified job=%s result=%s hotkey=%s",
        [(case.job.pk, case.result.pk, case.result.hotkey) for case in accepted],
    )
    note_outcomes(
        [Outcome(case.result.lease, case.job.blueprint, None) for case in accepted]
        + [Outcome(case.result.lease, case.job.blueprint, loss.fault) for case, loss in lost],
        now=now,
    )
    replicas.compare([case.job for case in accepted], now=now)
    replicas.replicate_some(accepted, now=now)
    pay(accepted, now=now)
    release([case.job for case, _ in lost], now=now)
    return {case.job.pk: verdict for case, verdict in decided}


def verdict_on(case: Case, *, now: datetime) -> Verdict:
    """Decide one case."""
    assert case.job.verify_by_at is not None, "a returned job has a deadline for its scores"
    return verification.verdict(
        scores_ppm=case.scores_ppm,
        stakes_rao=case.stakes_rao,
        is_due=case.job.verify_by_at <= now,
    )


def blame(lost: Collection[tuple[Case, Loss]]) -> None:
    """Write down whose fault it is that results came to nothing."""
    for fault in {loss.fault for _, loss in lost}:
        leases = [case.result.lease_id for case, loss in lost if loss.fault is fault]
        Lease.objects.filter(pk__in=leases).update(fault=fault)


def pay(cases: Collection[Case], *, now: datetime) -> None:
    """Pay verified jobs by one entry: each held price goes to miner, subnet owner and marketplace.

    A hold is posted once, so no job is paid twice, in whatever batch it is. The entry is named after the first
    of its jobs, which is verified once.
    """
    posts = {case.job.pk: paid(case) for case in cases if case.job.price_rao}
    if posts:
        steps = tuple(posts[pk] for pk in sorted(posts))
        ledger.post(
            Entry(key=f"job:settled:{min(posts)}", code=Code.JOB_SETTLED, at=now, steps=steps)
        )
    logbook.note(
        "job:paid job=%s hotkey=%s price_rao=%s",
        [
            (case.job.pk, case.result.hotkey, case.job.price_rao)
            for case in cases
            if case.job.pk in posts
        ],
    )


def paid(case: Case) -> PostHold:
    """Return who gets which part of a job's price."""
    parts = pricing.shares(case.job.price_rao)
    payees = [
        (chart.wallet(case.miner), parts.miner_rao),
        (chart.wallet(case.subnet_owner), parts.owner_rao),
        (chart.FEES, parts.fee_rao),
    ]
    assert case.job.hold is not None, "what has a price has a hold"
    return PostHold(hold=case.job.hold, to=tuple(payee for payee in payees if payee[1]))


def queue_or_give_up(job: Job, *, failure: str, now: datetime, is_spent: bool = False) -> None:
    """Turn a job back to the queue for another machine, or to its end; to be written and released."""
    job.attempts_count += 1
    if job.attempts_count < ATTEMPTS_MAX and not is_spent:
        job.queued_at, job.verify_by_at = now, None
        # What was tried before comes before what is new.
        is_planted = job.origin != Job.Origin.CONSUMER
        job.turn_at = scheduling.turn_at(queued_at=job.created_at, is_canary=is_planted)
        job.ready_at = now + scheduling.back_off(job.attempts_count)
        job.turn_to(Job.State.QUEUED, now=now)
        logbook.note(
            "job:requeued job=%s attempts=%s reason=%s",
            [(job.pk, job.attempts_count, logbook.word(failure))],
        )
    else:
        fail(job, failure=failure, now=now)


def fail(job: Job, *, failure: str, now: datetime) -> None:
    """Turn a job to its bad end; to be written and released."""
    job.failure = failure
    job.turn_to(Job.State.FAILED, now=now)
    logbook.note(
        "job:failed job=%s attempts=%s reason=%s",
        [(job.pk, job.attempts_count, logbook.word(failure))],
    )


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
        note_outcomes([Outcome(lease, job.blueprint, Fault.CONSUMER)], now=now)
    job.move_to(Job.State.CANCELLED, now=now)
    logbook.note(
        "job:cancelled job=%s lease=%s", [(job.pk, lease.pk if lease is not None else "-")]
    )
    release([job], now=now)
    return job


@transaction.atomic
def give_up_waiting(*, job_id: UUID, now: datetime) -> bool:
    """End a job that no machine took in time, and release its hold. False when one has it, or time is left."""
    job = queries.lock_job(job_id)
    if job.state != Job.State.QUEUED or job.created_at > now - WAITS_AT_MOST:
        return False
    fail(job, failure="no machine that may have it was free in an hour", now=now)
    write_jobs([job])
    release([job], now=now)
    return True


def release(jobs: Collection[Job], *, now: datetime) -> None:
    """Give back by one entry what was held for those of some jobs that ended unpaid."""
    unpaid = {Job.State.FAILED, Job.State.CANCELLED}
    ended = {job.pk: VoidHold(job.hold) for job in jobs if job.hold and job.state in unpaid}
    if ended:
        steps = tuple(ended[pk] for pk in sorted(ended))
        ledger.post(
            Entry(key=f"job:released:{min(ended)}", code=Code.JOB_RELEASED, at=now, steps=steps)
        )
        logbook.note("job:released job=%s", [(pk,) for pk in ended])
