"""What staff does about card payments: refund one, dismiss a warning, forgive a debt; and debts that are collected."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from ledger import chart
from ledger import operations as ledger
from ledger import queries as books
from ledger.chart import Code
from ledger.entries import Entry, Move, MoveUpTo
from ledger.errors import NothingToMove
from ledger.money import MAX_SUPPLY_RAO
from marketplace import payments, queries
from marketplace.errors import DepositUnknown, NothingOwed
from marketplace.models import Deposit
from marketplace.operations import card_books

logger = logging.getLogger(__name__)


def refund_deposit(*, deposit_id: UUID, operator: UUID, now: datetime) -> str:
    """Give a payment back to its card, all that was not yet, and take its TAO back. Returns what came of it.

    Before a chargeback that is what spares its fee. Asking again refunds nothing more.
    Raises: DepositUnknown, CardsUnavailable, CardsRefused (already refunded), CardsSwitchedOff, CardLookOvertaken.
    """
    deposit = Deposit.objects.filter(pk=deposit_id, state=Deposit.State.CREDITED).first()
    if deposit is None or deposit.payment_id is None:
        raise DepositUnknown(deposit_id=deposit_id)
    payments.refund(deposit.payment_id, key=f"refund:{deposit_id}")
    logger.warning("deposit:refunded deposit=%s operator=%s", deposit_id, operator)
    return look_again(deposit_id=deposit_id, now=now)


def look_again(*, deposit_id: UUID, now: datetime) -> str:
    """Look at a deposit's payment without an event, and post what the books miss.

    Raises: DepositUnknown, CardsUnavailable, CardsRefused, CardsSwitchedOff, CardLookOvertaken.
    """
    payment_id = Deposit.objects.filter(pk=deposit_id).values_list("payment_id", flat=True).first()
    look = card_books.look_at(payment_id) if payment_id else None
    if look is None:
        raise DepositUnknown(deposit_id=deposit_id)
    with transaction.atomic():
        return card_books.take_up(look, now=now)


def dismiss_warning(*, deposit_id: UUID, operator: UUID, now: datetime) -> str:
    """Say that a payment which its bank warned of was no fraud; the lien is released. Again changes nothing.

    Raises: as `look_again` does.
    """
    dismissed = Deposit.objects.filter(pk=deposit_id, warning_dismissed_at=None)
    if dismissed.update(warning_dismissed_at=now):
        logger.warning("deposit:warning dismissed deposit=%s operator=%s", deposit_id, operator)
    return look_again(deposit_id=deposit_id, now=now)


def collect_debt(*, owner: UUID, now: datetime) -> int:
    """Take what an owner owes from what their wallet has by now; return how much that was."""
    paid = MoveUpTo(chart.wallet(owner), chart.debt(owner), MAX_SUPPLY_RAO)
    key = f"debt:{owner}:collected:{now.isoformat()}"
    try:
        posted = ledger.post(Entry(key=key, code=Code.CARD_DEBT_COLLECTED, at=now, steps=(paid,)))
    except NothingToMove:
        return 0
    logger.info("debt:collected owner=%s", owner)
    return books.moved_rao(posted.entry_id)


@transaction.atomic
def forgive_debt(*, deposit_id: UUID, reason: str, operator: UUID, now: datetime) -> int:
    """Give up what an owner owes, at most what a deposit credited; the loss is the house's. Once per deposit.

    The TAO leaves the treasury after all, and the dollars it was sold for are a loss, at the deposit's rate.
    Raises: DepositUnknown, NothingOwed, InsufficientFunds (the treasury's).
    """
    deposit = queries.lock_deposit(deposit_id)
    if deposit is None:
        raise DepositUnknown(deposit_id=deposit_id)
    owed_rao = min(queries.lock_purse(deposit.owner).owed_rao, deposit.credit_rao)
    if not owed_rao:
        raise NothingOwed(owner=deposit.owner)
    cents = owed_rao * deposit.amount_cents // deposit.credit_rao
    lost = [Move(chart.DISPUTES_LOSS, chart.FX_USD, cents)] if cents else []
    steps = (Move(chart.TREASURY, chart.debt(deposit.owner), owed_rao), *lost)
    key = f"debt:{deposit_id}:forgiven"
    ledger.post(Entry(key=key, code=Code.CARD_DEBT_FORGIVEN, at=now, steps=steps, note=reason))
    logger.warning("debt:forgiven deposit=%s operator=%s", deposit_id, operator)
    return owed_rao
