"""Premiums on free slots: opened and withdrawn by staff, under the lock that slots are sold under."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from ledger.money import MAX_SUPPLY_RAO
from marketplace import queries
from marketplace.errors import PremiumAlreadyOpen, PremiumTermsInvalid
from marketplace.models import SlotPremium
from marketplace.offering import HALF_LIFE_S_MAX
from subnets import queries as slots

logger = logging.getLogger(__name__)

# A premium is for a rush; beyond a quarter it would be a price.
LASTS_MAX = timedelta(days=90)


@transaction.atomic
def open_slot_premium(
    *,
    premium_rao: int,
    half_life_s: int,
    starts_at: datetime,
    ends_at: datetime,
    operator: UUID,
    now: datetime,
) -> SlotPremium:
    """Ask a falling premium over the lock cost of free slots. The same terms again open nothing new.

    Raises: PremiumTermsInvalid, PremiumAlreadyOpen.
    """
    slots.lock_network()
    terms = {
        "premium_rao": premium_rao,
        "half_life_s": half_life_s,
        "starts_at": starts_at,
        "ends_at": ends_at,
    }
    for reason, is_fine in (
        ("it lies above zero and within the supply", 0 < premium_rao <= MAX_SUPPLY_RAO),
        ("its half-life is 1 second to 30 days", 1 <= half_life_s <= HALF_LIFE_S_MAX),
        (
            f"it ends after its start, within {LASTS_MAX.days} days",
            timedelta() < ends_at - starts_at <= LASTS_MAX,
        ),
    ):
        if not is_fine:
            raise PremiumTermsInvalid(reason=reason)
    other = queries.premium_between(starts_at, ends_at)
    if other is not None and all(getattr(other, name) == value for name, value in terms.items()):
        return other
    if other is not None:
        raise PremiumAlreadyOpen(ends_at=other.ends_at)
    opened = SlotPremium.objects.create(**terms, opened_by=operator, opened_at=now)
    logger.info("premium:opened premium=%s operator=%s", opened.id, operator)
    return opened


@transaction.atomic
def withdraw_slot_premium(*, premium_id: UUID, operator: UUID, now: datetime) -> SlotPremium:
    """End a premium at once. Withdrawing it again changes nothing."""
    slots.lock_network()
    premium = SlotPremium.objects.get(pk=premium_id)
    if premium.withdrawn_at is None:
        premium.withdrawn_at = now
        premium.save(update_fields=["withdrawn_at"])
        logger.info("premium:withdrawn premium=%s operator=%s", premium.id, operator)
    return premium
