"""The database from an event loop: in a thread, as a loop cannot wait for it."""

from collections.abc import Callable
from typing import TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections

Answer = TypeVar("Answer")


async def in_thread(work: Callable[[], Answer]) -> Answer:
    """Do work that asks the database, in a thread of its own."""

    def done() -> Answer:
        close_old_connections()
        return work()

    return await sync_to_async(done, thread_sensitive=False)()
