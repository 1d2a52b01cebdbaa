"""A window is shut before it is read: no score is ever dated into one whose epoch may have been computed."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction

from compute import operations, queries
from compute.models import Job, Score
from compute.operations.epochs import SCORES_IN_FLIGHT
from compute.queries import windows
from subnets import audit
from subnets import operations as network
from subnets import queries as subnets
from subnets.metrics import Delivery
from subnets.models import Epoch, Subnet
from tests import make
from tests.make import NOW
from tests.subnets.town import BLOCK, at_block

pytestmark = pytest.mark.django_db(transaction=True)

WAITED_S_MAX = 60  # who waits for a lock gives up within five: that fails long before


@pytest.fixture
def house(transactional_db):
    """Return a subnet whose epoch is about to end, two validators, and three results of three jobs."""
    netuid = make.subnet()
    judges = [make.validator(netuid, stake_tao=stake) for stake in (3_000, 1_000)]
    miner = make.miner(netuid)
    results = []
    for n in range(3):
        make.job(netuid, make.rich_owner(10), key=f"job:{n}")
        [lease] = make.dispatched()
        results.append(make.returned(lease, miner))
    return netuid, judges, results


def end_of(netuid):
    return at_block(Subnet.objects.get(pk=netuid).next_epoch_block)


def submit(judge, *results, now):
    scores = [make.score(result, judge) for result in results]
    return operations.submit_scores(
        validator=judge.hotkey, owner=judge.owner, scores=scores, now=now
    )


def close(netuid):
    [due] = subnets.due_epochs(end_of(netuid))
    return operations.close_epoch(due=due, now=due.ends_at + SCORES_IN_FLIGHT)


def elsewhere(pool, act, *args, **options):
    """Act on a connection of its own."""

    def run():
        try:
            return act(*args, **options)
        finally:
            connection.close()

    return pool.submit(run)


def until_somebody_waits(locktype):
    """Return when a statement waits for a lock of this kind."""
    given_up_at = time.monotonic() + WAITED_S_MAX
    with connection.cursor() as cursor:
        while time.monotonic() < given_up_at:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = %s", [locktype]
            )
            if cursor.fetchone()[0]:
                return
    raise AssertionError(f"nobody waited for a lock of kind {locktype}")


def test_scores_that_waited_while_their_window_was_read_count_for_the_next_one(house):
    netuid, (judge, _), results = house
    ends_at = end_of(netuid)
    submit(judge, results[0], now=ends_at - timedelta(seconds=2))

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            queries.lock_judge(judge.hotkey)
            late = elsewhere(
                pool, submit, judge, *results[1:], now=ends_at - timedelta(seconds=0.1)
            )
            until_somebody_waits("transactionid")
            with ThreadPoolExecutor(1) as other:
                first = elsewhere(other, close, netuid).result()
        assert late.result().accepted_count == 2

    assert [row.scored_at >= ends_at for row in Score.objects.order_by("scored_at")] == [
        False,
        True,
        True,
    ]
    [line] = queries.open_commitments(netuid)
    assert (line.count, line.total_count) == (2, 3)
    second = close(netuid)
    said = [epoch.bundle["record"]["commitments"][judge.hotkey] for epoch in (first, second)]
    assert said[0]["after"] == said[1]["before"]
    assert [len(epoch.bundle["record"]["scores"]) for epoch in (first, second)] == [1, 2]
    assert audit.audit(first.bundle).is_match
    assert audit.audit(second.bundle).is_match


def test_a_window_is_read_when_those_who_write_into_it_are_through(house):
    netuid, (judge, _), results = house
    ends_at = end_of(netuid)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            submit(judge, *results, now=ends_at - timedelta(seconds=0.1))
            closing = elsewhere(pool, close, netuid)
            until_somebody_waits("advisory")
        epoch = closing.result()

    assert len(epoch.bundle["record"]["scores"]) == 3
    assert epoch.bundle["record"]["commitments"][judge.hotkey]["count"] == 3
    assert queries.open_commitments(netuid) == []
    assert audit.audit(epoch.bundle).is_match


def test_validators_do_not_wait_for_each_other_to_score(house):
    netuid, judges, results = house
    at = end_of(netuid) - timedelta(seconds=1)

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        submit(judges[0], *results, now=at)
        taken = elsewhere(pool, submit, judges[1], *results, now=at).result(WAITED_S_MAX)

    assert taken.accepted_count == 3


def test_a_clock_that_lags_dates_no_score_into_a_window_that_was_read_and_never_closed(
    house, monkeypatch
):
    netuid, (judge, _), results = house
    ends_at = end_of(netuid)
    with monkeypatch.context() as patch:
        patch.setattr("compute.operations.epochs.subnets.run_epoch", lambda **_: None)
        assert close(netuid) is None

    submit(judge, *results, now=ends_at - timedelta(seconds=30))

    assert not Epoch.objects.exists()
    assert {row.scored_at >= ends_at for row in Score.objects.all()} == {True}
    assert close(netuid).bundle["record"]["scores"] == []


def test_what_is_written_while_a_window_is_read_is_seen_whole_or_not_at_all(house, monkeypatch):
    netuid, judges, results = house
    submit(judges[0], results[0], now=NOW)
    read = queries.windows.window_commitments

    def read_after_another_score(*args, **window):
        with ThreadPoolExecutor(1) as pool:
            late = elsewhere(pool, submit, judges[0], *results[1:], now=NOW)
        assert late.result().accepted_count == 2
        return read(*args, **window)

    monkeypatch.setattr("compute.queries.windows.window_commitments", read_after_another_score)
    found = queries.gather(netuid, starts_at=NOW, ends_at=end_of(netuid))

    assert Score.objects.count() == 3
    assert len(found.scores) == len(found.proof.results) == 1
    assert found.proof.commitments[judges[0].hotkey].count == 1


def test_a_miner_answers_for_what_it_fetched_on_the_subnet_within_the_window(house):
    netuid, _, results = house
    [miner] = {result.hotkey for result in results}
    machine = results[0].lease.machine_id
    for fetches in (True, False):
        make.job(netuid)
        [lease] = make.dispatched()
        if fetches:
            operations.take_lease(machine_id=machine, hotkey=miner, now=NOW)
        assert operations.expire_lease(lease_id=lease.pk, now=lease.deadline_at)
        [job] = Job.objects.filter(state=Job.State.QUEUED)
        operations.cancel_job(job_id=job.pk, owner=job.owner, now=NOW)

    window = {"starts_at": NOW, "ends_at": end_of(netuid)}
    assert queries.gather(netuid, **window).deliveries == (Delivery(miner, 4, 3, 1),)
    assert queries.gather(make.subnet(), **window).deliveries == ()
    assert queries.gather(netuid, starts_at=end_of(netuid), ends_at=NOW).deliveries == ()


def test_scores_from_before_the_clock_stood_still_stay_sealed_and_are_paid_after(house):
    netuid, (judge, _), (first, second, _) = house
    submit(judge, first, now=NOW)
    began, restarted = Subnet.objects.get(pk=netuid), NOW + timedelta(days=1)

    network.resume_clock(now=restarted)
    assert not queries.unsealed(Score.objects.all()).exists()
    submit(judge, second, now=restarted)
    [due] = subnets.due_epochs(restarted + began.next_epoch_block * BLOCK)
    epoch = operations.close_epoch(due=due, now=due.ends_at + SCORES_IN_FLIGHT)

    assert len(epoch.bundle["record"]["scores"]) == 2
    assert audit.audit(epoch.bundle).is_match


def test_deliveries_are_counted_by_the_window_and_not_by_all_leases_there_ever_were(house):
    netuid, _, _ = house
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(windows.ONE_INSTANT)
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN " + windows.DELIVERED,
            {"netuid": netuid, "starts_at": NOW, "ends_at": end_of(netuid)},
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "compute_lease_window" in plan
