"""Who may deal with whom, and what is known of people: facts of the house alone."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from allauth.account.models import EmailAddress
from django.db.models import Count, Exists, OuterRef, Q

from marketplace.errors import DisputeUnknown, SaleUnknown
from marketplace.linking import mailbox
from marketplace.models import AccountLink, Dispute, Sale, User


@dataclass(frozen=True, slots=True)
class Reputation:
    """What an account has done here, counted from settled sales and decided disputes; nobody's opinion.

    disputed_count: sales of theirs whose buyer was right.  open_dispute_count: not decided yet.
    """

    joined_at: datetime | None
    sold_count: int
    bought_count: int
    disputed_count: int
    open_dispute_count: int


@dataclass(frozen=True, slots=True)
class Dealing:
    """Whether a buyer's address is verified, and whether buyer and seller are one."""

    is_verified: bool
    is_linked: bool


def dealing(buyer: UUID, seller: UUID) -> Dealing:
    """Look at two accounts in one statement. An account that is no user's, as in tests of machines, is linked to nobody."""
    first, second = sorted((buyer, seller))
    people = {
        person.pk: person
        for person in User.objects.filter(pk__in=[buyer, seller]).annotate(
            is_verified=Exists(EmailAddress.objects.filter(user=OuterRef("pk"), verified=True)),
            is_linked=Exists(AccountLink.objects.filter(first=first, second=second)),
        )
    }
    one, other = people.get(buyer), people.get(seller)
    return dealing_of(
        one.email if one else None,
        other.email if other else None,
        is_verified=bool(one and one.is_verified),
        is_linked=buyer == seller or bool(one and one.is_linked),
    )


def dealing_of(
    buyer_email: str | None, seller_email: str | None, *, is_verified: bool, is_linked: bool
) -> Dealing:
    """Say how two accounts stand to each other, from what was read of them; no address means no user."""
    same_mailbox = (
        buyer_email is not None
        and seller_email is not None
        and mailbox(buyer_email) == mailbox(seller_email)
    )
    return Dealing(
        is_verified=is_verified or buyer_email is None,
        is_linked=is_linked or same_mailbox,
    )


def reputation(owner: UUID) -> Reputation:
    """Count what an account has done here, in three statements."""
    sales = Sale.objects.filter(Q(seller=owner) | Q(buyer=owner)).aggregate(
        sold=Count("pk", filter=Q(seller=owner)), bought=Count("pk", filter=Q(buyer=owner))
    )
    disputes = Dispute.objects.filter(seller=owner).aggregate(
        upheld=Count("pk", filter=Q(state=Dispute.State.UPHELD)),
        open=Count("pk", filter=Q(state=Dispute.State.OPEN)),
    )
    joined_at = User.objects.filter(pk=owner).values_list("joined_at", flat=True).first()
    return Reputation(
        joined_at=joined_at,
        sold_count=sales["sold"],
        bought_count=sales["bought"],
        disputed_count=disputes["upheld"],
        open_dispute_count=disputes["open"],
    )


def purchase(sale_id: UUID, *, buyer: UUID) -> Sale:
    """Return a sale that somebody bought in, from somebody. Raises: SaleUnknown."""
    found = Sale.objects.filter(pk=sale_id, buyer=buyer, seller__isnull=False).first()
    if found is None:
        raise SaleUnknown(sale_id=sale_id)
    return found


def lock_dispute(dispute_id: UUID) -> Dispute:
    """Lock a dispute. Raises: DisputeUnknown."""
    found = Dispute.objects.select_for_update(of=("self",)).filter(pk=dispute_id).first()
    if found is None:
        raise DisputeUnknown(dispute_id=dispute_id)
    return found


def dispute_of(sale_id: UUID) -> Dispute | None:
    """Find what was said of a sale."""
    return Dispute.objects.filter(sale=sale_id).first()


def disputes_about(netuid: int) -> int:
    """Count the disputes about sales of a subnet that were upheld or are open."""
    counted = [Dispute.State.OPEN, Dispute.State.UPHELD]
    return Dispute.objects.filter(sale__netuid=netuid, state__in=counted).count()
