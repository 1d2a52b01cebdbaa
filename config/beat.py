"""Celery's clock: a sweep that still waits in the queue is not sent again (docs/decisions/0040)."""

from typing import Any

import orjson
import redis
from celery.beat import PersistentScheduler

QUEUE_READ_MAX = 200  # messages: ten times as many as there are sweeps, and each waits once


class SweepScheduler(PersistentScheduler):  # type: ignore[misc]  # Celery has no types
    """Sends every sweep when it is due, unless it waits already: the queue is as long as the list of sweeps."""

    _client: redis.Redis | None = None

    def apply_entry(self, entry: Any, producer: Any = None) -> None:  # noqa: ANN401  Celery's own
        """Send a due sweep, or leave it at the one that waits."""
        if entry.task not in self.waiting():
            super().apply_entry(entry, producer=producer)

    def waiting(self) -> set[str]:
        """Return the names of the sweeps that no worker has taken yet; of none while Redis is away."""
        if self._client is None:
            self._client = redis.Redis.from_url(self.app.conf.broker_url)
        try:
            # Kombu keeps a queue as a list of JSON messages under its name, the newest first.
            found = self._client.lrange(self.app.conf.task_default_queue, 0, QUEUE_READ_MAX - 1)
        except redis.RedisError:
            return set()  # sending fails as well, and says so
        return {orjson.loads(message)["headers"]["task"] for message in found}
