"""Where an owner's money may go: addresses of the chain, and their account at Stripe."""

import logging
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from marketplace import queries
from marketplace.errors import (
    TooManyWithdrawalAddresses,
    WithdrawalAddressInvalid,
    WithdrawalsSwitchedOff,
)
from marketplace.models import PayoutAccount, WithdrawalAddress
from marketplace.operations.withdrawal_transfers import SeenAccount, note_account
from marketplace.operations.withdrawals import is_open, rules
from marketplace.payments import payouts
from marketplace.queries import withdrawals as outgoing
from marketplace.withdrawing import Rail
from neurons import keys
from subnets import naming

logger = logging.getLogger(__name__)

# Enough for every wallet of a person or company; each is an address that a thief need not add.
ADDRESSES_MAX = 20
LABEL_LENGTH_MAX = 60


@transaction.atomic
def add_withdrawal_address(
    *, owner: UUID, ss58: str, label: str, proven_at: datetime | None, now: datetime
) -> WithdrawalAddress:
    """Put an address into an owner's book. Adding one again changes nothing: its time runs on from the first.

    proven_at: when the second factor was proven.
    Raises: SecondFactorNotProven, WithdrawalAddressInvalid, TooManyWithdrawalAddresses, TextRefused.
    """
    rules().check_proof(proven_at, now=now)
    try:
        address = keys.checked_address(ss58.strip())
    except ValueError as fault:
        raise WithdrawalAddressInvalid(text=ss58.strip()[:64]) from fault
    said = naming.read_prose(label, field="label", length_max=LABEL_LENGTH_MAX)
    queries.lock_person(owner)
    book = outgoing.withdrawal_addresses(owner)
    for row in book:
        if row.ss58 == address:
            return row
    if len(book) >= ADDRESSES_MAX:
        raise TooManyWithdrawalAddresses(limit=ADDRESSES_MAX)
    row = WithdrawalAddress.objects.create(owner=owner, ss58=address, label=said, added_at=now)
    logger.info("withdrawal:address added owner=%s address=%s", owner, row.id)
    return row


@transaction.atomic
def remove_withdrawal_address(*, owner: UUID, address_id: UUID, now: datetime) -> None:
    """Take an address out of an owner's book, at once; what was asked for before still goes there.

    Raises: WithdrawalAddressUnknown.
    """
    row = outgoing.withdrawal_address(address_id, owner=owner)
    row.removed_at = now
    row.save(update_fields=["removed_at"])
    logger.info("withdrawal:address removed owner=%s address=%s", owner, row.id)


def connect_payouts(*, owner: UUID, email: str, proven_at: datetime | None, now: datetime) -> str:
    """Open an owner's account at Stripe, unless they have one; return Stripe's page where they tell it the rest.

    The row is written before Stripe is asked, and outside those calls no transaction is open: after a crash the same
    request to Stripe returns the same account.
    Raises: WithdrawalsSwitchedOff, SecondFactorNotProven, CardsUnavailable, CardsRefused, CardsSwitchedOff.
    """
    if not is_open(Rail.STRIPE):
        raise WithdrawalsSwitchedOff
    rules().check_proof(proven_at, now=now)
    fresh = PayoutAccount(owner=owner, created_at=now, changed_at=now)
    PayoutAccount.objects.bulk_create([fresh], ignore_conflicts=True)
    row = PayoutAccount.objects.get(pk=owner)
    if row.account_id is None:
        row.account_id = payouts.create_account(owner=owner, email=email).id
        row.save(update_fields=["account_id"])
        logger.info("withdrawal:account opened owner=%s", owner)
    page_url = settings.SITE_URL + reverse("withdrawal_places")
    return payouts.account_page(row.account_id, return_url=page_url, refresh_url=page_url)


def look_at_payouts(*, owner: UUID, now: datetime) -> str:
    """Ask Stripe about an owner's account without an event, as when they come back from its page.

    Raises: CardsUnavailable, CardsRefused, CardsSwitchedOff.
    """
    row = outgoing.payout_account(owner)
    if row is None or row.account_id is None:
        return "no account of ours"
    account = payouts.retrieve_account(row.account_id)
    return note_account(SeenAccount(account, has_new_bank=False), now=now)
