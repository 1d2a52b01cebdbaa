"""Ordered jobs that another owner does once more: who may, what comes of it, and that it costs nobody."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, ProgrammingError, transaction

from compute import operations, queries, replication
from compute.models import Comparison, Job
from compute.verification import Verdict
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.usefixtures("db")


class Market:
    """A subnet whose miners are of an owner each, and a validator that says yes to everything."""

    def __init__(self):
        self.netuid = make.subnet()
        self.miners = {}
        self.validator = make.validator(self.netuid)
        self.consumer = make.rich_owner(10)
        self.now = NOW

    def join(self, count, **options):
        for _ in range(count):
            miner = make.miner(self.netuid, now=self.now, **options)
            self.miners[miner.hotkey] = miner

    def later(self):
        self.now += timedelta(seconds=10)
        for miner in self.miners.values():
            operations.see_machine(machine_id=miner.machine_id, hotkey=miner.hotkey, now=self.now)

    def order(self, **options):
        return make.job(self.netuid, self.consumer, now=self.now, **options)

    def work(self, job, *, is_wrong=False):
        """Dispatch, return and accept a job; return its result."""
        self.later()
        lease = next(one for one in make.dispatched(now=self.now) if one.job_id == job.pk)
        output = make.wrong_output(lease) if is_wrong else None
        result = make.returned(lease, self.miners[lease.hotkey], output=output, now=self.now)
        make.scored(result, self.validator, now=self.now)
        assert operations.settle_job(job_id=job.pk, now=self.now) is Verdict.ACCEPTED
        return result

    def replica(self):
        return Job.objects.filter(origin=Job.Origin.REPLICA).order_by("-created_at").first()


@pytest.fixture
def market(db):
    market = Market()
    market.join(3)
    return market


@pytest.fixture(autouse=True)
def _replicas(settings):
    settings.REPLICATE_JOBS = True


def right_count(result):
    who = result.hotkey, "matmul"
    return queries.right_counts([who])[who]


def sides():
    return dict(Comparison.objects.values_list("result", "is_right"))


def test_a_newcomers_job_is_done_again_by_another_owner_and_both_stand(market):
    result = market.work(market.order())
    replica = market.replica()

    again = market.work(replica)

    assert (replica.payload, replica.owner, replica.price_rao) == (result.job.payload, None, 0)
    assert again.hotkey != result.hotkey
    assert sides() == {result.pk: True, again.pk: True}
    assert right_count(result) == 1
    assert Job.objects.filter(origin=Job.Origin.REPLICA).count() == 1  # it is not repeated itself


def test_a_replica_moves_no_money(market):
    market.work(market.order())
    before = [make.wallet_rao(miner.owner) for miner in market.miners.values()]
    held = make.held_rao(market.consumer)

    market.work(market.replica())

    assert [make.wallet_rao(miner.owner) for miner in market.miners.values()] == before
    assert make.held_rao(market.consumer) == held == 0


def test_nothing_is_decided_before_the_output_is_signed_and_accepted(market):
    job = market.order()
    lease = make.dispatched()[0]
    result = make.returned(lease, market.miners[lease.hotkey])

    assert market.replica() is None
    make.scored(result, market.validator)
    operations.settle_job(job_id=job.pk, now=NOW)
    assert market.replica().replicates_id == job.pk


def test_answers_that_differ_call_for_a_third_owner_and_the_odd_one_was_wrong(market):
    wrong = market.work(market.order(), is_wrong=True)  # a validator that looks away
    second = market.work(market.replica())

    assert sides() == {}
    third = market.work(market.replica())

    assert len({wrong.hotkey, second.hotkey, third.hotkey}) == 3
    assert sides() == {wrong.pk: False, second.pk: True, third.pk: True}
    assert right_count(wrong) == 0
    assert right_count(third) == 1


def test_neither_the_consumer_nor_the_first_owner_s_other_machine_gets_the_replica(db):
    market = Market()
    market.join(1)
    [first] = market.miners.values()
    market.work(market.order())
    market.join(1, owner=first.owner)
    market.join(1, owner=market.consumer)

    market.later()
    assert make.dispatched(now=market.now) == []
    market.join(1)
    market.later()
    [lease] = make.dispatched(now=market.now)

    assert lease.job_id == market.replica().pk
    assert lease.machine.owner not in {first.owner, market.consumer}


def test_a_long_record_leaves_only_the_jobs_whose_coin_falls(market, monkeypatch):
    monkeypatch.setattr(queries, "right_counts", lambda wanted: dict.fromkeys(wanted, 10**6))
    monkeypatch.setattr(replication, "drawn_ppm", lambda job_id, *, secret: 30_000)
    market.work(market.order(key="over"))
    assert market.replica() is None

    monkeypatch.setattr(replication, "drawn_ppm", lambda job_id, *, secret: 29_999)
    market.work(market.order(key="under"))
    assert market.replica() is not None


def test_an_operator_can_do_without_replicas(market, settings):
    settings.REPLICATE_JOBS = False

    market.work(market.order())

    assert market.replica() is None


def test_what_was_compared_is_a_fact(market):
    market.work(market.order())
    market.work(market.replica())

    with pytest.raises(ProgrammingError, match="Cannot update"), transaction.atomic():
        Comparison.objects.update(is_right=False)


def test_a_lease_of_a_replica_looks_like_any_other(market):
    job = market.order()
    market.work(job)

    line = next(one for one in queries.jobs_of(market.netuid) if one.id == market.replica().pk)

    assert (line.origin, line.price_rao, line.created_at) == ("", 0, None)


def test_a_replica_of_nothing_is_refused_by_the_database(market):
    job = market.order()

    refused = pytest.raises(IntegrityError, match="replica_names_what_it_repeats")
    with refused, transaction.atomic():
        Job.objects.filter(pk=job.pk).update(origin="replica", owner=None)
