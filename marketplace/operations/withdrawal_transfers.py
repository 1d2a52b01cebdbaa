"""Dollars of withdrawals at Stripe, written down: transfers and their reversals, payouts to banks, and connected accounts.

As with card payments, an event only says where to look, and a look names what the books miss. A transfer only ever
gains reversals, so an older look that comes late finds everything posted and changes nothing.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from ledger import queries as books
from marketplace import withdrawing
from marketplace.models import PayoutAccount, Withdrawal
from marketplace.operations import card_books
from marketplace.payments import payouts
from marketplace.payments.payouts import ConnectedAccount
from marketplace.queries import withdrawals as outgoing
from marketplace.withdrawing import Rail, Terms, Transfer

logger = logging.getLogger(__name__)

State = Withdrawal.State

REVERSED = "Stripe sent the dollars back."


@dataclass(frozen=True, slots=True)
class SeenAccount:
    """A connected account as Stripe has it now, and whether it may pay out to another bank than before."""

    account: ConnectedAccount
    has_new_bank: bool


@transaction.atomic
def take_up_transfer(seen: Transfer, *, now: datetime) -> str:
    """Write what a transfer shows of its withdrawal, post what the books miss, and say in words what came of it.

    Raises: InsufficientFunds (the treasury's, of a reversal), Busy.
    """
    row = lock_withdrawal_of(seen)
    if row is None:
        return "no withdrawal of ours"
    posted = books.known_keys(withdrawing.keys_of(seen))
    refusal = _why_not(row, seen, is_booked=bool(posted))
    if refusal:
        logger.error("withdrawal:unlike withdrawal=%s transfer=%s", row.id, seen.id)
        return refusal
    terms = Terms(row.id, amount_cents=row.arrives_cents or 0, held_rao=row.held_rao)
    missing = withdrawing.plan(seen, terms, posted=posted)
    _write(row, seen, now=now)
    card_books.post_missing(missing, owner=row.owner, now=now)
    done = [posting.key.rpartition(":")[2] for posting in missing]
    return ", ".join(done) or "nothing new"


def lock_withdrawal_of(seen: Transfer) -> Withdrawal | None:
    """Lock the withdrawal that a transfer was made for; None where this house did not ask for it."""
    if seen.withdrawal_id is None:
        return None
    rows = Withdrawal.objects.select_for_update(of=("self",))
    return rows.filter(pk=seen.withdrawal_id, rail=Rail.STRIPE).first()


@transaction.atomic
def note_account(seen: SeenAccount, *, now: datetime) -> str:
    """Write what Stripe says of a connected account; dollars wait anew where its bank may have changed."""
    rows = PayoutAccount.objects.select_for_update(of=("self",))
    row = rows.filter(account_id=seen.account.id).first()
    if row is None:
        return "no account of ours"
    row.seen_at = now
    if seen.account.is_stopped != (row.stopped_at is not None):
        row.stopped_at = now if seen.account.is_stopped else None
        logger.warning("withdrawal:account stopped owner=%s at=%s", row.owner, row.stopped_at)
    row.move_to(PayoutAccount.State(seen.account.state))
    if seen.has_new_bank:
        row.changed_at = max(row.changed_at, now)
    row.save(update_fields=["state", "seen_at", "changed_at", "stopped_at"])
    logger.info("withdrawal:account owner=%s state=%s", row.owner, row.state)
    return f"{row.state}, stopped" if row.stopped_at else row.state


def send(row: Withdrawal) -> Transfer:
    """Ask Stripe for the transfer of a withdrawal. Raises: as `payouts.create_transfer`."""
    assert row.arrives_cents is not None
    return payouts.create_transfer(
        withdrawal_id=row.id,
        account_id=row.destination,
        amount_cents=row.arrives_cents,
        attempt=row.refusal_count,
    )


def why_wait(row: Withdrawal, allowed: withdrawing.Rules, *, now: datetime) -> str:
    """Say why dollars must not be sent to their account now; "" where they may."""
    account = outgoing.payout_account(row.owner)
    if account is None or account.state != PayoutAccount.State.ACTIVE:
        return "Stripe takes no money for this account now."
    if not account.pays_out:
        return "Stripe pays nothing out of this account to its bank now."
    until = allowed.until({withdrawing.Changed.ACCOUNT: account.changed_at})
    return "The bank account at Stripe is new." if until and until[1] > now else ""


def _why_not(row: Withdrawal, seen: Transfer, *, is_booked: bool) -> str:
    """Say why a transfer is not booked; "" where nothing forbids it. Reconciliation shows it to the operator."""
    agreed = (row.arrives_cents, payouts.CURRENCY, row.destination)
    if (seen.amount_cents, seen.currency, seen.destination) != agreed:
        return "not booked: it is not what was agreed on"
    if row.reference not in {None, seen.id}:
        return f"not booked: the withdrawal was sent by {row.reference}"
    if not is_booked and row.state != State.SENDING:
        return f"not booked: the withdrawal is {row.state}"
    return ""


def _write(row: Withdrawal, seen: Transfer, *, now: datetime) -> None:
    if row.state == State.SENDING:
        row.move_to(State.SENT, now)
        row.reference, row.waits_for = seen.id, ""
        logger.warning("withdrawal:sent withdrawal=%s transfer=%s", row.id, seen.id)
    if seen.is_reversed and row.state != State.RETURNED:
        row.move_to(State.RETURNED, now)
        row.reason = REVERSED
    row.save(update_fields=["state", "sent_at", "ended_at", "reference", "waits_for", "reason"])
