"""Where an owner's money may go: addresses of the chain, and their account at Stripe."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from marketplace import queries
from marketplace.errors import (
    TooManyWithdrawalAddresses,
    WithdrawalAddressInvalid,
)
from marketplace.models import WithdrawalAddress
from marketplace.operations.withdrawals import rules
from marketplace.queries import withdrawals as outgoing
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
