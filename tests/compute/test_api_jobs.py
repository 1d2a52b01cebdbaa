"""Jobs over REST, and the whole road from an order to its output."""

import json

import pytest

from compute import operations
from compute.models import Job, Lease, Result
from compute.operations import jobs
from ledger.money import RAO_PER_TAO as TAO
from tests import make
from tests.compute import wire
from tests.compute.wire import as_json, ordered, refusal, signed

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def netuid(db):
    return make.subnet(now=wire.now())


@pytest.fixture
def consumer(db):
    user = make.user()
    make.funded(user.pk, tao=10, now=wire.now())
    return user


def order(netuid, changed=None):
    return {"netuid": netuid, "payload": make.payload(), "max_price_rao": str(TAO)} | (
        changed or {}
    )


def test_a_job_is_ordered_once_per_key(netuid, consumer):
    client = wire.session(consumer)

    first, second = ordered(client, order(netuid)), ordered(client, order(netuid))

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["price_rao"] == str(make.held_rao(consumer.pk))


def test_one_key_for_two_orders_is_refused_in_the_callers_own_words(netuid, consumer):
    client = wire.session(consumer)
    first = ordered(client, order(netuid))

    answer = ordered(client, order(netuid, {"max_price_rao": "1"}))

    assert refusal(answer) == (422, "idempotency_key_reused")
    assert (answer.json()["key"], answer.json()["field"]) == ("one order", "max_price_rao")
    assert str(consumer.pk) not in answer.content.decode()
    assert ordered(client, order(netuid)).json()["id"] == first.json()["id"]


def test_a_full_queue_says_whose_limit_it_was_and_when_to_come_back(netuid, consumer, monkeypatch):
    monkeypatch.setattr(jobs, "OWN_QUEUE_MAX", 0)

    answer = ordered(wire.session(consumer), order(netuid))

    assert refusal(answer) == (429, "own_queue_full")
    assert answer.json()["limit"] == "you"
    assert answer.headers["Retry-After"] == str(jobs.RETRY_AFTER_S)


def test_two_people_may_choose_the_same_key(netuid, consumer):
    other = make.user()
    make.funded(other.pk, tao=10, now=wire.now())

    mine = ordered(wire.session(consumer), order(netuid))
    theirs = ordered(wire.session(other), order(netuid))

    assert mine.json()["id"] != theirs.json()["id"]
    assert Job.objects.count() == 2


def test_the_longest_key_fits(netuid, consumer):
    assert ordered(wire.session(consumer), order(netuid), key="k" * 128).status_code == 201


@pytest.mark.parametrize(
    ("changed", "key", "expected"),
    [
        ({}, None, (400, "idempotency_key_missing")),
        ({}, "k" * 129, (400, "idempotency_key_invalid")),
        ({"max_price_rao": "1"}, "k", (409, "price_above_limit")),
        ({"max_price_rao": 10**9}, "k", (400, "invalid_input")),
        ({"max_price_rao": "-5"}, "k", (400, "invalid_input")),
        ({"netuid": 128}, "k", (404, "subnet_unknown")),
        ({"netuid": 2**70}, "k", (400, "invalid_input")),
        ({"payload": {}}, "k", (422, "payload_invalid")),
        ({"payload": []}, "k", (400, "invalid_input")),
        ({"payload": {"n": 1, "a": "\0\0\0\0", "b": "AA=="}}, "k", (422, "payload_invalid")),
    ],
)
def test_an_order_that_is_not_in_order_is_refused_and_nothing_held(
    netuid, consumer, changed, key, expected
):
    answer = ordered(wire.session(consumer), order(netuid, changed), key=key)

    assert refusal(answer) == expected
    assert not Job.objects.exists()
    assert make.held_rao(consumer.pk) == 0


def test_who_is_not_signed_in_orders_nothing(netuid):
    answer = wire.send("POST", "jobs/", json.dumps(order(netuid)).encode())

    assert refusal(answer)[0] in {401, 403}
    assert not Job.objects.exists()


def test_an_order_beyond_the_limit_is_not_read(netuid, consumer, settings):
    large = b'{"payload": "' + b"a" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}'
    client = wire.session(consumer)

    answer = client.post(
        wire.address("jobs/"),
        large,
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )

    assert refusal(answer)[0] == 413


def test_a_job_is_shown_to_who_ordered_it_and_to_nobody_else(netuid, consumer):
    job_id = ordered(wire.session(consumer), order(netuid)).json()["id"]
    path = wire.address(f"jobs/{job_id}/")

    mine = wire.session(consumer).get(path)
    theirs = wire.session(make.user()).get(path)

    assert (mine.status_code, mine.json()["state"], mine.json()["output"]) == (200, "queued", None)
    assert refusal(theirs) == (404, "job_unknown")


def test_the_list_shows_only_ones_own_jobs(netuid, consumer):
    job_id = ordered(wire.session(consumer), order(netuid)).json()["id"]
    make.job(netuid, make.rich_owner(10, now=wire.now()), now=wire.now())

    rows = wire.session(consumer).get(wire.address("jobs/")).json()["results"]

    assert [row["id"] for row in rows] == [job_id]


def test_from_an_order_to_its_output(netuid, consumer):
    client, miner = wire.session(consumer), wire.miner(netuid)
    validator = make.validator(netuid, now=wire.now())
    job_id = ordered(client, order(netuid)).json()["id"]
    operations.dispatch_queued(now=wire.now(), limit=10)

    path = f"machines/{miner.machine_id}/lease/"
    lease = Lease.objects.get(pk=signed(miner.key, "POST", path, {}).json()["lease_id"])
    fields = make.signed_output(lease, miner.key)
    signed(miner.key, "POST", f"leases/{lease.pk}/result/", fields)
    [sample] = signed(validator.key, "GET", f"samples/?netuid={netuid}").json()["samples"]
    score = make.score(Result.objects.get(pk=sample["result_id"]), validator)
    signed(validator.key, "POST", "scores/", {"scores": [as_json(score)]})
    before = client.get(wire.address(f"jobs/{job_id}/")).json()
    operations.settle_job(job_id=lease.job_id, now=wire.now())
    after = client.get(wire.address(f"jobs/{job_id}/")).json()

    assert (before["state"], before["output"]) == ("returned", None)
    assert (after["state"], after["output"]) == ("verified", fields["output"])
