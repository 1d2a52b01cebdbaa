"""What banks say to payouts of connected accounts, written on the withdrawals whose dollars they took.

No money of the house moves by it: the dollars left with the transfer, and are the owner's at Stripe or at their bank.
"""

import logging
from datetime import datetime

from django.db import transaction

from ledger import sweeps
from marketplace.bankpayouts import BankPayout, Word, is_newer
from marketplace.models import Withdrawal
from marketplace.operations.withdrawal_transfers import SeenAccount, note_account
from marketplace.payments import payouts
from marketplace.queries import withdrawals as outgoing

logger = logging.getLogger(__name__)

State = Withdrawal.State

ACCOUNTS_AT_ONCE = 500  # each is asked two calls and more, four times a day


@transaction.atomic
def note_payout(seen: BankPayout, *, now: datetime) -> str:
    """Note how far a payout brought the dollars it took. What is older than what is known changes nothing."""
    rows = Withdrawal.objects.select_for_update(of=("self",)).filter(
        reference__in=seen.transfer_ids, state__in=[State.SENT, State.ARRIVED]
    )
    noted = [row for row in rows.order_by("pk") if is_newer(seen.news, known=row.heard_of_bank)]
    for row in noted:
        _note(row, seen, now=now)
    return f"{len(noted)} {seen.word.name.replace('_', ' ').lower()}" if noted else "nothing new"


def look_at_banks(*, since: datetime, now: datetime) -> None:
    """Ask Stripe about every account that took dollars since an instant, and of its payouts, as their events would.

    Raises: CardsSwitchedOff, CardsUnavailable, CardsRefused of none: an account that fails is logged and left.
    """
    accounts = outgoing.accounts_paid(since=since, limit=ACCOUNTS_AT_ONCE)
    sweeps.each(accounts, lambda account_id: _look(account_id, since=since, now=now))


def _look(account_id: str, *, since: datetime, now: datetime) -> None:
    account = payouts.retrieve_account(account_id)
    note_account(SeenAccount(account, has_new_bank=False), now=now)
    for payout_id in payouts.payouts_since(since, account_id=account_id):
        note_payout(payouts.retrieve_payout(payout_id, account_id=account_id), now=now)


def _note(row: Withdrawal, seen: BankPayout, *, now: datetime) -> None:
    row.payout, row.payout_made_at, row.bank_fault = seen.id, seen.made_at, ""
    match seen.word:
        case Word.UNDER_WAY:
            row.reopen()
        case Word.ARRIVED:
            if row.state == State.SENT:
                row.move_to(State.ARRIVED, now)
        case Word.REFUSED:
            row.reopen()
            row.bank_fault, row.bank_refused_at = seen.fault or seen.status, now
    row.save(
        update_fields=[
            "state",
            "ended_at",
            "payout",
            "payout_made_at",
            "bank_fault",
            "bank_refused_at",
        ]
    )
    logger.warning("withdrawal:%s withdrawal=%s payout=%s", seen.word.name.lower(), row.id, seen.id)
