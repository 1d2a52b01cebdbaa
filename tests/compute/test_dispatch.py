"""From the queue to a machine: offers and deadlines."""

import threading
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction

from compute import operations
from compute.errors import MachineUnknown, TooManyMachines
from compute.models import Job, Lease, Machine, TrackRecord
from compute.operations import dispatch, machines
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.usefixtures("db")

LATE = NOW + timedelta(seconds=settings.LEASE_S)
BACKED_OFF = LATE + timedelta(seconds=1)
A_MINUTE_LATER = NOW + timedelta(seconds=61)


@pytest.fixture
def netuid(db):
    return make.subnet()


def again(miner, *, now, **changed):
    report = {
        "hotkey": miner.hotkey,
        "owner": miner.owner,
        "name": "rig",
        "cpu_model": "a newer processor",
        "cpu_count": 8,
        "memory_bytes": 2**34,
        "gpus": [],
        "blueprints": ["matmul"],
        "concurrency": 1,
        "now": now,
    }
    return operations.report_machine(**(report | changed))


def test_a_queued_job_becomes_a_lease_of_a_live_machine(netuid):
    miner = make.miner(netuid)
    job = make.job(netuid)

    [lease] = make.dispatched()

    job.refresh_from_db()
    assert job.state == Job.State.LEASED
    assert (lease.job_id, lease.machine_id, lease.hotkey) == (
        job.pk,
        miner.machine_id,
        miner.hotkey,
    )
    assert lease.deadline_at == LATE


def test_a_machine_not_heard_of_for_a_minute_gets_no_work(netuid):
    make.miner(netuid)
    make.job(netuid)

    assert make.dispatched(now=A_MINUTE_LATER) == []


def test_asking_for_work_keeps_a_machine_alive(netuid):
    miner = make.miner(netuid)
    make.job(netuid)
    operations.see_machine(machine_id=miner.machine_id, hotkey=miner.hotkey, now=A_MINUTE_LATER)

    assert len(make.dispatched(now=A_MINUTE_LATER)) == 1


def test_a_machine_of_a_hotkey_without_a_uid_gets_no_work(netuid):
    elsewhere = make.subnet()
    make.miner(elsewhere)
    make.job(netuid)

    assert make.dispatched() == []


def test_dispatching_again_offers_nothing_twice(netuid):
    make.miner(netuid, concurrency=4)
    make.job(netuid)

    first = make.dispatched()

    assert make.dispatched() == first
    assert Lease.objects.count() == 1


def test_a_batch_stops_at_its_limit(netuid):
    make.miner(netuid, concurrency=8)
    owner = make.rich_owner(10)
    for number in range(3):
        make.job(netuid, owner, key=f"job:{number}")

    assert operations.dispatch_queued(now=NOW, limit=2) == 2
    assert Job.objects.filter(state=Job.State.QUEUED).count() == 1


def test_dispatch_costs_one_write_a_job_beside_ten_statements(
    netuid, django_assert_max_num_queries
):
    make.miner(netuid, concurrency=20)
    owner = make.rich_owner(10)
    for number in range(10):
        make.job(netuid, owner, key=f"job:{number}")

    # Savepoint and release, neurons, machines, records, open leases, the first in the queue, their locks,
    # earlier leases, one write per job, one for all leases.
    with django_assert_max_num_queries(10 + 10):
        assert operations.dispatch_queued(now=NOW, limit=100) == 10


def test_a_taken_lease_is_returned_again_to_a_miner_whose_answer_got_lost(netuid):
    miner = make.miner(netuid)
    make.job(netuid)
    make.dispatched()

    first = operations.take_lease(machine_id=miner.machine_id, hotkey=miner.hotkey, now=NOW)
    second = operations.take_lease(machine_id=miner.machine_id, hotkey=miner.hotkey, now=NOW)

    assert first.pk == second.pk
    assert (second.state, second.taken_at) == (Lease.State.TAKEN, NOW)


def test_a_new_offer_comes_before_a_lease_that_was_taken(netuid):
    miner = make.miner(netuid, concurrency=2)
    make.job(netuid)
    make.dispatched()
    first = operations.take_lease(machine_id=miner.machine_id, hotkey=miner.hotkey, now=NOW)
    make.job(netuid)
    make.dispatched()

    second = operations.take_lease(machine_id=miner.machine_id, hotkey=miner.hotkey, now=NOW)

    assert second.pk != first.pk


