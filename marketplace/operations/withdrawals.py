"""Asking for a withdrawal, and taking it back. The hold is placed with the request and ended with the withdrawal."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction

from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, PlaceHold, VoidHold
from ledger.errors import IdempotencyConflict
from ledger.idempotency import stored_key
from marketplace import payments, queries
from marketplace.errors import (
    NotWithdrawable,
    PayoutAccountNotReady,
    ReasonMissing,
    WithdrawalDecided,
    WithdrawalQuoteChanged,
    WithdrawalsFrozen,
    WithdrawalsSwitchedOff,
    WithdrawalUnknown,
)
from marketplace.models import Withdrawal
from marketplace.models.withdrawals import REASON_LENGTH_MAX
from marketplace.queries import withdrawals as outgoing
from marketplace.withdrawing import Changed, Quote, Rail, Rules, hold_named, key_named
from subnets import naming

logger = logging.getLogger(__name__)

State = Withdrawal.State


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for. address_id: of their book, on the chain.  arrives: what they were shown, in rao or cents."""

    rail: Rail
    amount_rao: int
    arrives: int
    address_id: UUID | None = None


def rules() -> Rules:
    """Return what the house allows."""
    return Rules(
        least_rao=settings.WITHDRAWAL_RAO_MIN,
        a_day_rao=settings.WITHDRAWAL_RAO_A_DAY,
        two_people_rao=settings.WITHDRAWAL_TWO_PEOPLE_RAO,
        fee_rao=settings.WITHDRAWAL_FEE_RAO,
        rao_per_cent=settings.WITHDRAWAL_RAO_PER_CENT,
        proof_lasts=timedelta(minutes=settings.SECOND_FACTOR_MINUTES),
        waits={
            Changed.ADDRESS: timedelta(hours=settings.WITHDRAWAL_ADDRESS_HOURS),
            Changed.ACCOUNT: timedelta(hours=settings.WITHDRAWAL_ACCOUNT_HOURS),
            Changed.FACTOR: timedelta(hours=settings.WITHDRAWAL_FACTOR_HOURS),
        },
    )


def is_open(rail: Rail) -> bool:
    """Say whether a way out takes anything now. Switched off, what was sent before is still looked at."""
    if not settings.WITHDRAWALS_ON:
        return False
    match rail:
        case Rail.CHAIN:
            return bool(settings.CHAIN)
        case Rail.STRIPE:
            return bool(settings.PAYOUTS_ON) and payments.can_ask()


@transaction.atomic
def request_withdrawal(
    *, owner: UUID, asked: Asked, key: str, proven_at: datetime | None, now: datetime
) -> Withdrawal:
    """Ask for money to leave, and set it aside until it has, or has come to nothing.

    proven_at: when the second factor was proven; no page can forget it.
    Replay: the same key with the same input returns the first withdrawal.
    Raises: WithdrawalsSwitchedOff, SecondFactorNotProven, WithdrawalOutOfBounds, WithdrawalQuoteChanged,
    WithdrawalAddressUnknown, PayoutAccountNotReady, WithdrawalCoolingDown, WithdrawalLimitReached, WithdrawalsFrozen,
    NotWithdrawable, InsufficientFunds, IdempotencyConflict, IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    stored = stored_key("withdrawal", caller=owner, key=key)
    queries.lock_person(owner)
    earlier = Withdrawal.objects.filter(key=stored).first()
    if earlier is not None:
        return _replayed(earlier, asked, key=key)
    allowed = rules()
    if not is_open(asked.rail):
        raise WithdrawalsSwitchedOff
    allowed.check_proof(proven_at, now=now)
    quote = allowed.quote(asked.rail, asked.amount_rao)
    if quote.arrives != asked.arrives:
        raise WithdrawalQuoteChanged
    destination = _destination(owner, asked, allowed, now=now)
    _check_money(owner, quote, allowed, now=now)
    row = Withdrawal.objects.create(
        id=uuid4(),
        owner=owner,
        key=stored,
        rail=quote.rail,
        destination=destination,
        held_rao=quote.held_rao,
        fee_rao=quote.fee_rao,
        arrives_cents=quote.arrives_cents or None,
        approvals_needed=allowed.approvals_needed(quote.held_rao),
        requested_at=now,
        next_at=now,
    )
    _set_aside(row, now=now)
    return row


@transaction.atomic
def cancel_withdrawal(*, withdrawal_id: UUID, owner: UUID, now: datetime) -> Withdrawal:
    """Take a withdrawal back, as long as it is not approved. Cancelling it again changes nothing.

    Raises: WithdrawalUnknown, WithdrawalDecided.
    """
    row = outgoing.lock_withdrawal(withdrawal_id)
    if row.owner != owner:
        raise WithdrawalUnknown(withdrawal_id=withdrawal_id)
    if row.state == State.CANCELLED:
        return row
    if row.state != State.REQUESTED:
        raise WithdrawalDecided(state=row.get_state_display().lower())
    row.move_to(State.CANCELLED, now)
    row.save(update_fields=["state", "ended_at"])
    release(row, now=now)
    return row


def release(row: Withdrawal, *, now: datetime) -> None:
    """Give back what a withdrawal set aside, in the caller's transaction."""
    steps = (VoidHold(hold_named(row.id)),)
    key = key_named(row.id, "released")
    ledger.post(Entry(key=key, code=Code.WITHDRAWAL_RELEASED, at=now, steps=steps))
    logger.info("withdrawal:%s withdrawal=%s", row.state, row.id)


