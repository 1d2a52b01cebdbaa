"""Tabs: money set aside for one API key in advance, what was used of it, and one entry that pays everybody."""

import logging
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from compute import pricing, queries, serving
from compute.errors import SpendingLimitReached
from compute.models import Tab, Usage
from compute.queries.serving import Debt
from compute.serving import UsageRecord
from ledger import chart
from ledger import operations as ledger
from ledger import queries as books
from ledger.chart import Address, Code
from ledger.entries import Entry, PlaceHold, PostHold, VoidHold, hold_id
from ledger.errors import IdempotencyConflict, InsufficientFunds
from subnets.models import Subnet

logger = logging.getLogger(__name__)


def hold_of(tab_id: UUID) -> UUID:
    """Return the id of the hold behind a tab."""
    return hold_id(f"tab:{tab_id}")


@transaction.atomic
def open_tab(
    *,
    tab_id: UUID,
    owner: UUID,
    payer: str,
    need_rao: int,
    limit_rao: int | None,
    now: datetime,
) -> Tab:
    """Set money aside for a key's next requests: need_rao at least, more while wallet and limit have it.

    tab_id: chosen by the gateway, and the key of this write; the same id gets the first tab.
    limit_rao: what the key may spend in a calendar month, none for no limit.
    Raises: SpendingLimitReached, InsufficientFunds, Busy, IdempotencyConflict.
    """
    queries.lock_payer(payer)
    known = Tab.objects.filter(pk=tab_id).first()
    if known is not None:
        if (known.owner, known.payer) != (owner, payer):
            raise IdempotencyConflict(key=str(tab_id), field="payer")
        return known
    left_rao = None
    if limit_rao is not None:
        left_rao = left_of_limit(payer, need_rao=need_rao, limit_rao=limit_rao, now=now)
    wallet = chart.wallet(owner)
    available_rao = books.balance(wallet).available_rao
    if available_rao < need_rao:
        raise InsufficientFunds(needed_rao=need_rao, available_rao=available_rao)
    held_rao = serving.tab_size_rao(
        need_rao=need_rao, available_rao=available_rao, left_rao=left_rao
    )
    tab = Tab.objects.create(id=tab_id, owner=owner, payer=payer, held_rao=held_rao, opened_at=now)
    hold = PlaceHold(hold=hold_of(tab_id), account=wallet, amount_rao=held_rao)
    ledger.post(Entry(key=f"tab:opened:{tab_id}", code=Code.TAB_OPENED, at=now, steps=(hold,)))
    return tab


def left_of_limit(payer: str, *, need_rao: int, limit_rao: int, now: datetime) -> int:
    """Return what a key may still spend this month. Raises: SpendingLimitReached when that is too little."""
    spent_rao = queries.spent_by_payer([payer], now=now).get(payer, 0)
    if limit_rao - spent_rao < need_rao:
        _, resets_at = queries.month_of(now)
        raise SpendingLimitReached(limit_rao=limit_rao, spent_rao=spent_rao, resets_at=resets_at)
    return limit_rao - spent_rao


@transaction.atomic
def record_usages(records: Sequence[UsageRecord], *, now: datetime) -> int:
    """Write what was used, in one insert; lines that are in the books already change nothing. Return how many are new.

    A line whose tab was settled meanwhile comes too late to be paid: it is recorded, and costs nothing.
    """
    tabs = {record.tab for record in records if record.tab is not None}
    still_open = queries.lock_open_tabs(tabs) if tabs else set()
    known = queries.known_usages(record.id for record in records)
    new = {record.id: record for record in records if record.id not in known}
    rows = [usage_of(record, open_tabs=still_open, now=now) for record in new.values()]
    Usage.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def usage_of(record: UsageRecord, *, open_tabs: set[UUID], now: datetime) -> Usage:
    """Make the row of a line."""
    is_late = record.tab is not None and record.tab not in open_tabs
    if is_late:
        logger.warning(
            "usage:late usage=%s tab=%s price_rao=%s", record.id, record.tab, record.price_rao
        )
    is_free = record.is_free or is_late
    return Usage(
        id=record.id,
        tab_id=None if is_free else record.tab,
        owner=record.owner,
        payer=record.payer,
        model=record.model,
        netuid=record.netuid,
        hotkey=record.hotkey,
        outcome=record.outcome,
        prompt_tokens=record.prompt_tokens,
        completion_tokens=record.completion_tokens,
        is_free=is_free,
        price_rao=0 if is_free else record.price_rao,
        attempts_count=record.attempts_count,
        first_token_ms=record.first_token_ms,
        duration_ms=record.duration_ms,
        began_at=record.began_at,
        recorded_at=now,
        answer_digest=record.answer_digest,
        signature=record.signature,
    )


@transaction.atomic
def settle_tab(*, tab_id: UUID, now: datetime) -> Tab:
    """Pay what was used of a tab, by one entry, and release the rest. Again, and nothing changes.

    Raises: TabUnknown, Busy.
    """
    tab = queries.lock_tab(tab_id)
    if tab.state != Tab.State.OPEN:
        return tab
    debts = queries.debts_of(tab)
    tab.spent_rao = sum(debt.amount_rao for debt in debts)
    tab.move_to(Tab.State.SETTLED, now=now)
    ledger.post(settlement(tab, debts, now=now))
    return tab


def settlement(tab: Tab, debts: Sequence[Debt], *, now: datetime) -> Entry:
    """Say what ends a tab: its debts go to whom they are owed, and what nobody is owed back to the wallet."""
    hold = hold_of(tab.pk)
    if not debts:
        void = VoidHold(hold)
        return Entry(key=f"tab:released:{tab.pk}", code=Code.TAB_RELEASED, at=now, steps=(void,))
    paid = {payee: rao for payee, rao in payees(debts).items() if rao}
    post = PostHold(hold=hold, to=tuple(paid.items()))
    return Entry(key=f"tab:settled:{tab.pk}", code=Code.TAB_SETTLED, at=now, steps=(post,))


def payees(debts: Sequence[Debt]) -> dict[Address, int]:
    """Return who is owed how much in all: each debt is split as a job's price is, then summed by account."""
    miners = queries.owner_by_hotkey({debt.hotkey for debt in debts})
    netuids = {debt.netuid for debt in debts}
    owners = dict(Subnet.objects.filter(pk__in=netuids).values_list("pk", "owner"))
    owed: dict[Address, int] = {}
    for debt in debts:
        parts = pricing.shares(debt.amount_rao)
        for address, part_rao in (
            (chart.wallet(miners[debt.hotkey]), parts.miner_rao),
            (chart.wallet(owners[debt.netuid]), parts.owner_rao),
            (chart.FEES, parts.fee_rao),
        ):
            owed[address] = owed.get(address, 0) + part_rao
    return owed
