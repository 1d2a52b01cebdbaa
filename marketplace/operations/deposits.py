"""Card deposits: a quote, and the card page that waits for its payment."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from ledger.errors import IdempotencyConflict
from ledger.idempotency import stored_key
from marketplace import payments, queries
from marketplace.errors import (
    CardsPaused,
    CardsSwitchedOff,
    DepositLimitReached,
    DepositOutOfBounds,
)
from marketplace.models import Deposit

# Below, the processor's fixed fee eats the deposit; above, one disputed card would cost the house too much.
DEPOSIT_CENTS_MIN = 500
DEPOSIT_CENTS_MAX = 1_000_000


def start_deposit(
    *, owner: UUID, email: str, amount_cents: int, key: str, now: datetime
) -> Deposit:
    """Quote TAO for an amount of US cents and open the card page that takes it.

    The quote is written before the processor is asked, and outside that call no transaction is open: a
    crash in between leaves a deposit without a page, and the same key finds the same page later.
    Raises: CardsSwitchedOff, CardsUnavailable, CardsRefused, CardsPaused, DepositLimitReached, DepositOutOfBounds,
    IdempotencyConflict, IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    if not payments.is_switched_on():
        raise CardsSwitchedOff
    deposit = _quote(
        owner=owner,
        amount_cents=amount_cents,
        key=key,
        now=now,
    )
    if deposit.session_id is not None:
        return deposit
    wallet_url = settings.SITE_URL + reverse("wallet")
    checkout = payments.create_checkout(
        deposit_id=deposit.id,
        amount_cents=deposit.amount_cents,
        email=email,
        success_url=f"{wallet_url}?deposit={deposit.id}",
        cancel_url=wallet_url,
        created_at=deposit.created_at,
    )
    deposit.session_id = checkout.session_id
    deposit.checkout_url = checkout.url
    # Only these two: the payment may have arrived meanwhile and moved the state.
    deposit.save(update_fields=["session_id", "checkout_url"])
    return deposit


@transaction.atomic
def _quote(*, owner: UUID, amount_cents: int, key: str, now: datetime) -> Deposit:
    """Write the quote, or find it under its key."""
    if not DEPOSIT_CENTS_MIN <= amount_cents <= DEPOSIT_CENTS_MAX:
        raise DepositOutOfBounds(
            minimum_cents=DEPOSIT_CENTS_MIN,
            maximum_cents=DEPOSIT_CENTS_MAX,
            amount_cents=amount_cents,
        )
    stored = stored_key("deposit", caller=owner, key=key)
    queries.lock_person(owner)
    earlier = Deposit.objects.filter(key=stored).first()
    if earlier is not None and earlier.amount_cents != amount_cents:
        raise IdempotencyConflict(key=key, field="amount_cents")
    if earlier is not None:
        return earlier
    _check_limits(owner, amount_cents, now=now)
    return Deposit.objects.create(
        key=stored,
        owner=owner,
        amount_cents=amount_cents,
        credit_rao=amount_cents * settings.TOPUP_RAO_PER_CENT,
        created_at=now,
        expires_at=now + payments.CHECKOUT_LIFETIME,
    )


def _check_limits(owner: UUID, amount_cents: int, *, now: datetime) -> None:
    """Pass where an account, and every card it was seen with, may pay so much more today.

    Raises: CardsPaused, DepositLimitReached.
    """
    since = now - queries.DAY
    failures = queries.failure_count(owner, since=since)
    if failures >= settings.CARD_FAILURES_A_DAY:
        raise CardsPaused(failure_count=failures)
    for used_cents, limit_cents in (
        (queries.cents_asked(owner, since=since), settings.CARD_ACCOUNT_CENTS_A_DAY),
        (queries.busiest_card_cents(owner, since=since), settings.CARD_CENTS_A_DAY),
    ):
        if used_cents + amount_cents > limit_cents:
            raise DepositLimitReached(limit_cents=limit_cents, used_cents=used_cents)
