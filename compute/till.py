"""What a gateway remembers of money, so that no request waits for the database: open tabs, free quotas, finished lines.

    reservation = await till.reserve(payer, terms, prompt_bytes=…, output_tokens=…, request_id=…, now=now)
    till.finish(reservation, reservation.record(outcome=…, …))     # the line is in the journal when this returns
    till.cancel(reservation)                                       # in `finally`: nothing, once it is finished

A request reserves the highest price it can come to, and gives back what it did not cost. What is reserved and spent of
a tab never passes what the books hold for it, so a settlement always has its money. For one event loop; the books are
reached through `Books`, which answers from threads. Pure: no database, no clock.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

from compute import serving
from compute.errors import SpendingLimitReached, TabUnknown, UsageBacklog
from compute.journal import Journal, Page
from compute.reservations import KeyTabs, OpenTab, Payer, Quota, Reservation
from compute.serving import ModelTerms, Outcome, UsageRecord
from ledger.errors import InsufficientFunds

logger = logging.getLogger(__name__)

TICK_S = 0.5
SYNC_EVERY = 2  # ticks: lines are on the disk within a second
BATCH_MAX = 1_000  # lines of one insert: some 20 ms of the database
BATCHES_PER_TICK = 10
WAITING_MAX = 100_000  # finished lines in memory, about 100 MB: an hour of the books' absence at 30 requests a second
SETTLED_PER_TICK = 32  # at once, so that lines do not wait long for the threads
QUOTAS_MAX = 100_000  # (owner, model) of one day


class Books(Protocol):
    """What the till asks of the database."""

    async def open_tab(self, tab_id: UUID, payer: Payer, *, need_rao: int, now: datetime) -> int:
        """Set money aside; return how much. Raises: InsufficientFunds, SpendingLimitReached, Busy."""

    async def free_tokens_used(self, owner: UUID, model: str, day: date) -> int:
        """Return how many free tokens were used on a day."""

    async def record_usages(self, records: Sequence[UsageRecord], *, now: datetime) -> None:
        """Write lines, each once."""

    async def settle_tab(self, tab_id: UUID, *, now: datetime) -> None:
        """Pay what was used and release the rest. Raises: TabUnknown, Busy."""

    async def sync(self, journal: Journal) -> None:
        """Wait until the journal is on the disk."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A finished line on its way to the books. page: where the journal has it, none when the disk refused."""

    record: UsageRecord
    page: Page | None
    tab: OpenTab | None
    quota: Quota | None


