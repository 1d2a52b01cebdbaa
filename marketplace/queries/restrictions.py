"""What of a wallet may be withdrawn, and what may not yet."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F, Q, QuerySet

from ledger import chart
from ledger import queries as books
from ledger.chart import AccountKind
from ledger.models import Account
from marketplace.clearing import Trouble
from marketplace.models import Deposit, Restriction
from marketplace.restricting import Restricted

# While one of these is decided, nothing of the owner's leaves. What was lost is had back, or is owed.
FREEZING = [Trouble.DISPUTED, Trouble.WARNED, Trouble.INQUIRY, Trouble.REVIEW]


@dataclass(frozen=True, slots=True)
class PurseView:
    """An owner's money as they see it: what they have, what of it they can spend, and what of that can leave."""

    posted_rao: int
    held_rao: int
    available_rao: int
    withdrawable_rao: int
    restricted_rao: int
    restricted_until: datetime | None
    is_frozen: bool
    kept_rao: int
    owed_rao: int


def purse(owner: UUID, now: datetime) -> PurseView:
    """Return an owner's money as they see it.

    Nothing may leave while a payment of theirs is disputed, warned of, asked about or reviewed, or while they owe.
    """
    wallet, lien, debt = chart.wallet(owner), chart.lien(owner), chart.debt(owner)
    balances = books.balances([wallet, lien, debt])
    stays = restricted(owner, now)
    available_rao = max(0, balances[wallet].available_rao)
    return PurseView(
        posted_rao=balances[wallet].posted_rao,
        held_rao=balances[wallet].held_rao,
        available_rao=available_rao,
        withdrawable_rao=stays.withdrawable_rao(available_rao),
        restricted_rao=stays.amount_rao,
        restricted_until=stays.until,
        is_frozen=stays.is_frozen,
        kept_rao=balances[lien].posted_rao,
        owed_rao=-balances[debt].posted_rao,
    )


def restricted(owner: UUID, now: datetime) -> Restricted:
    """Return what an owner cannot withdraw yet."""
    rows = [row for row in uncleared(owner, now) if row.uncleared_rao]
    ends = [row.until() for row in rows]
    is_frozen = (
        owed_rao(owner) > 0 or Deposit.objects.filter(owner=owner, trouble__in=FREEZING).exists()
    )
    return Restricted(
        amount_rao=sum(row.uncleared_rao for row in rows),
        until=max((end for end in ends if end), default=None) if all(ends) else None,
        is_frozen=is_frozen,
    )


def uncleared(owner: UUID, now: datetime) -> QuerySet[Restriction]:
    """Return the restrictions that still count, those that clear first first.

    Money of a deposit in trouble does not clear by time, whoever has it by now.
    """
    counts = Q(clears_at__gt=now) | ~Q(deposit__trouble="")
    rows = Restriction.objects.filter(counts, owner=owner, released_at=None)
    return rows.select_related("deposit").order_by("clears_at", "pk")


def lock_uncleared(owner: UUID, now: datetime) -> list[Restriction]:
    """Lock the restrictions that still count."""
    return list(uncleared(owner, now).select_for_update(of=("self",)))


def owed_rao(owner: UUID) -> int:
    """Return what an owner owes for payments that were taken back."""
    return max(0, -books.balance(chart.debt(owner)).posted_rao)


def debtors(*, limit: int) -> list[UUID]:
    """Return owners who owe and have something to pay with, in the order of their accounts."""
    owing = Account.objects.filter(kind=AccountKind.DEBT, debits_posted__gt=F("credits_posted"))
    can_pay = Account.objects.filter(
        kind=AccountKind.WALLET,
        owner__in=owing.values("owner"),
        credits_posted__gt=F("debits_posted") + F("debits_held"),
    )
    owners = can_pay.order_by("pk").values_list("owner", flat=True)[:limit]
    return [owner for owner in owners if owner is not None]
