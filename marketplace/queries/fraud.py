"""Refunds that the house asks for by itself."""

from datetime import datetime
from uuid import UUID

from django.db.models import F, Sum
from django.db.models.functions import Coalesce

from ledger import chart
from ledger import queries as books
from marketplace.fraud import Warned
from marketplace.models import Deposit, FraudRefund
from marketplace.queries.deposits import DAY

State = FraudRefund.State
FRAUD_CLAIM = 0x46524155  # "FRAU": the limit of a day is one for all, so one worker asks at a time


def due_fraud_refunds(*, now: datetime, limit: int) -> list[UUID]:
    """Name the deposits whose warnings are to be looked at now."""
    due = FraudRefund.objects.filter(state__in=[State.WATCHED, State.ASKED], next_at__lte=now)
    return list(due.order_by("next_at", "pk").values_list("pk", flat=True)[:limit])


def lock_fraud_refund(deposit_id: UUID) -> FraudRefund | None:
    """Lock what is done about a deposit's warning; None where nothing is."""
    rows = FraudRefund.objects.select_for_update(of=("self",))
    return rows.filter(pk=deposit_id).first()


def warned(deposit: Deposit, now: datetime) -> Warned:
    """Return what decides about a deposit that its bank warned of. What it keeps is under lien, so it stays had."""
    recent = FraudRefund.objects.filter(refunded_at__gt=now - DAY)
    sums = recent.aggregate(cents=Coalesce(Sum(F("refunded_cents")), 0))
    return Warned(
        amount_cents=deposit.amount_cents,
        credit_rao=deposit.credit_rao,
        refunded_cents=deposit.refunded_cents,
        owed_rao=max(0, -books.balance(chart.debt(deposit.owner)).posted_rao),
        day_cents=sums["cents"],
    )
