"""Debts that staff gives up."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce

from marketplace.errors import ForgivenessUnknown
from marketplace.models import Forgiveness

# Over so long small sums are added up: many of them are as large a loss as one.
ADDED_UP_FOR = timedelta(days=30)


def lock_forgiveness(forgiveness_id: UUID) -> Forgiveness:
    """Lock one. Raises: ForgivenessUnknown."""
    rows = Forgiveness.objects.select_for_update(of=("self",))
    row = rows.filter(pk=forgiveness_id).first()
    if row is None:
        raise ForgivenessUnknown(forgiveness_id=forgiveness_id)
    return row


def forgiveness_of(deposit_id: UUID) -> Forgiveness | None:
    """Return what was asked for of a deposit and not refused."""
    asked = Forgiveness.objects.filter(deposit=deposit_id)
    return asked.exclude(state=Forgiveness.State.REFUSED).first()


def lately_forgiven_rao(*, owner: UUID, operator: UUID, now: datetime) -> int:
    """Return what was forgiven this owner, or anybody at the request of this person of staff, and what is asked for."""
    lately = Q(ended_at=None) | Q(ended_at__gt=now - ADDED_UP_FOR)
    rows = Forgiveness.objects.filter(lately, Q(owner=owner) | Q(requested_by=operator))
    asked = rows.exclude(state=Forgiveness.State.REFUSED)
    sums = asked.aggregate(rao=Coalesce(Sum(Coalesce("forgiven_rao", "most_rao")), 0))
    return int(sums["rao"])
