"""Sending approved withdrawals, and what became of them.

A rail is asked with no transaction open, by the withdrawal's id: first whether it has it, then to send it. So a worker
that dies between the sending and the commit leaves a withdrawal that the next sweep finds sent, and sends no second time.
"""

import logging
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from django.conf import settings
from django.db import transaction

from ledger import chart, sweeps
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, Move, PostHold
from marketplace import queries
from marketplace.chain import Broadcast, Chain, Fate
from marketplace.errors import (
    PayoutAccountNotReady,
    RailShort,
    WithdrawalDecided,
    WithdrawalsSwitchedOff,
)
from marketplace.models import User, Withdrawal
from marketplace.operations import withdrawal_transfers
from marketplace.operations.rehearsed_chain import RehearsedChain
from marketplace.operations.withdrawals import is_open, reason_of, release, rules
from marketplace.payments import payouts
from marketplace.queries import withdrawals as outgoing
from marketplace.withdrawing import ChainDifference, Rail, Transfer, compare, hold_named, key_named

logger = logging.getLogger(__name__)

State = Withdrawal.State

# Longer than all calls of one try may take together, so that two tries of one withdrawal never run side by side.
TRY_AGAIN_AFTER = timedelta(minutes=2)
# A block; nothing becomes final sooner.
LOOK_AGAIN_AFTER = timedelta(seconds=12)
RECONCILED_BY_DEFAULT = timedelta(days=3)
# The books note a sending after it was made: at the next sweep, or once a worker is back.
BOOKED_WITHIN = timedelta(days=1)
CHAINS = {"rehearsal": RehearsedChain}

DROPPED = "The chain took it into no block."


def chain(now: datetime) -> Chain:
    """Return the chain that the settings name. Raises: WithdrawalsSwitchedOff where they name none."""
    if settings.CHAIN not in CHAINS:
        raise WithdrawalsSwitchedOff
    return CHAINS[settings.CHAIN](now)


def send_withdrawal(*, withdrawal_id: UUID, now: datetime) -> Withdrawal:
    """Hand an approved withdrawal to its rail, or find what came of an earlier try; it waits where it cannot go now.

    Raises: WithdrawalUnknown, ChainUnavailable, WithdrawalsSwitchedOff, CardsUnavailable, CardsRefused,
    CardsSwitchedOff: the next sweep tries again.
    """
    row, is_in_hand = _begin(withdrawal_id, now=now)
    if not is_in_hand:
        return row
    seen = _find(row, now=now)
    if seen is None and not row.waits_for:
        try:
            seen = _hand_over(row, now=now)
        except (RailShort, PayoutAccountNotReady) as refusal:
            return _wait(row.id, str(refusal))
    return row if seen is None else _take_up_any(row, seen, now=now)


def look_at_withdrawal(*, withdrawal_id: UUID, now: datetime) -> Withdrawal:
    """Ask the chain what became of a withdrawal that it took. Raises: as `send_withdrawal`."""
    seen = chain(now).find(withdrawal_id)
    assert seen is not None, "a chain that sent something finds it again"
    return take_up(seen, now=now)


def reconcile_chain(*, since: datetime | None, now: datetime) -> tuple[ChainDifference, ...]:
    """Compare the books with what the chain sent since an instant, three days ago unless told; return what differs.

    Whatever the chain took is taken up first, as the next look would. May be run at any time, and again.
    Raises: ChainUnavailable, WithdrawalsSwitchedOff.
    """
    since = since or now - RECONCILED_BY_DEFAULT
    sent = chain(now).sent_since(since - BOOKED_WITHIN)
    sweeps.each(sent, lambda seen: take_up(seen, now=now))
    requests = [seen.request for seen in sent]
    found = compare(sent, outgoing.gone_to_chain(since=since, requests=requests))
    for difference in found:
        logger.error("chain:differs request=%s kind=%s", difference.request, difference.kind)
    return found


def return_withdrawal(
    *, withdrawal_id: UUID, operator: UUID, reason: str, now: datetime
) -> Withdrawal:
    """Give a withdrawal up that its rail does not take, by staff, once the rail says that it never had it.

    Raises: WithdrawalDecided (it was sent, or a try is running), ReasonMissing, TextRefused, and as `send_withdrawal`.
    """
    said = reason_of(reason)
    row = outgoing.withdrawal_of_staff(withdrawal_id)
    seen = _find(row, now=now)
    if seen is not None:
        return _take_up_any(row, seen, now=now)
    with transaction.atomic():
        row = outgoing.lock_withdrawal(withdrawal_id)
        if row.state != State.SENDING or row.next_at > now:
            raise WithdrawalDecided(state=row.get_state_display().lower())
        logger.warning("withdrawal:given up withdrawal=%s operator=%s", row.id, operator)
        _give_back(row, reason=said, now=now)
        return row