def test_a_machine_that_works_on_several_is_not_given_what_it_may_be_at(netuid):
    miner = make.miner(netuid, concurrency=2)
    make.job(netuid)
    make.dispatched()
    operations.take_lease(machine_id=miner.machine_id, hotkey=miner.hotkey, now=NOW)

    again = operations.take_lease(machine_id=miner.machine_id, hotkey=miner.hotkey, now=NOW)

    assert again is None


def test_somebody_else_cannot_take_a_lease_of_my_machine(netuid):
    miner, thief = make.miner(netuid), make.miner(make.subnet())
    make.job(netuid)
    make.dispatched()

    assert operations.take_lease(machine_id=miner.machine_id, hotkey=thief.hotkey, now=NOW) is None


def test_nobody_speaks_for_anothers_machine(netuid):
    miner, other = make.miner(netuid), make.miner(netuid)

    with pytest.raises(MachineUnknown):
        operations.see_machine(machine_id=miner.machine_id, hotkey=other.hotkey, now=A_MINUTE_LATER)

    assert Machine.objects.get(pk=miner.machine_id).last_seen_at == NOW


def test_a_lease_past_its_deadline_is_not_given_out(netuid):
    miner = make.miner(netuid)
    make.job(netuid)
    make.dispatched()

    assert operations.take_lease(machine_id=miner.machine_id, hotkey=miner.hotkey, now=LATE) is None


def test_a_dead_miners_lease_expires_and_the_job_goes_to_another(netuid):
    dead, alive = make.miner(netuid), make.miner(netuid)
    job = make.job(netuid)
    [lease] = make.dispatched()
    other = alive if lease.hotkey == dead.hotkey else dead

    assert operations.expire_lease(lease_id=lease.pk, now=LATE) is True
    operations.see_machine(machine_id=other.machine_id, hotkey=other.hotkey, now=LATE)
    assert make.dispatched(now=LATE) == []
    [second] = make.dispatched(now=BACKED_OFF)

    job.refresh_from_db()
    assert (job.state, job.attempts_count) == (Job.State.LEASED, 1)
    assert second.hotkey == other.hotkey


def test_a_machine_that_never_fetched_an_offer_is_not_blamed_and_may_get_the_job_again(netuid):
    miner = make.miner(netuid)
    make.job(netuid)
    [lease] = make.dispatched()
    operations.expire_lease(lease_id=lease.pk, now=LATE)
    operations.see_machine(machine_id=miner.machine_id, hotkey=miner.hotkey, now=LATE)

    [second] = make.dispatched(now=BACKED_OFF)

    lease.refresh_from_db()
    assert (lease.fault, second.hotkey) == ("platform", miner.hotkey)
    assert TrackRecord.objects.get().bad_milli == 0


def test_a_lease_that_was_taken_and_lost_counts_against_its_machine(netuid):
    miner = make.miner(netuid)
    make.job(netuid)
    [lease] = make.dispatched()
    operations.take_lease(machine_id=miner.machine_id, hotkey=miner.hotkey, now=NOW)

    operations.expire_lease(lease_id=lease.pk, now=LATE)

    lease.refresh_from_db()
    record = TrackRecord.objects.get()
    assert (lease.fault, record.machine_id) == ("miner", miner.machine_id)
    assert (record.bad_milli, record.failures_count) == (1_000, 1)
    assert record.busy_ms == settings.LEASE_S * 1_000


def test_a_subnet_nobody_serves_does_not_keep_the_jobs_of_others_out_of_the_batch(netuid):
    empty, owner = make.subnet(), make.rich_owner(10)
    for number in range(3):
        make.job(empty, owner, key=f"empty:{number}", now=NOW - timedelta(seconds=9))
    make.miner(netuid)
    job = make.job(netuid, owner)

    assert operations.dispatch_queued(now=NOW, limit=1) == 1
    job.refresh_from_db()
    assert job.state == Job.State.LEASED


def test_jobs_that_no_free_machine_may_have_do_not_keep_others_out_of_the_batch(netuid):
    miner = make.miner(netuid)
    own = make.funded(miner.owner, tao=10)
    for number in range(2):
        make.job(netuid, own, key=f"own:{number}", now=NOW - timedelta(seconds=9))
    make.job(netuid)

    offered = [operations.dispatch_queued(now=NOW, limit=2) for _ in range(2)]

    assert offered == [0, 1]