def reason_of(reason: str) -> str:
    """Return a reason of staff's as it is kept. Raises: ReasonMissing, TextRefused."""
    said = naming.read_prose(reason, field="reason", length_max=REASON_LENGTH_MAX)
    if not said:
        raise ReasonMissing
    return said


def _set_aside(row: Withdrawal, *, now: datetime) -> None:
    hold = PlaceHold(hold_named(row.id), chart.wallet(row.owner), row.held_rao)
    key = key_named(row.id, "requested")
    ledger.post(Entry(key=key, code=Code.WITHDRAWAL_REQUESTED, at=now, steps=(hold,)))
    logger.info("withdrawal:requested withdrawal=%s rail=%s", row.id, row.rail)


def _replayed(earlier: Withdrawal, asked: Asked, *, key: str) -> Withdrawal:
    went_to = outgoing.address_of(asked.address_id) or earlier.destination
    for field, was, is_now in (
        ("rail", earlier.rail, asked.rail),
        ("arrives", earlier.arrives, asked.arrives),
        ("address", earlier.destination, went_to),
    ):
        if was != is_now:
            raise IdempotencyConflict(key=key, field=field)
    return earlier


def _destination(owner: UUID, asked: Asked, allowed: Rules, *, now: datetime) -> str:
    """Return where the money goes, once nothing about it is too new.

    Raises: WithdrawalAddressUnknown, PayoutAccountNotReady, WithdrawalCoolingDown.
    """
    address = account = None
    match asked.rail:
        case Rail.CHAIN:
            address = outgoing.withdrawal_address(asked.address_id or UUID(int=0), owner=owner)
            destination = address.ss58
        case Rail.STRIPE:
            account = outgoing.payout_account(owner)
            if account is None or not account.pays_out:
                raise PayoutAccountNotReady
            assert account.account_id is not None
            destination = account.account_id
    changes = outgoing.changes_of(owner, address=address, account=account)
    allowed.check_changes(changes, now=now)
    return destination


def _check_money(owner: UUID, quote: Quote, allowed: Rules, *, now: datetime) -> None:
    """Pass what may leave today. Raises: WithdrawalLimitReached, WithdrawalsFrozen, NotWithdrawable."""
    allowed.check_day(quote.held_rao, used_rao=outgoing.withdrawn_today_rao(owner, now))
    purse = queries.purse(owner, now)
    if purse.is_frozen:
        raise WithdrawalsFrozen
    if quote.held_rao > purse.withdrawable_rao:
        raise NotWithdrawable(withdrawable_rao=purse.withdrawable_rao, amount_rao=quote.held_rao)
