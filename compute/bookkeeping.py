"""The till's books: operations of the database, called from threads, because an event loop cannot wait for them."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from compute import operations, queries
from compute.journal import Journal
from compute.reservations import Payer
from compute.serving import UsageRecord

THREADS = 4  # one flushes, the others open and settle tabs; each has a connection of its own

Answer = TypeVar("Answer")


class Bookkeeper:
    """`till.Books` over this project's database."""

    def __init__(self) -> None:
        self._connections: list[BaseDatabaseWrapper] = []
        self._threads = ThreadPoolExecutor(
            THREADS, thread_name_prefix="books", initializer=self._open_thread
        )

    async def ask(self, work: Callable[[], Answer]) -> Answer:
        """Run database work in a thread that has a connection which lives."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, on_a_live_connection, work)

    async def open_tab(self, tab_id: UUID, payer: Payer, *, need_rao: int, now: datetime) -> int:
        """Set money aside for a key; return how much."""
        tab = await self.ask(
            lambda: operations.open_tab(
                tab_id=tab_id,
                owner=payer.owner,
                payer=payer.key_id,
                need_rao=need_rao,
                limit_rao=payer.spend_limit_rao,
                now=now,
            )
        )
        return tab.held_rao

    async def free_tokens_used(self, owner: UUID, model: str, day: date) -> int:
        """Return how many free tokens were used on a day."""
        return await self.ask(lambda: queries.free_tokens_used(owner, model, day))

    async def record_usages(self, records: Sequence[UsageRecord], *, now: datetime) -> None:
        """Write lines, each once."""
        await self.ask(lambda: operations.record_usages(records, now=now))

    async def settle_tab(self, tab_id: UUID, *, now: datetime) -> None:
        """Pay what was used of a tab."""
        await self.ask(lambda: operations.settle_tab(tab_id=tab_id, now=now))

    async def sync(self, journal: Journal) -> None:
        """Wait until the journal is on the disk."""
        await self.ask(journal.sync)

    async def close(self) -> None:
        """Let the threads end, and their connections with them."""
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._threads.shutdown()
        for one in self._connections:
            one.close()

    def _open_thread(self) -> None:
        # A thread that ends closes nothing; the connection is handed to whoever ends it.
        one = connections[DEFAULT_DB_ALIAS]
        one.inc_thread_sharing()
        self._connections.append(one)


def on_a_live_connection(work: Callable[[], Answer]) -> Answer:
    """Run work as a request would: a connection that broke before is left, and one that breaks now is found then."""
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()