def test_a_lease_does_not_expire_before_its_deadline_nor_twice(netuid):
    make.miner(netuid)
    job = make.job(netuid)
    [lease] = make.dispatched()

    early = operations.expire_lease(lease_id=lease.pk, now=LATE - timedelta(seconds=1))
    once = operations.expire_lease(lease_id=lease.pk, now=LATE)
    twice = operations.expire_lease(lease_id=lease.pk, now=LATE)

    job.refresh_from_db()
    assert (early, once, twice) == (False, True, False)
    assert job.attempts_count == 1


def test_a_job_does_not_go_back_to_the_miner_that_lost_it(netuid):
    miner = make.miner(netuid)
    make.job(netuid)
    [lease] = make.dispatched()
    operations.take_lease(machine_id=miner.machine_id, hotkey=miner.hotkey, now=NOW)
    operations.expire_lease(lease_id=lease.pk, now=LATE)
    operations.see_machine(machine_id=miner.machine_id, hotkey=miner.hotkey, now=LATE)

    assert make.dispatched(now=BACKED_OFF) == []


def test_reporting_a_machine_again_replaces_what_was_said(netuid):
    miner = make.miner(netuid)

    machine = again(miner, now=A_MINUTE_LATER)

    assert machine.pk == miner.machine_id
    assert (machine.cpu_model, machine.last_seen_at) == ("a newer processor", A_MINUTE_LATER)
    assert Machine.objects.count() == 1


def test_a_hotkey_reports_so_many_machines_and_no_more(netuid, monkeypatch):
    monkeypatch.setattr(machines, "MACHINES_PER_HOTKEY_MAX", 1)
    miner = make.miner(netuid)

    with pytest.raises(TooManyMachines):
        again(miner, name="rig 2", now=NOW)

    assert again(miner, now=NOW).pk == miner.machine_id


def test_a_lost_nudge_store_does_not_stop_dispatch(
    netuid, monkeypatch, django_capture_on_commit_callbacks
):
    def broken():
        raise dispatch.redis.ConnectionError("gone")

    monkeypatch.setattr(dispatch, "connection", broken)
    make.miner(netuid)
    make.job(netuid)

    with django_capture_on_commit_callbacks(execute=True):
        assert operations.dispatch_queued(now=NOW, limit=10) == 1


def test_a_nudge_ends_the_wait_of_its_machine(netuid):
    miner = make.miner(netuid)
    dispatch.nudge([miner.machine_id])

    # Returns at once; without the nudge it would hold the test for 20 s.
    dispatch.await_nudge(miner.machine_id, wait_s=20)

    assert dispatch.connection().llen(dispatch.bell(miner.machine_id)) == 0


def test_a_wait_lasts_as_long_as_was_asked_and_is_no_fault(netuid, caplog):
    miner = make.miner(netuid)
    began_s = time.monotonic()

    dispatch.await_nudge(
        miner.machine_id, wait_s=6
    )  # a second longer than redis-py waits by itself

    assert time.monotonic() - began_s > 5.5
    assert caplog.messages == []


@pytest.mark.django_db(transaction=True)
def test_a_sweep_killed_in_the_middle_of_its_batch_leaves_every_job_queued(transactional_db):
    netuid, owner = make.subnet(), make.rich_owner(10)
    make.miner(netuid, concurrency=8)
    for number in range(4):
        make.job(netuid, owner, key=f"job:{number}")
    ended = []

    def sweep():
        try:
            operations.dispatch_queued(now=NOW, limit=10)
        except OperationalError as fault:
            ended.append(fault)
        finally:
            connection.close()

    killed = threading.Thread(target=sweep)
    with transaction.atomic(), connection.cursor() as cursor:
        # Jobs are leased by then, and the leases cannot be written.
        cursor.execute("LOCK TABLE compute_lease IN SHARE ROW EXCLUSIVE MODE")
        killed.start()
        # What the database sees of a worker that was killed: its connection is gone.
        while not ended:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO \"compute_lease\"%'"
            )
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            killed.join(0.05)

    assert set(Job.objects.values_list("state", flat=True)) == {Job.State.QUEUED}
    assert not Lease.objects.exists()
    assert operations.dispatch_queued(now=NOW, limit=10) == 4
