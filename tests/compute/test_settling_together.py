"""Jobs settled together: each by its own scores, in a number of statements that does not grow with them."""

from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from compute import operations, tasks
from compute.models import Comparison, Job, TrackRecord
from compute.operations import settlement
from compute.verification import Verdict
from ledger.models import Entry
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.usefixtures("db")

RIGHT, WRONG = 1_000_000, 0


class Market:
    """A subnet with two miners of many places, a validator and a consumer."""

    def __init__(self):
        self.netuid = make.subnet()
        machines = [make.miner(self.netuid, concurrency=32) for _ in range(2)]
        self.miners = {miner.hotkey: miner for miner in machines}
        self.validator = make.validator(self.netuid)
        self.consumer = make.rich_owner(100)

    def returned(self, *ppms):
        """Order a job for each score, have them done and scored, None: not at all; return their ids."""
        jobs = [make.job(self.netuid, self.consumer) for _ in ppms]
        fates = {job.pk: ppm for job, ppm in zip(jobs, ppms, strict=True)}
        for lease in make.dispatched():
            miner = self.miners[lease.hotkey]
            ppm = fates.get(lease.job_id, RIGHT)  # a replica
            output = make.wrong_output(lease) if ppm == WRONG else None
            fields = make.signed_output(lease, miner.key, output=output)
            result, _ = operations.submit_result(
                lease_id=lease.pk, hotkey=miner.hotkey, now=NOW, **fields
            )
            if ppm is not None:
                make.scored(result, self.validator, ppm=ppm)
        return [job.pk for job in jobs]


@pytest.fixture
def market(db):
    return Market()


def states(job_ids):
    found = dict(Job.objects.values_list("pk", "state"))
    return [found[pk] for pk in job_ids]


def test_each_job_of_a_batch_is_settled_by_its_own_scores(market):
    ids = market.returned(RIGHT, WRONG, None, RIGHT)
    price_rao = Job.objects.get(pk=ids[0]).price_rao
    before_rao = make.wallet_rao(market.consumer) + make.held_rao(market.consumer)

    verdicts = operations.settle_jobs(job_ids=ids, now=NOW)

    assert [verdicts[pk] for pk in ids] == [
        Verdict.ACCEPTED,
        Verdict.REJECTED,
        Verdict.PENDING,
        Verdict.ACCEPTED,
    ]
    assert states(ids) == ["verified", "queued", "returned", "verified"]
    # One entry pays both; what is not decided stays set aside.
    assert Entry.objects.filter(code="job:settled").count() == 1
    assert make.held_rao(market.consumer) == 2 * price_rao
    left_rao = make.wallet_rao(market.consumer) + make.held_rao(market.consumer)
    assert before_rao - left_rao == 2 * price_rao
    good, bad = zip(*TrackRecord.objects.values_list("good_milli", "bad_milli"), strict=True)
    assert (sum(good), sum(bad)) == (2_000, 1_000)


def test_a_batch_that_nobody_judged_is_given_up_by_one_entry(market):
    ids = market.returned(None, None)
    Job.objects.filter(pk__in=ids).update(attempts_count=settlement.ATTEMPTS_MAX - 1)
    due = NOW + timedelta(seconds=django_settings.VERIFY_S)

    operations.settle_jobs(job_ids=ids, now=due)

    assert states(ids) == ["failed", "failed"]
    assert Entry.objects.filter(code="job:released").count() == 1
    assert make.held_rao(market.consumer) == 0


def test_a_second_batch_pays_none_of_them_again(market):
    ids = market.returned(RIGHT, RIGHT)
    operations.settle_jobs(job_ids=ids, now=NOW)
    left_rao = make.wallet_rao(market.consumer)

    assert operations.settle_jobs(job_ids=ids, now=NOW) == {}
    assert make.wallet_rao(market.consumer) == left_rao


@pytest.mark.parametrize("replicates", [False, True])
def test_ten_jobs_take_as_many_statements_as_two(market, settings, replicates):
    settings.REPLICATE_JOBS = replicates
    market.returned(*[RIGHT] * 2)  # records begin, and newcomers' jobs are done again
    counts = []

    for count in (2, 10):
        operations.settle_jobs(job_ids=Job.objects.values_list("pk", flat=True), now=NOW)
        ids = market.returned(*[RIGHT] * count)
        with CaptureQueriesContext(connection) as statements:
            assert len(operations.settle_jobs(job_ids=ids, now=NOW)) == count
        counts.append(len(statements))

    assert counts[0] == counts[1]


def test_replicas_of_a_batch_are_compared_each_with_its_own_job(market, settings):
    settings.REPLICATE_JOBS = True
    ids = market.returned(RIGHT, RIGHT, RIGHT)
    operations.settle_jobs(job_ids=ids, now=NOW)

    market.returned()  # the replicas
    replicas = Job.objects.filter(origin=Job.Origin.REPLICA)
    operations.settle_jobs(job_ids=replicas.values_list("pk", flat=True), now=NOW)

    assert {job.replicates_id for job in replicas} == set(ids)
    assert Comparison.objects.filter(is_right=True).count() == 6


def test_a_job_that_cannot_be_settled_keeps_no_other_from_its_pay(market, monkeypatch):
    ids = market.returned(RIGHT, RIGHT, RIGHT)
    paid = settlement.paid

    def stumble(case):
        assert case.job.pk != ids[1], "a state that no rule foresaw"
        return paid(case)

    monkeypatch.setattr(settlement, "paid", stumble)
    tasks.settle_scored_jobs()

    assert states(ids) == ["verified", "returned", "verified"]
    monkeypatch.undo()
    tasks.settle_scored_jobs()
    assert states(ids) == ["verified"] * 3
