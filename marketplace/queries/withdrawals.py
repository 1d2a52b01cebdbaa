"""Withdrawals, the places they go to, and what is waited for."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from marketplace.errors import WithdrawalAddressUnknown, WithdrawalUnknown
from marketplace.models import PayoutAccount, Withdrawal, WithdrawalAddress
from marketplace.queries.auctions import ROWS_MAX
from marketplace.queries.security import security_changed_at
from marketplace.withdrawing import DAY, Changed, Gone, Rail

State = Withdrawal.State
# One worker sends at a time: two would ask the rails the same, and a slow rail would be asked twice as often.
SENDING_CLAIM = 0x53454E44  # "SEND"
HELD = Q(state__in=[State.REQUESTED, State.APPROVED, State.SENDING]) | Q(
    state=State.SENT, rail=Rail.CHAIN
)


def withdrawal(withdrawal_id: UUID, *, owner: UUID) -> Withdrawal:
    """Return one of an owner's withdrawals. Raises: WithdrawalUnknown, also for somebody else's."""
    row = Withdrawal.objects.filter(pk=withdrawal_id, owner=owner).first()
    if row is None:
        raise WithdrawalUnknown(withdrawal_id=withdrawal_id)
    return row


def withdrawals(owner: UUID) -> QuerySet[Withdrawal]:
    """Return an owner's withdrawals, the newest first, for a page of a list."""
    return Withdrawal.objects.filter(owner=owner).order_by("-requested_at", "-pk")


def withdrawals_of(owner: UUID) -> list[Withdrawal]:
    """List an owner's withdrawals, the newest first."""
    return list(withdrawals(owner)[:ROWS_MAX])


def withdrawal_of_staff(withdrawal_id: UUID) -> Withdrawal:
    """Return anybody's withdrawal. Raises: WithdrawalUnknown."""
    row = Withdrawal.objects.filter(pk=withdrawal_id).first()
    if row is None:
        raise WithdrawalUnknown(withdrawal_id=withdrawal_id)
    return row


def lock_withdrawal(withdrawal_id: UUID) -> Withdrawal:
    """Lock one withdrawal's row. Raises: WithdrawalUnknown."""
    row = Withdrawal.objects.select_for_update(of=("self",)).filter(pk=withdrawal_id).first()
    if row is None:
        raise WithdrawalUnknown(withdrawal_id=withdrawal_id)
    return row


def withdrawn_rao(owner: UUID, *, since: datetime) -> int:
    """Return what an owner asked to withdraw since an instant, without what came to nothing."""
    came_to_nothing = [State.CANCELLED, State.REFUSED, State.RETURNED]
    asked = Withdrawal.objects.filter(owner=owner, requested_at__gt=since).exclude(
        state__in=came_to_nothing
    )
    return int(asked.aggregate(rao=Coalesce(Sum("held_rao"), 0))["rao"])


def withdrawn_today_rao(owner: UUID, now: datetime) -> int:
    """Return what counts towards the limit of 24 hours."""
    return withdrawn_rao(owner, since=now - DAY)


def leaving_rao(owner: UUID) -> int:
    """Return what of an owner's wallet is set aside to leave."""
    leaving = Withdrawal.objects.filter(HELD, owner=owner)
    return int(leaving.aggregate(rao=Coalesce(Sum("held_rao"), 0))["rao"])


def due_withdrawals(*, now: datetime, limit: int) -> list[UUID]:
    """Name the withdrawals that are to be sent, or whose sending is not known to have come to anything."""
    due = Withdrawal.objects.filter(
        state__in=[State.APPROVED, State.SENDING], next_at__lte=now
    ).order_by("next_at", "pk")
    return list(due.values_list("pk", flat=True)[:limit])


def unsettled_broadcasts(*, now: datetime, limit: int) -> list[UUID]:
    """Name the withdrawals that the chain took and that are not final."""
    sent = Withdrawal.objects.filter(state=State.SENT, rail=Rail.CHAIN, next_at__lte=now)
    return list(sent.order_by("next_at", "pk").values_list("pk", flat=True)[:limit])


def gone_to_chain(*, since: datetime, requests: Iterable[UUID]) -> list[Gone]:
    """Return what the books say of withdrawals to the chain: of those sent since an instant, and of these."""
    asked = Q(sent_at__gte=since) | Q(pk__in=list(requests))
    rows = Withdrawal.objects.filter(asked, rail=Rail.CHAIN).order_by("sent_at")
    return [
        Gone(
            row.id,
            address=row.destination,
            extrinsic=row.reference or "",
            rao=row.arrives_rao if row.state == State.ARRIVED else 0,
        )
        for row in rows
    ]


def accounts_paid(*, since: datetime, limit: int) -> list[str]:
    """Name the accounts at Stripe that dollars were sent to since an instant, or are still at, the latest first."""
    rows = Withdrawal.objects.filter(rail=Rail.STRIPE, state__in=[State.SENT, State.ARRIVED])
    recent = rows.filter(Q(state=State.SENT) | Q(sent_at__gte=since))
    accounts = recent.values("destination").annotate(last=Max("sent_at")).order_by("-last")
    return list(accounts.values_list("destination", flat=True)[:limit])


def withdrawal_addresses(owner: UUID) -> list[WithdrawalAddress]:
    """List an owner's address book."""
    return list(WithdrawalAddress.objects.filter(owner=owner, removed_at=None))


def withdrawal_address(address_id: UUID, *, owner: UUID) -> WithdrawalAddress:
    """Return an address of an owner's book. Raises: WithdrawalAddressUnknown."""
    row = WithdrawalAddress.objects.filter(pk=address_id, owner=owner, removed_at=None).first()
    if row is None:
        raise WithdrawalAddressUnknown
    return row


def address_of(address_id: UUID | None) -> str | None:
    """Return an address of a book, removed or not; None where there is none."""
    if address_id is None:
        return None
    return WithdrawalAddress.objects.filter(pk=address_id).values_list("ss58", flat=True).first()


def destination_known_since(row: Withdrawal) -> datetime | None:
    """Return since when a withdrawal's owner has had its destination as it is."""
    if row.rail == Rail.STRIPE:
        account = payout_account(row.owner)
        return account.changed_at if account else None
    named = WithdrawalAddress.objects.filter(owner=row.owner, ss58=row.destination)
    return named.order_by("-added_at").values_list("added_at", flat=True).first()


def payout_account(owner: UUID) -> PayoutAccount | None:
    """Return an owner's account at Stripe."""
    return PayoutAccount.objects.filter(owner=owner).first()


def changes_of(
    owner: UUID, *, address: WithdrawalAddress | None, account: PayoutAccount | None
) -> Mapping[Changed, datetime | None]:
    """Return when what decides where an owner's money goes was last changed."""
    return {
        Changed.FACTOR: security_changed_at(owner),
        Changed.ADDRESS: address.added_at if address else None,
        Changed.ACCOUNT: account.changed_at if account else None,
    }
