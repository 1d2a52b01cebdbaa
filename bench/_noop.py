"""Celery's own cost: a task that counts itself, on the queue of a name of its own."""

import os

import redis
from celery import Celery

URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
QUEUE, DONE = "bench-noop", "bench-noop-done"

app = Celery("noop", broker=URL)
app.conf.task_default_queue = QUEUE
app.conf.task_ignore_result = True
client = redis.Redis.from_url(URL)


@app.task
def noop() -> None:
    """Do nothing but be counted."""
    client.incr(DONE)
