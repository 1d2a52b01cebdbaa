"""The work over REST: forms, bounds, who may do what, and the whole road from order to output."""

import json
import threading
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection

from compute import operations
from compute.api import serializers
from compute.models import Job, Lease, Machine, Result, Score
from compute.operations import dispatch
from ledger.money import RAO_PER_TAO as TAO
from tests import make
from tests.compute import wire
from tests.compute.wire import MACHINE, ordered, refusal, signed

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def netuid(db):
    return make.subnet(now=wire.now())


@pytest.fixture
def key(db):
    return make.linked(make.user().pk, now=wire.now())


def leased(netuid):
    """Return a miner and its open lease on an ordered job."""
    miner = wire.miner(netuid)
    make.job(netuid, make.rich_owner(10, now=wire.now()), now=wire.now())
    [lease] = make.dispatched(now=wire.now())
    return miner, lease


def judged(netuid):
    """Return a result that waits for scores, and a validator."""
    miner, lease = leased(netuid)
    validator = make.validator(netuid, now=wire.now())
    return make.returned(lease, miner, now=wire.now()), validator


def as_json(score):
    return {
        "result_id": str(score.result_id),
        "score_ppm": score.score_ppm,
        "reason": score.reason,
        "signature": score.signature,
    }


# Machines -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 41),
        ("name", "a\0b"),
        ("name", "\ud800"),
        ("cpu_model", "x" * 121),
        ("cpu_count", 0),
        ("cpu_count", -1),
        ("cpu_count", 10**30),
        ("memory_bytes", -1),
        ("memory_bytes", 2**63),
        ("gpus", [{"name": "G", "memory_bytes": 1, "uuid": "u"}] * 17),
        ("gpus", [{"name": "G", "memory_bytes": -1, "uuid": "u"}]),
        ("gpus", [{"name": "x" * 121, "memory_bytes": 1, "uuid": "u"}]),
        ("gpus", ["G"]),
        ("blueprints", []),
        ("blueprints", ["mining"]),
        ("blueprints", ["matmul"] * 3),
        ("blueprints", [["matmul"]]),
        ("concurrency", 0),
        ("concurrency", 65),
        ("concurrency", True),
    ],
)
def test_a_machine_beyond_the_bounds_is_refused_with_the_place(key, field, value):
    answer = signed(key, "POST", "machines/", MACHINE | {field: value})

    assert refusal(answer) == (400, "invalid_input")
    assert answer.json()["errors"][0]["pointer"].startswith(f"/{field}")
    assert not Machine.objects.exists()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"rig"', b"\xff", b'{"cpu_count": NaN}', b"[" * 100_000]
)
def test_a_body_that_is_no_object_is_refused(key, body):
    assert signed(key, "POST", "machines/", body).status_code == 400
    assert not Machine.objects.exists()


def test_a_body_beyond_the_limit_is_refused(key, settings):
    answer = signed(key, "POST", "machines/", b" " * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1))

    assert refusal(answer)[0] == 413


def test_a_machine_with_cards_is_recorded_as_reported(key):
    cards = [{"name": "H100", "memory_bytes": 85_899_345_920, "uuid": "GPU-1"}]

    answer = signed(key, "POST", "machines/", MACHINE | {"gpus": cards})

    assert answer.status_code == 200
    assert Machine.objects.get().gpus == cards


# Leases -------------------------------------------------------------------------------------------


def test_a_lease_says_all_a_miner_needs(netuid):
    miner, lease = leased(netuid)

    answer = signed(miner.key, "POST", f"machines/{miner.machine_id}/lease/", {"wait_s": 0})

    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"lease_id", "job_id", "netuid", "blueprint", "payload", "deadline_at"}
    assert (body["lease_id"], body["netuid"]) == (str(lease.pk), netuid)
    assert body["payload"] == lease.job.payload


def test_without_work_the_answer_is_empty_and_the_machine_counts_as_alive(netuid):
    miner = make.miner(netuid, now=wire.now() - timedelta(minutes=5))

    answer = signed(miner.key, "POST", f"machines/{miner.machine_id}/lease/", {})

    assert (answer.status_code, answer.content) == (204, b"")
    seen_at = Machine.objects.get().last_seen_at
    assert wire.now() - seen_at < timedelta(seconds=30)


