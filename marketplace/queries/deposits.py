"""Card deposits, and what Stripe told about them."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Sum
from django.db.models.functions import Coalesce

from ledger import chart
from ledger.models import Account
from marketplace.clearing import Purse
from marketplace.errors import DepositUnknown
from marketplace.models import CardFailure, Deposit, WebhookEvent
from marketplace.queries.auctions import ROWS_MAX

DAY = timedelta(days=1)


def deposit(deposit_id: UUID, *, owner: UUID) -> Deposit:
    """Return one of an owner's deposits. Raises: DepositUnknown, also for somebody else's."""
    row = Deposit.objects.filter(pk=deposit_id, owner=owner).first()
    if row is None:
        raise DepositUnknown(deposit_id=deposit_id)
    return row


def deposits_of(owner: UUID) -> list[Deposit]:
    """List an owner's deposits, the newest first."""
    return list(Deposit.objects.filter(owner=owner).order_by("-created_at")[:ROWS_MAX])


def lock_deposit(deposit_id: UUID) -> Deposit | None:
    """Lock one deposit's row; None where there is none."""
    return Deposit.objects.select_for_update(of=("self",)).filter(pk=deposit_id).first()


def lock_webhook_event(event_id: str) -> WebhookEvent:
    """Lock one stored event."""
    return WebhookEvent.objects.select_for_update(of=("self",)).get(pk=event_id)


def waiting_webhook_events(*, limit: int) -> list[str]:
    """Name the events that wait to be acted on, in the order they came."""
    waiting = WebhookEvent.objects.filter(processed_at=None).order_by("received_at", "pk")
    return list(waiting.values_list("pk", flat=True)[:limit])


def deposit_paid_by(payment_id: str) -> UUID | None:
    """Return the deposit that a payment was for, where a look has found that out."""
    return Deposit.objects.filter(payment_id=payment_id).values_list("pk", flat=True).first()


def look_count(deposit_id: UUID) -> int | None:
    """Return how often a deposit's payment was looked at; None where there is no such deposit."""
    return Deposit.objects.filter(pk=deposit_id).values_list("look_count", flat=True).first()


def lock_purse(owner: UUID) -> Purse:
    """Lock what an owner has and owes, and what card entries touch besides, in the ledger's own order.

    So an entry made after it moves what was read here. An account that was never opened has nothing.
    """
    wallet, debt = chart.wallet(owner), chart.debt(owner)
    touched = [debt.code, chart.lien(owner).code, chart.TREASURY.code, wallet.code]
    accounts = Account.objects.select_for_update(no_key=True).filter(code__in=touched)
    balances = {
        row.code: row.credits_posted - row.debits_posted - row.debits_held
        for row in accounts.order_by("code")
    }
    return Purse(
        available_rao=balances.get(wallet.code, 0), owed_rao=max(0, -balances.get(debt.code, 0))
    )


def cents_asked(owner: UUID, *, since: datetime) -> int:
    """Return what somebody asked to pay by card since an instant, without what came to nothing."""
    came_to_nothing = [Deposit.State.EXPIRED, Deposit.State.FAILED]
    asked = Deposit.objects.filter(owner=owner, created_at__gt=since).exclude(
        state__in=came_to_nothing
    )
    return int(asked.aggregate(cents=Coalesce(Sum("amount_cents"), 0))["cents"])


def busiest_card_cents(owner: UUID, *, since: datetime) -> int:
    """Return the most that any card which somebody has used paid since an instant, over all accounts."""
    theirs = Deposit.objects.filter(owner=owner).exclude(card_fingerprint="")
    paid = Deposit.objects.filter(
        card_fingerprint__in=theirs.values("card_fingerprint"), credited_at__gt=since
    )
    sums = paid.values("card_fingerprint").annotate(cents=Sum("amount_cents")).order_by("-cents")
    return sums.values_list("cents", flat=True).first() or 0


def is_card_overused(deposit: Deposit, *, now: datetime) -> bool:
    """Say whether the card of a credited deposit has paid for more than one card may in a day, over all accounts."""
    if not deposit.card_fingerprint:
        return False
    paid = Deposit.objects.filter(
        card_fingerprint=deposit.card_fingerprint, credited_at__gt=now - DAY
    ).aggregate(cents=Coalesce(Sum("amount_cents"), 0))
    return bool(paid["cents"] > settings.CARD_CENTS_A_DAY)


def failure_count(owner: UUID, *, since: datetime) -> int:
    """Return how many times a card of somebody did not pay since an instant."""
    return CardFailure.objects.filter(owner=owner, failed_at__gt=since).count()
