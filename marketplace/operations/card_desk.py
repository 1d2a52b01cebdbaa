"""What staff does about card payments: refund one, dismiss a warning, look again."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace import payments
from marketplace.errors import DepositUnknown
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