def _find(row: Withdrawal, *, now: datetime) -> Broadcast | Transfer | None:
    """Ask the rail whether it has a withdrawal already."""
    match Rail(row.rail):
        case Rail.CHAIN:
            return chain(now).find(row.id)
        case Rail.STRIPE:
            return payouts.transfer_of(row.id)


def _hand_over(row: Withdrawal, *, now: datetime) -> Broadcast | Transfer:
    """Ask the rail to send a withdrawal, all of it. Raises: RailShort, PayoutAccountNotReady."""
    match Rail(row.rail):
        case Rail.CHAIN:
            return chain(now).send(row.id, address=row.destination, amount_rao=row.arrives_rao)
        case Rail.STRIPE:
            return withdrawal_transfers.send(row)


def _take_up_any(row: Withdrawal, seen: Broadcast | Transfer, *, now: datetime) -> Withdrawal:
    match seen:
        case Broadcast():
            return take_up(seen, now=now)
        case Transfer():
            withdrawal_transfers.take_up_transfer(seen, now=now)
            row.refresh_from_db()
            return row
        case _:
            assert_never(seen)


@transaction.atomic
def take_up(seen: Broadcast, *, now: datetime) -> Withdrawal:
    """Write what the chain showed of a withdrawal, and post it. What was written before stays. Again changes nothing."""
    row = outgoing.lock_withdrawal(seen.request)
    assert (seen.address, seen.amount_rao) == (row.destination, row.arrives_rao)
    if row.state == State.SENDING:
        row.move_to(State.SENT, now)
        row.reference, row.waits_for = seen.extrinsic, ""
        logger.warning("withdrawal:sent withdrawal=%s extrinsic=%s", row.id, seen.extrinsic)
    if row.state != State.SENT:
        return row
    row.next_at = now + LOOK_AGAIN_AFTER
    row.save(update_fields=["state", "sent_at", "reference", "waits_for", "next_at"])
    match seen.fate:
        case Fate.PENDING:
            pass
        case Fate.FINAL:
            _arrive(row, seen, now=now)
        case Fate.DROPPED:
            _give_back(row, reason=DROPPED, now=now)
        case _:
            assert_never(seen.fate)
    return row


@transaction.atomic
def _begin(withdrawal_id: UUID, *, now: datetime) -> tuple[Withdrawal, bool]:
    """Take a withdrawal in hand for a while, unless it waits or somebody has it: from here on it may have left."""
    row = outgoing.lock_withdrawal(withdrawal_id)
    if row.state not in {State.APPROVED, State.SENDING} or row.next_at > now:
        return row, False
    row.waits_for = _why_wait(row, now=now)
    row.next_at = now + TRY_AGAIN_AFTER
    if row.state == State.APPROVED and not row.waits_for:
        row.move_to(State.SENDING, now)
    row.save(update_fields=["state", "waits_for", "next_at"])
    return row, row.state == State.SENDING


def _why_wait(row: Withdrawal, *, now: datetime) -> str:
    """Say why a withdrawal must not be sent now; "" where it may."""
    if not is_open(Rail(row.rail)):
        return "This way out is switched off."
    if queries.restricted(row.owner, now).is_frozen:
        return "A card payment of its owner is in doubt, or they owe."
    if not User.objects.filter(pk=row.owner, is_active=True).exists():
        return "Its owner is kept out."
    if row.rail == Rail.STRIPE:
        return withdrawal_transfers.why_wait(row, rules(), now=now)
    return ""


@transaction.atomic
def _wait(withdrawal_id: UUID, why: str) -> Withdrawal:
    """Note that a rail refused for now, and why."""
    row = outgoing.lock_withdrawal(withdrawal_id)
    row.waits_for = why
    row.refusal_count += 1
    row.save(update_fields=["waits_for", "refusal_count"])
    logger.warning("withdrawal:waits withdrawal=%s", row.id)
    return row


def _arrive(row: Withdrawal, seen: Broadcast, *, now: datetime) -> None:
    row.move_to(State.ARRIVED, now)
    row.save(update_fields=["state", "ended_at"])
    fee = ((chart.FEES, row.fee_rao),) if row.fee_rao else ()
    paid = PostHold(hold_named(row.id), ((chart.CHAIN_HOT, row.arrives_rao), *fee))
    cost = (Move(chart.NETWORK_FEES, chart.CHAIN_HOT, seen.fee_rao),) if seen.fee_rao else ()
    key = key_named(row.id, "paid")
    ledger.post(Entry(key=key, code=Code.WITHDRAWAL_PAID, at=now, steps=(paid, *cost)))
    logger.warning("withdrawal:arrived withdrawal=%s", row.id)


def _give_back(row: Withdrawal, *, reason: str, now: datetime) -> None:
    row.move_to(State.RETURNED, now)
    row.reason = reason
    row.save(update_fields=["state", "ended_at", "reason"])
    release(row, now=now)
