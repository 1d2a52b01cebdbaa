"""Restrictions: granted with a deposit, carried on with a sale, let go by staff."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from ledger import chart
from ledger import queries as books
from ledger.chart import Address
from marketplace import queries, restricting
from marketplace.models import Deposit, Restriction
from marketplace.queries import withdrawals as outgoing
from marketplace.restricting import Share, Windows

logger = logging.getLogger(__name__)


def restrict(deposit: Deposit, *, taken_rao: int, now: datetime) -> None:
    """Restrict what a deposit credited, less what was taken back of it since. The window is set once.

    Runs in the caller's transaction, under the deposit's lock.
    """
    source = f"deposit:{deposit.id}"
    if Restriction.objects.filter(source=source).update(taken_rao=taken_rao):
        return
    clears_at = windows().clears_at(
        deposit.amount_cents, credited_at=now, is_suspect=queries.is_card_overused(deposit, now=now)
    )
    Restriction.objects.create(
        source=source,
        owner=deposit.owner,
        deposit=deposit,
        granted_rao=deposit.credit_rao,
        taken_rao=taken_rao,
        clears_at=clears_at,
    )


def windows() -> Windows:
    """Return how long deposits take to clear here."""
    return Windows(
        small_cents=settings.CARD_SMALL_CENTS,
        small=timedelta(days=settings.CARD_CLEARING_DAYS_SMALL),
        large=timedelta(days=settings.CARD_CLEARING_DAYS_LARGE),
    )


def carry(*, payer: UUID, parts: Iterable[tuple[Address, int]], fact: str, now: datetime) -> None:
    """Let restrictions go along with what a wallet is about to pay, in the caller's transaction, before it pays.

    The wallet is read without its lock: whatever is spent at the same moment, all restrictions together stay what
    they were.  fact: the key of the payment, so that it is carried once.
    """
    rows = queries.lock_uncleared(payer, now)
    if not rows:
        return
    parts = list(parts)
    paid_rao = sum(rao for _, rao in parts)
    gone = restricting.carried(
        [Share(row.id, row.uncleared_rao) for row in rows],
        left_rao=left_rao(payer) - paid_rao,
        parts=[(to.owner, rao) for to, rao in parts if to.owner not in {None, payer}],
    )
    by_id = {row.id: row for row in rows}
    for carried in gone:
        row = by_id[carried.share]
        row.carried_rao += carried.amount_rao
        row.save(update_fields=["carried_rao"])
        Restriction.objects.create(
            source=f"{fact}:{carried.owner}:{row.id}",
            owner=carried.owner,
            deposit_id=row.deposit_id,
            granted_rao=carried.amount_rao,
            clears_at=row.clears_at,
        )
    logger.info("restriction:carried fact=%s count=%s", fact, len(gone))


def left_rao(payer: UUID) -> int:
    """Return what covers restrictions: what is in a wallet, without what is set aside to leave, which is free money."""
    return books.balance(chart.wallet(payer)).posted_rao - outgoing.leaving_rao(payer)


@transaction.atomic
def release_restriction(*, restriction_id: UUID, operator: UUID, now: datetime) -> Restriction:
    """Let somebody withdraw before the window ends, or although the deposit is in trouble. Again changes nothing."""
    row = Restriction.objects.select_for_update(of=("self",)).get(pk=restriction_id)
    if row.released_at is None:
        row.released_at = now
        row.save(update_fields=["released_at"])
        logger.warning("restriction:released restriction=%s operator=%s", row.id, operator)
    return row
