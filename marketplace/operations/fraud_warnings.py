"""Banks' warnings of fraud, taken up with the look that showed them; `fraud_refunds` acts on them, by a sweep."""

import logging
from datetime import datetime, timedelta

from marketplace.cardpayment import Payment
from marketplace.clearing import Trouble
from marketplace.models import Deposit, FraudRefund
from marketplace.queries import fraud as warnings

logger = logging.getLogger(__name__)

State = FraudRefund.State

# What was spent may come back: an auction is outbid, a debt is collected.
LOOK_AGAIN_AFTER = timedelta(hours=1)

CAME_BACK = "A refund came back from the card's bank."


def note_warning(deposit: Deposit, seen: Payment, *, now: datetime) -> None:
    """Take a look's warnings up, in its transaction: have them acted on, or note that they were answered."""
    if not seen.warnings:
        return
    row = warnings.lock_fraud_refund(deposit.pk)
    stands = deposit.trouble == Trouble.WARNED
    if row is None and stands and any(warning.is_actionable for warning in seen.warnings):
        FraudRefund.objects.create(deposit=deposit, warned_at=now, next_at=now)
        logger.warning("deposit:warned deposit=%s", deposit.pk)
    elif row is not None:
        _note_refund(row, seen, now=now)
        if not stands:
            row.move_to(State.ENDED)
        elif row.state == State.ENDED:
            row.move_to(State.LEFT, reason=CAME_BACK)
        row.save(
            update_fields=[
                "state", "asked_cents", "next_at", "reason", "number", "refunded_cents", "refunded_at",
            ]
        )  # fmt: skip


def _note_refund(row: FraudRefund, seen: Payment, *, now: datetime) -> None:
    """Note that Stripe made the refund that it was asked for."""
    if row.state != State.ASKED or row.asked_as not in {refund.asked_as for refund in seen.refunds}:
        return
    row.refunded_cents += row.asked_cents or 0
    row.refunded_at = now
    row.number += 1
    row.next_at = now + LOOK_AGAIN_AFTER
    row.move_to(State.WATCHED)
    logger.warning("deposit:refunded deposit=%s operator=none", row.pk)
