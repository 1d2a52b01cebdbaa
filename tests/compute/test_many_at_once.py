"""Many at once: jobs ordered, leases taken and results returned in one request each."""

from uuid import uuid4

import pytest

from compute import operations
from compute.errors import OrderRefused, OwnQueueFull
from compute.models import Job, Lease, Result
from compute.operations import jobs
from compute.operations.jobs import Order
from compute.operations.results import ResultInput
from ledger.errors import IdempotencyConflict, InsufficientFunds
from ledger.models import Entry
from ledger.money import RAO_PER_TAO as TAO
from tests import make
from tests.compute import wire
from tests.compute.wire import signed
from tests.make import NOW

pytestmark = pytest.mark.usefixtures("db")


def orders(netuid, count=3):
    return [Order(netuid, make.payload(seed=seed), TAO) for seed in range(count)]


def order(netuid, owner, asked=None, key="once"):
    return operations.submit_jobs(owner=owner, orders=asked or orders(netuid), key=key, now=NOW)


def test_jobs_ordered_together_are_held_by_one_entry_and_each_paid_by_itself():
    netuid, owner = make.subnet(), make.rich_owner(10)

    ordered = order(netuid, owner)

    assert [job.payload for job in ordered] == [each.payload for each in orders(netuid)]
    assert make.held_rao(owner) == sum(job.price_rao for job in ordered)
    assert Entry.objects.filter(code="job:placed").count() == 1
    operations.cancel_job(job_id=ordered[1].pk, owner=owner, now=NOW)
    assert make.held_rao(owner) == ordered[0].price_rao + ordered[2].price_rao


def test_the_same_orders_again_are_the_same_jobs():
    netuid, owner = make.subnet(), make.rich_owner(10)

    first, second = order(netuid, owner), order(netuid, owner)

    assert [job.pk for job in first] == [job.pk for job in second]
    assert Job.objects.count() == 3


@pytest.mark.parametrize("count", [4, 2])
def test_one_key_for_other_orders_is_refused(count):
    netuid, owner = make.subnet(), make.rich_owner(10)
    order(netuid, owner)

    with pytest.raises(IdempotencyConflict) as refusal:
        order(netuid, owner, orders(netuid, count))

    assert refusal.value.fields == {"key": "once", "field": "jobs"}
    assert Job.objects.count() == 3


def test_one_order_that_cannot_be_taken_is_named_and_none_is_taken():
    netuid, owner = make.subnet(), make.rich_owner(10)
    bad = [*orders(netuid), Order(netuid, {"n": 2}, TAO)]

    with pytest.raises(OrderRefused) as refusal:
        order(netuid, owner, bad)

    assert (refusal.value.fields["place"], refusal.value.fields["because"]) == (
        3,
        "payload_invalid",
    )
    assert not Job.objects.exists()
    assert len(order(netuid, owner, bad[:3])) == 3


def test_orders_beyond_the_wallet_or_the_queue_are_refused_together(monkeypatch):
    netuid, owner, poor = make.subnet(), make.rich_owner(10), make.user().pk
    with pytest.raises(InsufficientFunds):
        order(netuid, poor)

    monkeypatch.setattr(jobs, "OWN_QUEUE_MAX", 2)
    with pytest.raises(OwnQueueFull):
        order(netuid, owner)

    assert not Job.objects.exists()
    assert len(order(netuid, owner, orders(netuid, 2))) == 2


@pytest.fixture
def worker(db):
    """Return a machine that does four at once, with three jobs offered to it."""
    netuid = make.subnet()
    miner = make.miner(netuid, concurrency=4)
    order(netuid, make.rich_owner(10))
    assert len(make.dispatched()) == 3
    return miner


def taken(miner, **options):
    return operations.take_leases(
        machine_id=miner.machine_id, hotkey=miner.hotkey, now=NOW, limit=4, **options
    )


