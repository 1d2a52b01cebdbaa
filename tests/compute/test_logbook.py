"""One id leads through the log: from the order and its request to the payout, or to whatever else became of a job."""

import contextvars
import io
import json
import logging
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import transaction

from compute import operations
from compute.models import Job
from config.logs import JsonLines, RequestIdFilter
from ledger.money import RAO_PER_TAO as TAO
from tests import make
from tests.compute import wire
from tests.make import NOW

pytestmark = pytest.mark.usefixtures("db")

LATE = NOW + timedelta(seconds=settings.LEASE_S)


@pytest.fixture
def log():
    """Return what reads the log so far, as LOG_FORMAT=json writes it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    handler.addFilter(RequestIdFilter())
    logging.getLogger("compute").addHandler(handler)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logging.getLogger("compute").removeHandler(handler)


@pytest.fixture
def committed(django_capture_on_commit_callbacks):
    """Do something as if each test were not one transaction; return its answer."""

    def done(act, *args, **options):
        with django_capture_on_commit_callbacks(execute=True):
            return act(*args, **options)

    return done


def story(log, job_id):
    """List the events of one job's lines, first to last."""
    return [line["event"].split()[0] for line in log() if line.get("job") == str(job_id)]


def test_one_id_leads_from_the_order_and_its_request_to_the_payout(log, committed):
    now = wire.now()
    netuid = make.subnet(now=now)
    miner, validator = make.miner(netuid, now=now), make.validator(netuid, now=now)
    consumer = make.user()
    make.funded(consumer.pk, tao=10, now=now)
    headers = {"X-Request-Id": "order-of-a-bot", "Idempotency-Key": "the client's own words"}
    asked = {"netuid": netuid, "payload": make.payload(), "max_price_rao": str(TAO)}

    order = contextvars.copy_context().run(
        committed,
        wire.session(consumer).post,
        wire.address("jobs/"),
        json.dumps(asked),
        content_type="application/json",
        headers=headers,
    )
    job_id, now = order.json()["id"], wire.now()  # the order is dated by the API's own clock
    [lease] = committed(make.dispatched, now=now)
    result = committed(make.returned, lease, miner, now=now)
    committed(make.scored, result, validator, now=now)
    committed(operations.settle_job, job_id=lease.job_id, now=now)

    lines = [line for line in log() if line.get("job") == job_id]
    assert story(log, job_id) == [
        "job:ordered",
        "job:offered",
        "job:taken",
        "job:returned",
        "job:scored",
        "job:verified",
        "job:paid",
    ]
    assert (lines[0]["request"], lines[0]["level"]) == ("order-of-a-bot", "INFO")
    assert "order-of-a-bot" not in {line["request"] for line in lines[1:]}
    assert {line["lease"] for line in lines[1:4]} == {str(lease.pk)}
    assert {line["hotkey"] for line in lines if "hotkey" in line} == {miner.hotkey}
    assert (lines[4]["validator"], lines[4]["score_ppm"]) == (validator.hotkey, "1000000")
    assert lines[-1]["price_rao"] == order.json()["price_rao"]
    assert "the client's own words" not in json.dumps(lines)


def test_a_job_that_was_late_wrong_and_cancelled_says_so_line_by_line(log, committed):
    netuid = make.subnet()
    miners = {each.hotkey: each for each in (make.miner(netuid), make.miner(netuid))}
    validator, consumer = make.validator(netuid), make.rich_owner(10)
    job = committed(make.job, netuid, consumer)
    [lease] = committed(make.dispatched)
    committed(operations.expire_lease, lease_id=lease.pk, now=LATE)
    later = LATE + timedelta(seconds=5)
    for each in miners.values():
        operations.see_machine(machine_id=each.machine_id, hotkey=each.hotkey, now=later)
    [again] = committed(make.dispatched, now=later)
    lie = make.wrong_output(again)
    result = committed(make.returned, again, miners[again.hotkey], output=lie, now=later)
    committed(make.scored, result, validator, ppm=0, now=later)
    committed(operations.settle_job, job_id=job.pk, now=later)

    committed(operations.cancel_job, job_id=job.pk, owner=consumer, now=later)

    assert story(log, job.pk) == [
        "job:ordered",
        "job:offered",
        "job:expired",
        "job:requeued",
        "job:offered",
        "job:taken",
        "job:returned",
        "job:scored",
        "job:requeued",
        "job:cancelled",
        "job:released",
    ]
    wrong = [line for line in log() if line["event"].startswith("job:requeued")][-1]
    assert (wrong["attempts"], wrong["reason"]) == ("2", "every_result_was_found_wrong")


def test_a_batch_writes_a_line_a_job_and_a_job_given_up_says_why(log, committed):
    netuid = make.subnet()
    jobs = [make.job(netuid) for _ in range(2)]
    for _ in jobs:
        make.miner(netuid)
    committed(make.dispatched)
    alone = make.job(netuid)
    hour = NOW + operations.WAITS_AT_MOST

    committed(operations.give_up_waiting, job_id=alone.pk, now=hour)

    assert [story(log, job.pk) for job in jobs] == [["job:offered"]] * 2
    assert story(log, alone.pk) == ["job:failed", "job:released"]


def test_what_is_rolled_back_is_not_told(log, committed):
    netuid = make.subnet()

    def ordered_in_vain():
        with transaction.atomic():
            make.job(netuid, key="an order")
            transaction.set_rollback(True)

    committed(ordered_in_vain)
    kept = committed(make.job, netuid, key="another")

    assert [line["job"] for line in log()] == [str(kept.pk)]
    assert list(Job.objects.all()) == [kept]
