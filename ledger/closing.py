"""Close an empty account, so that nothing is posted to it any more, and open it again. Both are facts of the books."""

import hashlib
import logging
from datetime import datetime

from django.db import transaction

from ledger.chart import AccountKind, Code
from ledger.errors import AccountNotEmpty, AccountStaysOpen, AccountUnknown
from ledger.models import Account, Closing, Entry

logger = logging.getLogger(__name__)

# Everybody's money passes through these.
NEVER_CLOSED = {AccountKind.SYSTEM, AccountKind.ISSUANCE, AccountKind.TREASURY}


def close_account(code: str, *, reason: str, now: datetime) -> bool:
    """Close an account that is empty. Returns False when it was closed already.

    What is left in one is moved first (`entries.MoveUpTo`), what is set aside of it voided: an entry that names a
    closed account is refused as a whole, whoever else it pays.
    Raises: AccountUnknown, AccountStaysOpen, AccountNotEmpty.
    """
    with transaction.atomic():
        account = _locked(code)
        if account.is_closed:
            return False
        if AccountKind(account.kind) in NEVER_CLOSED:
            raise AccountStaysOpen(account=code)
        posted_rao = account.credits_posted - account.debits_posted
        if posted_rao or account.debits_held:
            raise AccountNotEmpty(account=code, posted_rao=posted_rao, held_rao=account.debits_held)
        _say(account, Code.ACCOUNT_CLOSED, is_closed=True, reason=reason, now=now)
    return True


def reopen_account(code: str, *, reason: str, now: datetime) -> bool:
    """Open a closed account again. Returns False when it was open.

    Raises: AccountUnknown.
    """
    with transaction.atomic():
        account = _locked(code)
        if not account.is_closed:
            return False
        _say(account, Code.ACCOUNT_REOPENED, is_closed=False, reason=reason, now=now)
    return True


def _locked(code: str) -> Account:
    account = Account.objects.select_for_update(no_key=True).filter(code=code).first()
    if account is None:
        raise AccountUnknown(account=code)
    return account


def _say(account: Account, code: Code, *, is_closed: bool, reason: str, now: datetime) -> None:
    """Write the entry, what it says of the account, and the account."""
    turn = Closing.objects.filter(account=account).count() + 1
    entry = Entry.objects.create(
        key=f"account:{account.pk}:turn:{turn}",
        code=code.value,
        at=now,
        note=reason,
        digest=hashlib.sha256(f"{code.value}\n{account.code}".encode()).hexdigest(),
    )
    Closing.objects.create(entry=entry, account=account, is_closed=is_closed)
    account.is_closed = is_closed
    account.save(update_fields=["is_closed"])
    logger.info("%s account=%s entry=%s", code.value, account.code, entry.pk)
