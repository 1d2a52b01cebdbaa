"""Payouts of connected accounts: what Stripe pays out to an owner's bank, and what the bank says to it. Pure.

A bank may send dollars back days after Stripe said that they were paid; they are in the owner's account at Stripe again,
not here, and go out with a later payout once the owner has named another bank. The last payout that took them decides.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Word(IntEnum):
    """What is known of a payout; with one payout it only ever goes on to a later word."""

    UNDER_WAY = 1
    """Stripe has taken it up."""
    ARRIVED = 2
    """Stripe says that the bank has it."""
    REFUSED = 3
    """The bank sent it back, or it was canceled."""


WORDS = {
    "paid": Word.ARRIVED,
    "failed": Word.REFUSED,
    "canceled": Word.REFUSED,
}

# Stripe's failure codes of a payout, in words for its owner.
FAULTS = {
    "account_closed": "the bank account is closed",
    "account_frozen": "the bank account is frozen",
    "bank_account_restricted": "the bank account takes no such payments",
    "bank_ownership_changed": "the bank account has another owner",
    "could_not_process": "the bank could not process it",
    "debit_not_authorized": "the bank account takes no such payments",
    "declined": "the bank declined it",
    "incorrect_account_holder_address": "the address is not that of the account’s holder",
    "incorrect_account_holder_name": "the name is not that of the account’s holder",
    "incorrect_account_holder_tax_id": "the tax number is not that of the account’s holder",
    "incorrect_account_type": "it is another type of account than Stripe was told",
    "invalid_account_number": "the account number is wrong",
    "invalid_card": "the card is not valid",
    "invalid_currency": "the bank account takes no US dollars",
    "no_account": "there is no such bank account",
    "unsupported_card": "the card takes no payments",
}


@dataclass(frozen=True, slots=True)
class BankPayout:
    """A payout of a connected account as it is now, and the transfers whose dollars it took."""

    id: str
    made_at: datetime
    status: str
    fault: str = ""  # Stripe's code for why it failed
    transfer_ids: tuple[str, ...] = ()

    @property
    def word(self) -> Word:
        """Return what is known of it; an unknown status says no more than that it was made."""
        return WORDS.get(self.status, Word.UNDER_WAY)

    @property
    def news(self) -> "News":
        """Return it as what may be newer than what is known."""
        return News(self.made_at, self.id, self.word)


@dataclass(frozen=True, slots=True, order=True)
class News:
    """What was heard of the payout that took some dollars. The greater is the newer, in whatever order they come."""

    made_at: datetime
    payout_id: str
    word: Word


def is_newer(heard: News, *, known: News | None) -> bool:
    """Say whether something heard changes what is known: a later payout, or a later word of the same one."""
    return known is None or heard > known


def fault_words(code: str) -> str:
    """Say why a bank sent dollars back; a code that is not known here says no more than that it did."""
    return FAULTS.get(code, "the bank gave no reason that we can name")
