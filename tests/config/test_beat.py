"""Beat sends a sweep that is due, unless it waits in the queue already: none is sent twice, and none is left out."""

from uuid import uuid4

import pytest
import redis
from celery import Celery
from django.conf import settings

from config.beat import SweepScheduler

SETTLE, OFFER = "compute.tasks.settle_scored_jobs", "compute.tasks.dispatch_queued_jobs"

pytestmark = pytest.mark.database


@pytest.fixture
def queue():
    """Redis, and the name of a list in it that nobody else uses."""
    name = f"test-{uuid4().hex}"
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client, name
        client.delete(name)


@pytest.fixture
def beat(queue, tmp_path):
    """Beat's scheduler, as it stands beside no worker."""
    app = Celery(broker=settings.REDIS_URL, set_as_current=False)
    app.conf.task_default_queue = queue[1]
    app.conf.beat_schedule = {task: {"task": task, "schedule": 1.0} for task in (SETTLE, OFFER)}
    scheduler = SweepScheduler(app, schedule_filename=str(tmp_path / "schedule"))
    yield scheduler
    scheduler.close()
    app.close()


def send_all(beat):
    for entry in list(beat.schedule.values()):
        if entry.task in (SETTLE, OFFER):
            beat.apply_entry(entry, producer=beat.producer)


def test_a_sweep_that_waits_is_not_sent_again(beat, queue):
    client, name = queue

    send_all(beat)
    send_all(beat)

    assert client.llen(name) == 2
    assert beat.waiting() == {SETTLE, OFFER}


def test_a_sweep_that_was_taken_is_sent_behind_the_one_that_waits(beat, queue):
    client, name = queue
    send_all(beat)

    client.rpop(name)
    (waited,) = beat.waiting()
    send_all(beat)

    assert beat.waiting() == {SETTLE, OFFER}
    assert waited.encode() in client.lindex(name, -1)


def test_what_an_emptied_redis_lost_is_sent_again(beat, queue):
    client, name = queue
    send_all(beat)

    client.delete(name)
    send_all(beat)

    assert client.llen(name) == 2


def test_with_redis_away_nothing_is_known_to_wait(beat):
    beat.app.conf.broker_url = "redis://127.0.0.1:1/0"

    assert beat.waiting() == set()


def test_no_sweep_is_dropped_for_having_waited():
    assert all(
        "expires" not in one.get("options", {}) for one in settings.CELERY_BEAT_SCHEDULE.values()
    )
    assert settings.CELERY_BEAT_SCHEDULER == "config.beat:SweepScheduler"