def test_nobody_asks_for_anothers_machine(netuid):
    miner, other = wire.miner(netuid), wire.miner(netuid)

    answer = signed(other.key, "POST", f"machines/{miner.machine_id}/lease/", {})

    assert refusal(answer) == (404, "machine_unknown")


@pytest.mark.parametrize("wait_s", [21, -1, "soon", 10**400])
def test_a_wait_beyond_the_bounds_is_refused(netuid, wait_s):
    miner = wire.miner(netuid)
    body = json.dumps({"wait_s": wait_s}).encode()

    answer = signed(miner.key, "POST", f"machines/{miner.machine_id}/lease/", body)

    assert refusal(answer) == (400, "invalid_input")


@pytest.mark.django_db(transaction=True)
def test_a_waiting_miner_is_woken_by_its_lease(transactional_db):
    netuid = make.subnet(now=wire.now())
    miner = wire.miner(netuid)
    answers = []

    def ask():
        try:
            path = f"machines/{miner.machine_id}/lease/"
            answers.append(signed(miner.key, "POST", path, {"wait_s": 20}))
        finally:
            connection.close()

    waiting = threading.Thread(target=ask)
    started_s = time.monotonic()
    waiting.start()
    while dispatch.connection().client_list(_type="normal") and not blocked():
        assert time.monotonic() - started_s < 10
    make.job(netuid, make.rich_owner(10, now=wire.now()), now=wire.now())
    operations.dispatch_queued(now=wire.now(), limit=10)
    waiting.join()

    assert answers[0].status_code == 200
    assert time.monotonic() - started_s < 15


def blocked():
    """Say whether somebody waits for a nudge."""
    return dispatch.connection().info("clients")["blocked_clients"] > 0


# Results ------------------------------------------------------------------------------------------


def test_a_result_is_taken_once_and_repeated_at_will(netuid):
    miner, lease = leased(netuid)
    fields = make.signed_output(lease, miner.key) | {"duration_ms": 3}

    first = signed(miner.key, "POST", f"leases/{lease.pk}/result/", fields)
    second = signed(miner.key, "POST", f"leases/{lease.pk}/result/", fields)

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json() == {"result_id": str(Result.objects.get().pk)}


def test_somebody_elses_lease_is_refused(netuid):
    miner, lease = leased(netuid)
    thief = wire.miner(netuid)

    answer = signed(
        thief.key, "POST", f"leases/{lease.pk}/result/", make.signed_output(lease, thief.key)
    )

    assert refusal(answer) == (403, "lease_not_yours")
    assert lease.hotkey == miner.hotkey
    assert not Result.objects.exists()


def test_a_lease_nobody_gave_is_refused(netuid):
    miner, lease = leased(netuid)
    fields = make.signed_output(lease, miner.key)

    answer = signed(miner.key, "POST", f"leases/{uuid4()}/result/", fields)

    assert refusal(answer) == (404, "lease_unknown")


def test_a_result_after_the_deadline_is_refused(netuid):
    miner, lease = leased(netuid)
    Lease.objects.filter(pk=lease.pk).update(deadline_at=wire.now())

    answer = signed(
        miner.key, "POST", f"leases/{lease.pk}/result/", make.signed_output(lease, miner.key)
    )

    assert refusal(answer) == (410, "lease_expired")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"output": []}, (400, "invalid_input")),
        ({"output": {}}, (422, "output_invalid")),
        ({"output": {"c": "\0"}}, (422, "output_invalid")),
        ({"output_digest": "A" * 64}, (400, "invalid_input")),
        ({"output_digest": "0" * 64 + "\n"}, (400, "invalid_input")),
        ({"output_digest": "0" * 64}, (422, "digest_mismatch")),
        ({"signature": "0x12"}, (400, "invalid_input")),
        ({"signature": "0x" + "1" * 128}, (422, "result_signature_invalid")),
        ({"duration_ms": -1}, (400, "invalid_input")),
    ],
)
def test_a_result_that_is_not_in_order_is_refused_and_nothing_written(netuid, changed, expected):
    miner, lease = leased(netuid)
    fields = make.signed_output(lease, miner.key) | changed

    answer = signed(miner.key, "POST", f"leases/{lease.pk}/result/", fields)

    assert refusal(answer) == expected
    assert not Result.objects.exists()


