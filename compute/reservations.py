"""What is set aside in memory: of which tab or free quota, for whose request, and what that gives back. Pure."""

import asyncio
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from compute import serving
from compute.serving import ModelTerms, Outcome, UsageRecord
from ledger.errors import DomainError

TAB_AGE = timedelta(
    minutes=5
)  # after which it is settled at the next pause: miners are paid, holds stay small
TAB_LIFE = timedelta(hours=1)  # after which nothing more is reserved from it, pause or not
REFUSED_FOR = timedelta(seconds=1)  # an empty wallet is not looked into again for every request


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays: an owner by one API key, which may have a limit for the calendar month."""

    owner: UUID
    key_id: str
    spend_limit_rao: int | None = None


@dataclass(slots=True, eq=False)
class OpenTab:
    """One tab as this gateway knows it. live_count: reservations; waiting_count: lines not in the books yet."""

    id: UUID
    held_rao: int
    opened_at: datetime
    reserved_rao: int = 0
    spent_rao: int = 0
    live_count: int = 0
    waiting_count: int = 0
    is_closing: bool = False

    def has_room(self, need_rao: int, *, now: datetime) -> bool:
        """Tell whether a request that may cost so much can be begun on it."""
        is_usable = not self.is_closing and now - self.opened_at < TAB_LIFE
        return is_usable and self.held_rao - self.spent_rao - self.reserved_rao >= need_rao

    def is_due(self, *, now: datetime, is_last: bool) -> bool:
        """Tell whether to settle it now: nothing runs or waits, and it is old, or another took its place."""
        if self.live_count or self.waiting_count:
            return False
        return self.is_closing or not is_last or now - self.opened_at >= TAB_AGE


@dataclass(slots=True, eq=False)
class KeyTabs:
    """The tabs of one API key, oldest first. One opens or settles at a time; users_count: requests at it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    tabs: list[OpenTab] = field(default_factory=list)
    users_count: int = 0
    refusal: DomainError | None = None
    refused_rao: int = 0
    refused_at: datetime | None = None

    def with_room(self, need_rao: int, *, now: datetime) -> OpenTab | None:
        """Find a tab that covers a request."""
        return next((tab for tab in self.tabs if tab.has_room(need_rao, now=now)), None)

    def refuse_again(self, need_rao: int, *, now: datetime) -> None:
        """Repeat a refusal of a moment ago to whoever wants as much. Raises: what the books raised then."""
        if self.refusal is None or self.refused_at is None or need_rao < self.refused_rao:
            return
        if now - self.refused_at < REFUSED_FOR:
            raise type(self.refusal)(**self.refusal.fields)


@dataclass(slots=True, eq=False)
class Quota:
    """Free tokens of one owner and model on one day."""

    day: date
    loaded: asyncio.Future[int]
    used_tokens: int = 0
    reserved_tokens: int = 0
    waiting_count: int = 0

    def left_tokens(self, limit_tokens: int) -> int:
        """Return how many are left, with what runs now counted in full."""
        return limit_tokens - self.loaded.result() - self.used_tokens - self.reserved_tokens


@dataclass(slots=True, eq=False)
class Reservation:
    """What one request may come to at most, set aside until it is finished or cancelled."""

    request_id: UUID
    payer: Payer
    terms: ModelTerms
    prompt_bytes: int
    output_tokens: int
    began_at: datetime
    amount_rao: int = 0
    tokens: int = 0
    tab: OpenTab | None = None
    quota: Quota | None = None
    is_closed: bool = False

    @property
    def is_free(self) -> bool:
        """Tell whether nobody will pay for it."""
        return self.tab is None

    def record(  # noqa: PLR0913  a line has that many facts
        self,
        *,
        outcome: Outcome,
        hotkey: str,
        prompt_tokens: int,
        completion_tokens: int,
        attempts_count: int,
        first_token_ms: int | None,
        duration_ms: int,
        answer_digest: str = "",
        signature: str = "",
    ) -> UsageRecord:
        """Make the line of this request; token counts are cut to what was reserved, and so is the price."""
        prompt_tokens = max(0, min(prompt_tokens, self.prompt_tokens_max))
        completion_tokens = max(0, min(completion_tokens, self.output_tokens))
        price_rao = 0
        if self.tab is not None and outcome is not Outcome.FAILED:
            price_rao = serving.price_rao(
                self.terms, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens
            )
        return UsageRecord(
            id=self.request_id,
            tab=None if self.tab is None else self.tab.id,
            owner=self.payer.owner,
            payer=self.payer.key_id,
            model=self.terms.name,
            netuid=self.terms.netuid,
            hotkey=hotkey,
            outcome=outcome,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            price_rao=price_rao,
            attempts_count=attempts_count,
            first_token_ms=first_token_ms,
            duration_ms=duration_ms,
            began_at=self.began_at,
            answer_digest=answer_digest,
            signature=signature,
        )

    @property
    def prompt_tokens_max(self) -> int:
        """Return how many tokens the prompt can have."""
        return serving.prompt_tokens_max(self.terms, prompt_bytes=self.prompt_bytes)
