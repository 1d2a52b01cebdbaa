"""Refunds that the house asks for by itself, because a bank warned of fraud.

Stripe is asked with no transaction open, as for withdrawals: what is to be asked is written first, the payment is looked
at for a refund of that name, and only then is it asked for. So a worker that dies on the way refunds nothing twice.
"""

import logging
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from django.conf import settings
from django.db import transaction

from marketplace import fraud, payments, queries
from marketplace.errors import CardsRefused
from marketplace.models import Deposit, FraudRefund
from marketplace.operations import card_desk
from marketplace.operations.fraud_warnings import LOOK_AGAIN_AFTER
from marketplace.queries import fraud as warnings

logger = logging.getLogger(__name__)

State = FraudRefund.State

# Longer than all calls of one try may take together.
TRY_AGAIN_AFTER = timedelta(minutes=2)
# An hour apart: Stripe's balance may be short for a while, and who refuses for good does so the first time.
REFUSALS_MAX = 5

REFUSED = "Stripe refused the refund: {reason}."


def limits() -> fraud.Limits:
    """Return how much is refunded without a person here."""
    return fraud.Limits(settings.FRAUD_REFUND_CENTS_MAX, settings.FRAUD_REFUND_CENTS_A_DAY)


def refund_warned_deposit(*, deposit_id: UUID, now: datetime) -> FraudRefund | None:
    """Give back what is had of a deposit that its bank warned of; None where nothing is due. Again refunds nothing more.

    Raises: CardsUnavailable, CardsSwitchedOff, CardLookOvertaken: the next sweep tries again.
    """
    row = _begin(deposit_id, now=now)
    if row is None or row.asked_cents is None:
        return row
    asked_as, payment_id = row.asked_as, row.deposit.payment_id
    assert payment_id is not None, "what was warned of was paid"
    card_desk.look_again(deposit_id=deposit_id, now=now)
    row.refresh_from_db()
    if (row.state, row.asked_as) != (State.ASKED, asked_as):
        return row
    try:
        payments.refund(payment_id, key=asked_as, amount_cents=row.asked_cents)
    except CardsRefused as refusal:
        _refuse(deposit_id, str(refusal.fields["reason"]), now=now)
    card_desk.look_again(deposit_id=deposit_id, now=now)
    row.refresh_from_db()
    return row


@transaction.atomic
def _begin(deposit_id: UUID, *, now: datetime) -> FraudRefund | None:
    """Decide what to ask for, and take it in hand for a while; what was asked before is asked again."""
    deposit = queries.lock_deposit(deposit_id)
    row = warnings.lock_fraud_refund(deposit_id)
    if deposit is None or row is None or row.next_at > now:
        return None
    row.next_at = now + TRY_AGAIN_AFTER
    if row.state == State.WATCHED:
        _decide(row, deposit, now=now)
    elif row.state != State.ASKED:
        return None
    row.save(update_fields=["state", "asked_cents", "next_at", "reason"])
    return row


def _decide(row: FraudRefund, deposit: Deposit, *, now: datetime) -> None:
    match fraud.decide(warnings.warned(deposit, now), limits()):
        case fraud.Ask(cents):
            row.move_to(State.ASKED)
            row.asked_cents = cents
            logger.warning("deposit:refund asked deposit=%s cents=%s", deposit.pk, cents)
        case fraud.Wait(why):
            row.next_at = now + LOOK_AGAIN_AFTER
            row.reason = why
        case fraud.Leave(why):
            row.move_to(State.LEFT, reason=why)
            logger.warning("deposit:warning left deposit=%s", deposit.pk)
        case decision:
            assert_never(decision)


@transaction.atomic
def _refuse(deposit_id: UUID, reason: str, *, now: datetime) -> None:
    """Note that Stripe refused, and try again under a new key: it keeps a refusal under the old one."""
    row = warnings.lock_fraud_refund(deposit_id)
    assert row is not None, "a row never goes away"
    if row.state != State.ASKED:
        return
    row.number += 1
    row.refusal_count += 1
    row.next_at = now + LOOK_AGAIN_AFTER
    is_over = row.refusal_count >= REFUSALS_MAX
    row.move_to(State.LEFT if is_over else State.WATCHED, reason=REFUSED.format(reason=reason))
    row.save(update_fields=["state", "asked_cents", "next_at", "reason", "number", "refusal_count"])