def test_a_machine_takes_what_it_was_offered_together(worker):
    assert len(taken(worker, holding=[])) == 3

    states = Lease.objects.values_list("state", "taken_at")
    assert list(states) == [(Lease.State.TAKEN, NOW)] * 3


def test_leases_whose_answer_got_lost_come_again_and_those_it_holds_do_not(worker):
    first, *lost = taken(worker, holding=[])

    again = taken(worker, holding=[first.pk])

    assert {lease.pk for lease in again} == {lease.pk for lease in lost}
    # A machine that does not say what it holds may well be at all of them.
    assert taken(worker) == []


def given(lease, miner, **changed):
    return ResultInput(**({"lease_id": lease.pk} | make.signed_output(lease, miner.key) | changed))


def test_results_stand_or_fall_each_by_itself(worker):
    one, two, three = taken(worker, holding=[])
    unknown = uuid4()
    results = [
        given(one, worker),
        given(two, worker, output_digest="0" * 64),
        given(three, worker),
        given(one, worker, lease_id=unknown),
    ]

    found = operations.submit_results(hotkey=worker.hotkey, results=results, now=NOW)
    again = operations.submit_results(hotkey=worker.hotkey, results=results[:1], now=NOW)

    assert set(found.results) == {one.pk, three.pk}
    assert {pk: refusal.code for pk, refusal in found.refused.items()} == {
        two.pk: "digest_mismatch",
        unknown: "lease_unknown",
    }
    assert Job.objects.filter(state=Job.State.RETURNED).count() == 2
    assert (again.results[one.pk].pk, again.replayed) == (found.results[one.pk].pk, {one.pk})
    assert Result.objects.count() == 2


def test_the_statements_do_not_grow_with_what_is_done_at_once(django_assert_max_num_queries):
    netuid, owner = make.subnet(), make.rich_owner(10)
    miner = make.miner(netuid, concurrency=20)

    with django_assert_max_num_queries(8):
        order(netuid, owner, orders(netuid, 20))
    assert len(make.dispatched()) == 20
    with django_assert_max_num_queries(4):
        leases = operations.take_leases(
            machine_id=miner.machine_id, hotkey=miner.hotkey, now=NOW, limit=20, holding=[]
        )
    results = [given(lease, miner) for lease in leases]
    with django_assert_max_num_queries(6):
        found = operations.submit_results(hotkey=miner.hotkey, results=results, now=NOW)

    assert len(found.results) == 20


def test_the_roads_for_many_over_rest():
    netuid = make.subnet(now=wire.now())
    miner = wire.miner(netuid, concurrency=4)
    consumer = make.user()
    make.funded(consumer.pk, tao=10, now=wire.now())
    asked = {"netuid": netuid, "payload": make.payload(), "max_price_rao": str(TAO)}
    headers = {"Idempotency-Key": "two"}

    def post():
        return wire.session(consumer).post(
            wire.address("jobs/batch/"),
            {"jobs": [asked, asked]},
            content_type="application/json",
            headers=headers,
        )

    ordered, again = post(), post()
    make.dispatched(now=wire.now())
    answer = signed(miner.key, "POST", f"machines/{miner.machine_id}/leases/", {"limit": 4})
    leases = answer.json()["leases"]
    held = {str(lease.pk): lease for lease in Lease.objects.select_related("job")}
    bodies = [
        {"lease_id": each["lease_id"]} | make.signed_output(held[each["lease_id"]], miner.key)
        for each in leases
    ]
    bad = bodies[1] | {"output_digest": "0" * 64}
    returned = signed(miner.key, "POST", "results/", {"results": [bodies[0], bad]})
    twice = signed(miner.key, "POST", "results/", {"results": [bodies[0], bodies[0]]})

    assert ordered.status_code == 201
    assert ordered.json() == again.json()
    assert len(leases) == 2
    assert [each["lease_id"] for each in returned.json()["taken"]] == [leases[0]["lease_id"]]
    assert returned.json()["refused"][0]["code"] == "digest_mismatch"
    assert twice.status_code == 400