# Samples and scores -------------------------------------------------------------------------------


def test_a_validator_fetches_what_it_has_to_judge(netuid):
    result, validator = judged(netuid)

    answer = signed(validator.key, "GET", f"samples/?netuid={netuid}&limit=20")

    assert answer.status_code == 200
    [sample] = answer.json()["samples"]
    assert sample["result_id"] == str(result.pk)
    assert sample["output"] == result.output
    assert sample["known_answer"] is None


def test_somebody_without_stake_sees_no_samples(netuid):
    judged(netuid)
    nosy = wire.miner(netuid)

    answer = signed(nosy.key, "GET", f"samples/?netuid={netuid}")

    assert refusal(answer) == (403, "not_a_validator")


@pytest.mark.parametrize(
    "query", ["", "netuid=0", "netuid=129", "netuid=x", "netuid=1&limit=21", "netuid=1&limit=0"]
)
def test_a_question_for_samples_beyond_the_bounds_is_refused(key, query):
    path = f"samples/?{query}" if query else "samples/"

    assert refusal(signed(key, "GET", path)) == (400, "invalid_input")


def test_a_score_is_taken_and_a_bad_one_beside_it_refused(netuid):
    result, validator = judged(netuid)
    good = as_json(make.score(result, validator))
    lost = good | {"result_id": str(uuid4())}

    answer = signed(validator.key, "POST", "scores/", {"scores": [good, lost]})

    assert answer.status_code == 201
    assert answer.json() == {
        "accepted_count": 1,
        "refused": [{"result_id": lost["result_id"], "code": "result_unknown"}],
    }


def test_the_words_of_a_score_are_kept_to_the_blank(netuid):
    result, validator = judged(netuid)
    score = make.score(result, validator, reason="  right \n")

    answer = signed(validator.key, "POST", "scores/", {"scores": [as_json(score)]})

    assert answer.json()["accepted_count"] == 1
    assert Score.objects.get().reason == "  right \n"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("score_ppm", 1_000_001),
        ("score_ppm", -1),
        ("reason", "x" * 201),
        ("reason", "a\0b"),
        ("result_id", "1"),
        ("signature", ""),
    ],
)
def test_a_score_beyond_the_bounds_is_refused(netuid, field, value):
    result, validator = judged(netuid)
    score = as_json(make.score(result, validator)) | {field: value}

    answer = signed(validator.key, "POST", "scores/", {"scores": [score]})

    assert refusal(answer) == (400, "invalid_input")
    assert not Score.objects.exists()


def test_more_scores_than_a_request_carries_are_refused(netuid):
    result, validator = judged(netuid)
    score = as_json(make.score(result, validator))

    answer = signed(
        validator.key, "POST", "scores/", {"scores": [score] * (serializers.SCORES_MAX + 1)}
    )

    assert refusal(answer) == (400, "invalid_input")
    assert not Score.objects.exists()


# Jobs ---------------------------------------------------------------------------------------------


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


# The whole road -----------------------------------------------------------------------------------


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


def test_a_hotkey_reads_how_it_stands(netuid):
    result, validator = judged(netuid)
    miner_key = result.hotkey

    body = signed(validator.key, "GET", "hotkeys/me/").json()

    assert body["hotkey"] == validator.hotkey != miner_key
    assert body["owner"] == str(validator.owner)
    [neuron] = body["neurons"]
    assert (neuron["netuid"], neuron["uid"], neuron["stake_rao"]) == (
        netuid,
        validator.uid,
        str(1_000 * TAO),
    )
    assert (body["payouts"], body["scores"]) == ([], [])
