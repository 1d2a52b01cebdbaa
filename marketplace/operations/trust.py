"""Trust: who may deal with whom, which accounts belong together, and problems with a purchase."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from marketplace import queries
from marketplace.errors import (
    AccountsLinked,
    AddressNotVerified,
    DisputeDecided,
    DisputeTooLate,
)
from marketplace.models import AccountLink, Dispute
from subnets import naming

logger = logging.getLogger(__name__)

# A buyer sees an epoch or two of most subnets in this time, and what was stated is still remembered.
DISPUTE_WITHIN = timedelta(days=14)
TEXT_MAX = 2000


def check_may_deal(*, buyer: UUID, seller: UUID) -> None:
    """Refuse a buyer who has not confirmed their address, or who is the seller by another name. One statement.

    Raises: AddressNotVerified (only where mail is sent), AccountsLinked.
    """
    require_may_deal(queries.dealing(buyer, seller))


def require_may_deal(seen: queries.Dealing) -> None:
    """Refuse by what was seen of two accounts. Raises: AddressNotVerified, AccountsLinked."""
    if settings.ACCOUNT_EMAIL_VERIFICATION == "mandatory" and not seen.is_verified:
        raise AddressNotVerified
    if seen.is_linked:
        raise AccountsLinked


@transaction.atomic
def link_accounts(
    *,
    one: UUID,
    other: UUID,
    note: str,
    linked_by: UUID,
    now: datetime,
) -> AccountLink | None:
    """Note that two accounts belong together. Noting it again changes nothing; one account is not a pair."""
    if one == other:
        return None
    first, second = sorted((one, other))
    link, is_new = AccountLink.objects.get_or_create(
        first=first,
        second=second,
        defaults={"note": note, "linked_by": linked_by, "linked_at": now},
    )
    if is_new:
        logger.warning("account:linked first=%s second=%s", first, second)
    return link


@transaction.atomic
def open_dispute(*, sale_id: UUID, buyer: UUID, text: str, now: datetime) -> Dispute:
    """Say that a purchase is not what was stated. A sale has one dispute; opening it again returns it.

    Raises: SaleUnknown, DisputeTooLate, TextRefused.
    """
    sale = queries.purchase(sale_id, buyer=buyer)
    if earlier := queries.dispute_of(sale_id):
        return earlier
    if now > sale.sold_at + DISPUTE_WITHIN:
        raise DisputeTooLate(days=DISPUTE_WITHIN.days)
    assert sale.seller is not None
    said = naming.read_prose(text, field="text", length_max=TEXT_MAX, lines=True)
    # A sale is a fact, which the programs' role may not lock: of two at once the constraint lets one in.
    dispute, is_new = Dispute.objects.get_or_create(
        sale=sale,
        defaults={"buyer": buyer, "seller": sale.seller, "text": said, "opened_at": now},
    )
    if is_new:
        logger.info("dispute:opened sale=%s netuid=%s", sale.id, sale.netuid)
    return dispute


@transaction.atomic
def decide_dispute(
    *, dispute_id: UUID, state: Dispute.State, answer: str, decided_by: UUID, now: datetime
) -> Dispute:
    """Uphold or dismiss a dispute, by staff, or withdraw it, by its buyer. The same decision again changes nothing.

    Raises: DisputeUnknown, DisputeDecided, TextRefused.
    """
    dispute = queries.lock_dispute(dispute_id)
    if dispute.state == state:
        return dispute
    if state not in Dispute.TRANSITIONS[Dispute.State(dispute.state)]:
        raise DisputeDecided(state=dispute.state)
    dispute.state = state
    dispute.answer = naming.read_prose(answer, field="answer", length_max=TEXT_MAX, lines=True)
    dispute.decided_by, dispute.decided_at = decided_by, now
    dispute.save(update_fields=["state", "answer", "decided_by", "decided_at"])
    logger.info("dispute:decided dispute=%s state=%s", dispute.id, state)
    return dispute
