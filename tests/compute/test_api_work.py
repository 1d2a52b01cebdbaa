"""Machines, leases and results over REST: forms, bounds, and whose is whose."""

import json
import threading
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection

from compute import operations
from compute.api import waiting
from compute.models import Lease, Machine, Result
from compute.operations import dispatch
from tests import make
from tests.compute import wire
from tests.compute.wire import MACHINE, leased, refusal, signed

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def netuid(db):
    return make.subnet(now=wire.now())


@pytest.fixture
def key(db):
    return make.linked(make.user().pk, now=wire.now())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 41),
        ("name", "a\0b"),
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
        ("blueprints", ["matmul"] * 4),
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
    ("field", "value"),
    [
        ("name", "rig\u202e"),
        ("cpu_model", "a\nprocessor"),
        ("gpus", [{"name": "G\u200b", "memory_bytes": 1, "uuid": "u"}]),
    ],
)
def test_a_machine_that_is_called_what_nobody_sees_is_refused(key, field, value):
    answer = signed(key, "POST", "machines/", MACHINE | {field: value})

    assert refusal(answer) == (422, "text_refused")
    assert answer.json()["name"] == field
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

    polling = threading.Thread(target=ask)
    polling.start()
    ends_at_s = time.monotonic() + 60
    while not blocked():
        assert polling.is_alive()
        assert time.monotonic() < ends_at_s
        time.sleep(0.02)
    waits_since_s = time.monotonic()
    make.job(netuid, make.rich_owner(10, now=wire.now()), now=wire.now())
    operations.dispatch_queued(now=wire.now(), limit=10)
    polling.join()

    assert answers[0].status_code == 200
    assert time.monotonic() - waits_since_s < 15


def test_who_finds_no_place_to_wait_is_answered_at_once_and_told_when_to_ask_again(
    netuid, monkeypatch
):
    miner = wire.miner(netuid)
    monkeypatch.setattr(waiting, "_places", threading.BoundedSemaphore(1))
    path = f"machines/{miner.machine_id}/lease/"

    with waiting._places:
        answer = signed(miner.key, "POST", path, {"wait_s": 20})

    assert (answer.status_code, answer.headers["Retry-After"]) == (204, "15")
    # The place is free again, and who does not want to wait needs none.
    assert "Retry-After" not in signed(miner.key, "POST", path, {"wait_s": 1}).headers


def blocked():
    """Say whether somebody waits for a nudge."""
    return dispatch.connection().info("clients")["blocked_clients"] > 0


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
