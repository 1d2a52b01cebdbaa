"""What can be wrong with a posting, and the root of every error of the house.

A domain error is a class with a stable `code` (it stands in docs/api.md and never changes), the HTTP
status an edge answers with, and typed fields; its message is made from the fields, in a sentence that
says what happened and what to do.
"""

from typing import ClassVar


class DomainError(Exception):
    """Carry a refusal from where it is decided to the edge that answers it."""

    code: ClassVar[str] = "refused"
    http_status: ClassVar[int] = 409
    message: ClassVar[str] = "The request was refused."
    step: int | None = None
    """The first step of an entry that was refused, counted from one; the others were refused with it."""

    def __init__(self, **fields: object) -> None:
        self.fields = fields
        super().__init__(self.message.format(**fields))


class InsufficientFunds(DomainError):
    """The account has less available (posted minus held) than a step needs, or the payment that it is a part of."""

    code = "insufficient_funds"
    http_status = 402
    message = (
        "{needed_rao} rao are needed and {available_rao} rao are available. "
        "Top up the wallet or choose a smaller amount."
    )


class AccountClosed(DomainError):
    """The account was closed, and takes and gives nothing until staff opens it again."""

    code = "account_closed"
    message = "The account {account} is closed. Ask the operators to open it again."


class AccountUnknown(DomainError):
    """No account has this code."""

    code = "account_unknown"
    http_status = 404
    message = "There is no account {account}."


class AccountNotEmpty(DomainError):
    """Only an account with nothing in it, and nothing of it set aside, can be closed."""

    code = "account_not_empty"
    message = (
        "The account {account} has {posted_rao} rao, of which {held_rao} are set aside. "
        "Move what is in it first."
    )


class AccountStaysOpen(DomainError):
    """The house's own accounts are never closed."""

    code = "account_stays_open"
    message = "The account {account} is the house's own and stays open."


class NothingToMove(DomainError):
    """The account has nothing that is not set aside, or the other side takes no more."""

    code = "nothing_to_move"
    message = "There is nothing to move from {debit} to {credit}."


class IdempotencyConflict(DomainError):
    """The key was used before with other input."""

    code = "idempotency_key_reused"
    http_status = 422
    message = (
        "The key {key!r} was used before with a different {field}. Use a new key for a new request."
    )


class HoldNotOpen(DomainError):
    """The hold was posted, voided or expired already."""

    code = "hold_not_open"
    message = "The hold {hold} is {state} already; only an open hold can be posted or voided."


class HoldExceeded(DomainError):
    """More was to be posted than the hold set aside."""

    code = "hold_exceeded"
    message = "{amount_rao} rao were to be posted from a hold of {held_rao} rao."


class SupplyExceeded(DomainError):
    """Issuance would pass the cap of 21 000 000 TAO."""

    code = "supply_exceeded"
    message = "Issuing {amount_rao} rao would pass the cap of 21 000 000 TAO."


class HoldUnknown(DomainError):
    """No hold has this id."""

    code = "hold_unknown"
    http_status = 404
    message = "There is no hold {hold}."


class HoldTaken(DomainError):
    """A hold with this id stands in the books already, under another entry."""

    code = "hold_taken"
    message = "The id {hold} belongs to another hold; a new hold needs an id of its own."


class EntryNotSealed(DomainError):
    """The entry was committed a moment ago, and no seal binds it yet."""

    code = "entry_not_sealed"
    message = "Entry {entry} waits for its seal. Ask again in a few seconds."


class EntryUnknown(DomainError):
    """No entry has this key."""

    code = "entry_unknown"
    http_status = 404
    message = "There is no entry with the key {key!r}."


class NotReversible(DomainError):
    """The entry moved nothing that its opposite could bring back, or still holds money."""

    code = "not_reversible"
    message = "The entry {key!r} cannot be reversed: {reason}."


class PreconditionFailed(DomainError):
    """The row is at another version than the request names (If-Match); read it again."""

    code = "precondition_failed"
    http_status = 412
    message = "It changed: it is at version {version} now. Read it again, then decide."


class NotAnAmount(DomainError, ValueError):
    """The text is no amount of TAO."""

    code = "not_an_amount"
    http_status = 422
    message = (
        "{text!r} is not an amount of TAO. Write digits, and a point before at most nine decimals, "
        "such as 12.5; no more than 21 000 000."
    )


class Busy(DomainError):
    """Another posting held the same accounts for too long; nothing was written."""

    code = "ledger_busy"
    http_status = 503
    message = "Many people are paying at this moment and nothing was charged. Try again."


class BooksProtected(DomainError):
    """A constraint of the database refused what the decision let pass: nothing was written."""

    code = "books_protected"
    message = "The posting was refused because {claim} ({constraint}). Nothing was written."


class IdempotencyKeyMissing(DomainError):
    """A request that moves money came without a key of its own."""

    code = "idempotency_key_missing"
    http_status = 400
    message = "Send an Idempotency-Key header: any words that name this request and no other."


class IdempotencyKeyInvalid(DomainError):
    """The key is too long, or holds characters that cannot be printed."""

    code = "idempotency_key_invalid"
    http_status = 400
    message = "An Idempotency-Key has 1 to {length_max} printable characters."
