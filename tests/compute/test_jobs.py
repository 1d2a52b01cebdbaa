"""Ordering work: what it costs, what is set aside, and what is refused."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from compute import operations, queries
from compute.blueprints import matmul
from compute.errors import OwnQueueFull, PayloadInvalid, PriceAboveLimit, QueueFull
from compute.models import Job
from compute.operations import jobs
from ledger.errors import IdempotencyConflict, InsufficientFunds
from ledger.money import RAO_PER_TAO as TAO
from subnets.errors import SubnetUnknown
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.usefixtures("db")


def order(netuid, owner, **changed):
    asked = {
        "netuid": netuid,
        "owner": owner,
        "payload": make.payload(),
        "max_price_rao": TAO,
        "key": "once",
        "now": NOW,
    }
    return operations.submit_job(**(asked | changed))


def test_ordering_a_job_queues_it_and_sets_its_price_aside():
    netuid, owner = make.subnet(), make.rich_owner(10)

    job = order(netuid, owner)

    price_rao = matmul.price_rao(make.payload())
    assert (job.state, job.price_rao) == (Job.State.QUEUED, price_rao)
    assert make.held_rao(owner) == price_rao
    assert make.wallet_rao(owner) == 10 * TAO - price_rao


def test_ordering_twice_with_one_key_orders_once():
    netuid, owner = make.subnet(), make.rich_owner(10)

    first, second = order(netuid, owner), order(netuid, owner)

    assert first.pk == second.pk
    assert make.held_rao(owner) == first.price_rao


@pytest.mark.parametrize("field", ["payload", "netuid", "max_price_rao"])
def test_one_key_for_two_orders_is_refused(field):
    netuid, owner = make.subnet(), make.rich_owner(10)
    order(netuid, owner)
    others = {
        "payload": lambda: make.payload(seed=2),
        "netuid": make.subnet,
        "max_price_rao": lambda: 2 * TAO,
    }
    other = others[field]()

    with pytest.raises(IdempotencyConflict) as refusal:
        order(**({"netuid": netuid, "owner": owner} | {field: other}))

    assert refusal.value.fields == {"key": "once", "field": field}
    assert Job.objects.count() == 1


def test_a_price_above_the_limit_is_refused_and_nothing_is_held():
    netuid, owner = make.subnet(), make.rich_owner(10)
    price_rao = matmul.price_rao(make.payload())

    with pytest.raises(PriceAboveLimit) as refusal:
        order(netuid, owner, max_price_rao=price_rao - 1)

    assert refusal.value.fields == {"price_rao": price_rao, "max_price_rao": price_rao - 1}
    assert make.held_rao(owner) == 0
    assert not Job.objects.exists()
    assert order(netuid, owner, max_price_rao=price_rao).price_rao == price_rao


def test_who_cannot_pay_orders_nothing():
    netuid, poor = make.subnet(), make.user().pk

    with pytest.raises(InsufficientFunds):
        order(netuid, poor)

    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"n": 2, "a": "AAAA", "b": "AAAA"},
        {"n": 10**9, "a": "", "b": ""},
        {"n": True, "a": "", "b": ""},
    ],
)
def test_a_payload_of_another_form_is_refused(payload):
    with pytest.raises(PayloadInvalid):
        order(make.subnet(), make.rich_owner(10), payload=payload)

    assert not Job.objects.exists()


def test_a_job_for_a_subnet_that_is_not_there_is_refused():
    make.network()

    with pytest.raises(SubnetUnknown) as refusal:
        order(77, make.rich_owner(10))

    assert refusal.value.fields == {"netuid": 77}


def test_a_full_queue_takes_no_more(monkeypatch):
    monkeypatch.setattr(jobs, "QUEUE_MAX", 1)
    netuid, owner = make.subnet(), make.rich_owner(10)
    order(netuid, owner)

    with pytest.raises(QueueFull) as refusal:
        order(netuid, owner, key="another")

    assert refusal.value.fields == {
        "netuid": netuid,
        "limit": "subnet",
        "limit_count": 1,
        "retry_after_s": jobs.RETRY_AFTER_S,
    }
    assert Job.objects.count() == 1


def test_a_consumer_fills_only_a_part_of_the_queue(monkeypatch):
    monkeypatch.setattr(jobs, "OWN_QUEUE_MAX", 1)
    netuid, owner = make.subnet(), make.rich_owner(10)
    order(netuid, owner)

    with pytest.raises(OwnQueueFull) as refusal:
        order(netuid, owner, key="another")

    assert (refusal.value.fields["limit"], refusal.value.fields["limit_count"]) == ("you", 1)
    assert order(netuid, make.rich_owner(10)).state == Job.State.QUEUED


def test_somebody_elses_job_is_not_found():
    job = make.job(make.subnet())

    with pytest.raises(queries.jobs.JobUnknown):
        queries.job_of(job.pk, make.user().pk)


def test_every_live_machine_gets_a_job_whose_answer_is_known():
    netuid = make.subnet()
    make.miner(netuid)
    make.miner(netuid)

    planted = operations.plant_known_answers(netuid=netuid, now=NOW)

    assert planted == 2
    job = Job.objects.first()
    assert (job.origin, job.price_rao, job.owner) == (Job.Origin.CANARY, 0, None)
    assert matmul.check_output(job.payload, job.known_answer)


def test_known_answers_come_once_in_their_interval(settings):
    netuid = make.subnet()
    make.miner(netuid)
    settings.CANARY_EVERY_S = 30
    operations.plant_known_answers(netuid=netuid, now=NOW)

    assert operations.plant_known_answers(netuid=netuid, now=NOW + timedelta(seconds=29)) == 0
    # The first one still waits in the queue: another would only make it longer.
    assert operations.plant_known_answers(netuid=netuid, now=NOW + timedelta(seconds=31)) == 0


def test_a_dead_machine_gets_no_known_answers():
    netuid = make.subnet()
    make.miner(netuid)

    assert operations.plant_known_answers(netuid=netuid, now=NOW + timedelta(seconds=61)) == 0


def test_a_list_of_jobs_does_not_betray_known_answers_before_they_end():
    netuid = make.subnet()
    make.miner(netuid)
    operations.plant_known_answers(netuid=netuid, now=NOW)
    make.job(netuid)

    lines = queries.jobs_of(netuid)

    assert [(line.origin, line.price_rao) for line in lines] == [("", 0), ("", 0)]


def test_a_list_of_jobs_costs_three_statements_however_long(django_assert_num_queries):
    netuid, owner = make.subnet(), make.rich_owner(10)
    for number in range(5):
        make.job(netuid, owner, key=f"job:{number}")

    with django_assert_num_queries(3):
        assert len(queries.jobs_of(netuid)) == 5


@pytest.mark.django_db(transaction=True)
def test_one_order_sent_many_times_at_once_is_one_job(transactional_db):
    netuid, owner = make.subnet(), make.rich_owner(10)
    start, answers = threading.Barrier(4), []

    def send():
        try:
            start.wait()
            answers.append(order(netuid, owner).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 4
    assert len(set(answers)) == 1
    assert make.held_rao(owner) == Job.objects.get().price_rao
