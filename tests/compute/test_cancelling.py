"""Cancelling a job: what waits or is worked on ends at once, and nobody is blamed."""

from datetime import timedelta

import pytest

from compute import operations, queries
from compute.errors import JobNotCancellable, JobUnknown, LeaseWithdrawn
from compute.models import Job, Lease, TrackRecord
from compute.reliability import UNKNOWN
from ledger.money import RAO_PER_TAO as TAO
from tests import make
from tests.compute import wire
from tests.make import NOW

SECOND = timedelta(seconds=1)

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def consumer():
    return make.rich_owner(10)


@pytest.fixture
def netuid():
    return make.subnet()


@pytest.fixture
def job(netuid, consumer):
    return make.job(netuid, consumer)


def cancel(job, consumer, *, now=NOW):
    return operations.cancel_job(job_id=job.pk, owner=consumer, now=now)


def test_a_job_that_waits_is_cancelled_and_its_price_free_at_once(job, consumer):
    cancelled = cancel(job, consumer)

    assert (cancelled.state, cancelled.ended_at) == (Job.State.CANCELLED, NOW)
    assert (make.held_rao(consumer), make.wallet_rao(consumer)) == (0, 10 * TAO)


def test_cancelling_again_changes_nothing(job, consumer):
    cancel(job, consumer)

    again = cancel(job, consumer, now=NOW.replace(hour=13))

    assert (again.state, again.ended_at) == (Job.State.CANCELLED, NOW)


def test_a_job_under_way_is_cancelled_without_blame_and_its_result_refused(netuid, job, consumer):
    miner = make.miner(netuid)
    [lease] = make.dispatched()
    operations.take_lease(machine_id=miner.machine_id, hotkey=miner.hotkey, now=NOW)

    cancel(job, consumer)

    lease.refresh_from_db()
    record = TrackRecord.objects.get()
    assert (lease.state, lease.fault) == (Lease.State.WITHDRAWN, "consumer")
    assert (record.plain.trust, record.failures_count) == (UNKNOWN.trust, 0)
    assert make.held_rao(consumer) == 0
    output = make.signed_output(lease, miner.key)
    with pytest.raises(LeaseWithdrawn):
        operations.submit_result(lease_id=lease.pk, hotkey=miner.hotkey, now=NOW, **output)


def test_a_cancelled_lease_frees_its_place(netuid, job, consumer):
    miner = make.miner(netuid)
    make.dispatched()
    cancel(job, consumer)
    other = make.job(netuid, consumer, key="another")

    make.dispatched()

    assert Lease.objects.get(job=other).hotkey == miner.hotkey


def test_a_job_that_came_back_is_not_cancelled(netuid, job, consumer):
    miner = make.miner(netuid)
    [lease] = make.dispatched()
    make.returned(lease, miner)

    with pytest.raises(JobNotCancellable) as refusal:
        cancel(job, consumer)

    assert refusal.value.fields == {"state": "returned"}
    assert make.held_rao(consumer) == job.price_rao


def test_nobody_cancels_anothers_job(job):
    with pytest.raises(JobUnknown):
        cancel(job, make.user().pk)


def test_a_job_says_of_each_attempt_how_it_ended_and_whose_fault_it_was(netuid, job, consumer):
    miner = make.miner(netuid)
    [lease] = make.dispatched()
    operations.take_lease(machine_id=miner.machine_id, hotkey=miner.hotkey, now=NOW)
    operations.expire_lease(lease_id=lease.pk, now=lease.deadline_at)

    [attempt] = queries.attempts_of(job)

    assert (attempt.hotkey, attempt.state, attempt.fault) == (miner.hotkey, "expired", "miner")


def test_a_job_is_cancelled_and_its_attempts_shown_over_the_api():
    user = make.user()
    make.funded(user.pk, tao=10, now=wire.now())
    netuid = make.subnet(now=wire.now())
    miner = make.miner(netuid, now=wire.now())
    job = make.job(netuid, user.pk, now=wire.now())
    make.dispatched(now=wire.now())
    client = wire.session(user)

    answer = client.post(f"/api/v1/jobs/{job.pk}/cancel/")

    shown = client.get(f"/api/v1/jobs/{job.pk}/").json()
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    [attempt] = shown["attempts"]
    assert (attempt["miner"], attempt["state"]) == (miner.hotkey, "withdrawn")
    assert attempt["fault"] == "consumer"


def test_a_job_that_no_machine_takes_for_an_hour_ends_and_its_price_is_free(job, consumer):
    early = operations.give_up_waiting(job_id=job.pk, now=NOW + operations.WAITS_AT_MOST - SECOND)
    late = operations.give_up_waiting(job_id=job.pk, now=NOW + operations.WAITS_AT_MOST)

    job.refresh_from_db()
    assert (early, late) == (False, True)
    assert (job.state, job.failure) == ("failed", "no machine that may have it was free in an hour")
    assert (make.held_rao(consumer), make.wallet_rao(consumer)) == (0, 10 * TAO)


def test_a_job_that_a_machine_has_is_not_given_up(netuid, job):
    make.miner(netuid)
    make.dispatched()

    assert not operations.give_up_waiting(job_id=job.pk, now=NOW + operations.WAITS_AT_MOST)


def test_the_sweep_finds_what_waits_for_too_long(job):
    assert queries.unserved_job_ids(NOW - SECOND, limit=5) == []
    assert queries.unserved_job_ids(NOW, limit=5) == [job.pk]