class Till:
    """The money of one gateway process."""

    def __init__(self, books: Books, journal: Journal) -> None:
        self.books = books
        self.journal = journal
        self._keys: dict[str, KeyTabs] = {}
        self._quotas: dict[tuple[UUID, str], Quota] = {}
        self._waiting: deque[Waiting] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ticks_count = 0

    @property
    def waiting_count(self) -> int:
        """Return how many finished lines are not in the books yet."""
        return len(self._waiting)

    # --- a request's way

    async def reserve(
        self,
        payer: Payer,
        terms: ModelTerms,
        *,
        prompt_bytes: int,
        output_tokens: int,
        request_id: UUID,
        now: datetime,
    ) -> Reservation:
        """Set aside the most that a request can come to: of the free quota while it reaches, of a tab otherwise.

        output_tokens: as many as were asked for, 0 for embeddings.
        Raises: InsufficientFunds, SpendingLimitReached, UsageBacklog, Busy.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise UsageBacklog(limit=WAITING_MAX)
        asked = Reservation(request_id, payer, terms, prompt_bytes, output_tokens, began_at=now)
        if terms.is_gratis or await self._reserve_free(asked):
            return asked
        asked.amount_rao = serving.ceiling_rao(
            terms, prompt_bytes=prompt_bytes, output_tokens=output_tokens
        )
        tab = await self._tab_with_room(payer, asked.amount_rao, now=now)
        tab.reserved_rao += asked.amount_rao
        tab.live_count += 1
        asked.tab = tab
        return asked

    def finish(self, reservation: Reservation, record: UsageRecord) -> None:
        """Write a request's line into the journal, and free what it did not cost."""
        assert not reservation.is_closed, "a reservation is finished once"
        assert record.price_rao <= reservation.amount_rao, (
            "an answer costs at most what was reserved"
        )
        try:
            page = self.journal.append(record)
        except OSError:
            # The line lives in memory alone until the next batch: better than an answer that nobody gets.
            logger.exception("till:unwritten usage=%s", record.id)
            page = None
        self.cancel(reservation)
        tab, quota = reservation.tab, reservation.quota
        if tab is not None:
            tab.spent_rao += record.price_rao
            tab.waiting_count += 1
        if quota is not None:
            quota.waiting_count += 1
            if record.outcome is not Outcome.FAILED:
                quota.used_tokens += record.prompt_tokens + record.completion_tokens
        self._waiting.append(Waiting(record, page, tab, quota))

    def cancel(self, reservation: Reservation) -> None:
        """Free all that was reserved for a request; one that was finished or cancelled has nothing left."""
        if reservation.is_closed:
            return
        reservation.is_closed = True
        if reservation.tab is not None:
            reservation.tab.reserved_rao -= reservation.amount_rao
            reservation.tab.live_count -= 1
        if reservation.quota is not None:
            reservation.quota.reserved_tokens -= reservation.tokens

    async def _reserve_free(self, asked: Reservation) -> bool:
        if not asked.terms.free_tokens_per_day:
            return False
        quota = self._quota(
            asked.payer.owner, asked.terms.name, asked.began_at.astimezone(UTC).date()
        )
        await asyncio.shield(quota.loaded)
        tokens = asked.prompt_tokens_max + asked.output_tokens
        if quota.left_tokens(asked.terms.free_tokens_per_day) < tokens:
            return False
        quota.reserved_tokens += tokens
        asked.tokens, asked.quota = tokens, quota
        return True

    def _quota(self, owner: UUID, model: str, day: date) -> Quota:
        known = self._quotas.get((owner, model))
        if known is not None and known.day == day and not is_faulty(known.loaded):
            return known
        loaded = self._spawn(self.books.free_tokens_used(owner, model, day))
        self._quotas[owner, model] = quota = Quota(day, loaded)
        return quota

    async def _tab_with_room(self, payer: Payer, need_rao: int, *, now: datetime) -> OpenTab:
        while True:
            keys = self._keys.setdefault(payer.key_id, KeyTabs())
            if tab := keys.with_room(need_rao, now=now):
                return tab
            keys.refuse_again(need_rao, now=now)
            keys.users_count += 1
            # A consumer who goes away meanwhile leaves a tab behind that is known, not a hold that is lost.
            await asyncio.shield(self._spawn(self._open(keys, payer, need_rao, now=now)))

    async def _open(self, keys: KeyTabs, payer: Payer, need_rao: int, *, now: datetime) -> None:
        try:
            async with keys.lock:
                if keys.with_room(need_rao, now=now):
                    return
                keys.refuse_again(need_rao, now=now)
                tab_id = uuid4()
                self.journal.note_tab(tab_id)
                try:
                    held_rao = await self.books.open_tab(tab_id, payer, need_rao=need_rao, now=now)
                except (InsufficientFunds, SpendingLimitReached) as refusal:
                    keys.refusal, keys.refused_rao, keys.refused_at = refusal, need_rao, now
                    raise
                keys.refusal = None
                keys.tabs.append(OpenTab(tab_id, held_rao, opened_at=now))
        finally:
            keys.users_count -= 1

    # --- behind the requests

    async def run(self, clock: Callable[[], datetime]) -> None:
        """Bring lines to the books and settle tabs, for ever. What fails is tried again at the next tick."""
        while True:
            try:
                await self.tick(now=clock())
            except Exception:
                logger.exception("till:behind lines=%s", len(self._waiting))
            await asyncio.sleep(TICK_S)

    async def tick(self, *, now: datetime) -> None:
        """Do once what `run` does every half second. Raises: whatever the books raise; nothing is lost by it."""
        self._ticks_count += 1
        if self._ticks_count % SYNC_EVERY == 0:
            await self.books.sync(self.journal)
        for _ in range(BATCHES_PER_TICK):
            if not await self._flush(now=now):
                break
        self.journal.turn(tab.id for keys in self._keys.values() for tab in keys.tabs)
        await self._settle_due(now=now)
        self._forget(today=now.astimezone(UTC).date())

    async def recover(self, *, now: datetime) -> int:
        """Bring what killed processes left in the folder to the books, and settle their tabs; return how many lines."""
        lines_count = 0
        with self.journal.leftovers() as leftovers:
            for leftover in leftovers:
                for batch in batches(leftover.records):
                    await self.books.record_usages(batch, now=now)
                lines_count += len(leftover.records)
                for tab in sorted(leftover.tabs):
                    await self._settle(tab, now=now)
        return lines_count

    async def close(self, *, now: datetime) -> None:
        """Flush and settle everything. Requests that run still keep their tab, for the next process to settle."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        while await self._flush(now=now):
            pass
        for keys in self._keys.values():
            for tab in keys.tabs:
                tab.is_closing = True
        while self._due(now=now):
            await self._settle_due(now=now)
        is_settled = not any(keys.tabs for keys in self._keys.values())
        self.journal.close(is_settled=is_settled)

    async def _flush(self, *, now: datetime) -> bool:
        batch = [self._waiting[place] for place in range(min(BATCH_MAX, len(self._waiting)))]
        if not batch:
            return False
        await self.books.record_usages([line.record for line in batch], now=now)
        for line in batch:
            self._waiting.popleft()
            if line.tab is not None:
                line.tab.waiting_count -= 1
            if line.quota is not None:
                line.quota.waiting_count -= 1
        self.journal.commit(line.page for line in batch if line.page is not None)
        return True

    def _due(self, *, now: datetime) -> list[tuple[KeyTabs, OpenTab]]:
        return [
            (keys, tab)
            for keys in self._keys.values()
            for tab in keys.tabs
            if tab.is_due(now=now, is_last=tab is keys.tabs[-1])
        ]

    async def _settle_due(self, *, now: datetime) -> None:
        due = self._due(now=now)[:SETTLED_PER_TICK]
        answers = await asyncio.gather(
            *(self._settle_one(keys, tab, now=now) for keys, tab in due), return_exceptions=True
        )
        faults = [answer for answer in answers if isinstance(answer, BaseException)]
        if faults:
            raise faults[0]

    async def _settle_one(self, keys: KeyTabs, tab: OpenTab, *, now: datetime) -> None:
        async with keys.lock:
            # Whoever had the lock may have let a request begin on it.
            if tab.live_count or tab.waiting_count:
                return
            tab.is_closing = True
            await self._settle(tab.id, now=now)
            keys.tabs.remove(tab)
            # The money is back in the wallet: what was refused a moment ago may do now.
            keys.refusal = None

    async def _settle(self, tab_id: UUID, *, now: datetime) -> None:
        try:
            await self.books.settle_tab(tab_id, now=now)
        except TabUnknown:
            # It was noted, and its process ended before the books heard of it.
            logger.info("till:unopened tab=%s", tab_id)

    def _forget(self, *, today: date) -> None:
        self._keys = {
            key_id: keys for key_id, keys in self._keys.items() if keys.tabs or keys.users_count
        }
        is_full = len(self._quotas) >= QUOTAS_MAX
        for name, quota in list(self._quotas.items()):
            is_idle = not (quota.reserved_tokens or quota.waiting_count) and quota.loaded.done()
            if quota.day != today or (is_full and is_idle):
                del self._quotas[name]

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._let_go)
        return task

    def _let_go(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        # Its request may be gone, and then nobody else asks how it ended.
        if not task.cancelled() and (fault := task.exception()):
            logger.info("till:refused reason=%s", getattr(fault, "code", type(fault).__name__))


def is_faulty(loading: "asyncio.Future[int]") -> bool:
    """Tell whether a count could not be loaded."""
    return loading.done() and (loading.cancelled() or loading.exception() is not None)


def batches(records: Sequence[UsageRecord]) -> Iterator[Sequence[UsageRecord]]:
    """Cut lines into what one insert takes."""
    for start in range(0, len(records), BATCH_MAX):
        yield records[start : start + BATCH_MAX]
