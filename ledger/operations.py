"""The one door to money.

    from ledger import operations as ledger
    ledger.post(Entry(key=f"grant:{owner}", code=Code.GRANT_MADE, at=now, steps=(Move(TREASURY, wallet(owner), 10**9),)))

Call it last in an operation's transaction: money and whatever it pays for are committed together or not at all.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction

from ledger import books, postings, queries
from ledger.chart import Code
from ledger.entries import Entry, Move, VoidHold
from ledger.errors import (
    BooksProtected,
    Busy,
    DomainError,
    EntryUnknown,
    HoldNotOpen,
    IdempotencyConflict,
    NotReversible,
)

logger = logging.getLogger(__name__)

# lock_not_available, deadlock_detected, serialization_failure: the same posting may succeed at once.
BUSY_STATES = frozenset({"55P03", "40P01", "40001"})
# Raised by ledger/migrations/0011_post_holds.sql.
OVERTAKEN_STATE = "SN001"

# What the database refuses although the decision let it pass, in words. None of these is reached through
# post() alone; they stand against code that goes around it.
CONSTRAINTS = {
    "ledger_account_does_not_overdraw": "an account would go below zero",
    "ledger_account_issuance_stays_under_the_cap": "more than 21 000 000 TAO would be issued",
    "ledger_account_issuance_is_one": "TAO comes from one account",
    "ledger_transfer_of_issuance_is_counted": "what is issued is counted",
    "ledger_account_counts_from_zero": "a counter would go below zero",
    "ledger_account_kind_is_known": "an account's kind is unknown",
    "ledger_account_overdraws_only_by_its_kind": "an account of this kind may not overdraw",
    "ledger_account_owner_fits_its_kind": "an account of this kind has another sort of owner",
    "ledger_account_closed_stands_still": "a closed account stands still",
    "ledger_account_of_the_system_has_no_counters": "a system account keeps no counters",
    "ledger_hold_pkey": "the hold's id is taken",
    "ledger_hold_amount_is_positive": "a hold sets aside more than nothing",
    "ledger_hold_posts_at_most_its_amount": "a hold pays at most what it set aside",
    "ledger_hold_state_fits_its_facts": "a hold's state contradicts its facts",
    "ledger_transfer_amount_is_positive": "a transfer moves more than nothing",
    "ledger_transfer_has_two_sides": "an account cannot pay itself",
    "ledger_transfer_position_is_unique": "two transfers stand in one place",
    "ledger_transfer_names_what_exists": "a transfer names accounts, an entry and a hold that exist",
    "ledger_transfer_stays_within_one_asset": "a transfer stays within one asset",
}


@dataclass(frozen=True, slots=True)
class Posted:
    """The answer of a posting. replayed: the same entry was posted before, and nothing moved now."""

    entry_id: int
    replayed: bool


def post(entry: Entry) -> Posted:
    """Write an entry, all of it or nothing, once per key.

    Runs in the caller's transaction, behind a savepoint of its own, so a refusal leaves that usable.
    Accounts are opened when they are first named. Steps are applied in order.
    Replay: the same key with the same steps returns the first answer; `at`, `note` and expiries may differ.
    Raises: AccountClosed, InsufficientFunds, NothingToMove, SupplyExceeded, HoldUnknown, HoldTaken, HoldNotOpen,
    HoldExceeded (`step` says which step was refused), IdempotencyConflict (same key, other steps), Busy (try again).
    """
    with refusals_in_words():
        # Outside of a transaction moves are one statement, which is its own.
        is_alone = not connection.in_atomic_block
        if is_alone and (posted := _attempt(entry)):
            return posted
        try:
            with transaction.atomic():
                return (None if is_alone else _attempt(entry)) or _post(entry)
        except books.AccountsMissing as missing:
            # Rolled back to the savepoint, no lock is held: whoever waits for a fresh row holds nothing.
            addresses = missing.addresses
        with transaction.atomic():
            books.open_accounts(addresses)
            return _post(entry)


def post_at_last(entry: Entry) -> None:
    """Write an entry as the last act of the caller's transaction, which a refusal ends: `post` without its savepoint.

    For postings under a lock that many wait for, where each answer counts: within `prepared.atomic` one answer is waited
    for, of the posting where the entry is of moves alone, else of the locks. The entry's key is new, made of an id that is; one that was used makes the commit fail.
    Raises: as `post` does, but for IdempotencyConflict; what the database refuses is raised at the commit.
    """
    with refusals_in_words():
        if _attempt(entry):
            return
        try:
            accounts, holds = books.lock(entry)
        except books.AccountsMissing:
            post(entry)
        else:
            books.send(entry, _decide(entry, accounts, holds), accounts)


def post_unheard(entry: Entry) -> None:
    """Release holds and set amounts aside as `post_at_last` does, without a word of how the books stand.

    Within `prepared.atomic` nothing is waited for. Where anything is in the way the commit fails, and `was_overtaken`
    knows its error: do all of it again with `post_at_last`, which says what it was.
    Raises: ValueError for an entry that does anything else.
    """
    if not entry.only_sets_aside:
        raise ValueError("an entry that moves money is posted by one who listens")
    books.send_holds(entry)


def was_overtaken(error: DatabaseError) -> bool:
    """Tell whether a transaction failed since the books did not stand as `post_unheard` took for granted."""
    return getattr(error.__cause__, "sqlstate", None) == OVERTAKEN_STATE


def _attempt(entry: Entry) -> Posted | None:
    """Write moves at once if nothing is in their way; none when somebody has to look what is."""
    if not entry.is_of_moves:
        return None
    entry_id = books.post_moves(entry)
    return None if entry_id is None else Posted(entry_id=entry_id, replayed=False)


def _post(entry: Entry) -> Posted:
    accounts, holds = books.lock(entry)
    try:
        posting = _decide(entry, accounts, holds)
    except DomainError:
        # What was done already cannot be done again: only now is it worth a look whether it was.
        if earlier := books.find(entry.key):
            return _replay(entry, earlier)
        raise
    entry_id = books.write(entry, posting, accounts)
    if entry_id is None:
        earlier = books.find(entry.key)
        assert earlier is not None, "an entry never goes away"
        return _replay(entry, earlier)
    return Posted(entry_id=entry_id, replayed=False)


def _decide(
    entry: Entry,
    accounts: Mapping[str, books.LockedAccount],
    holds: Mapping[UUID, postings.HoldStanding],
) -> postings.Posting:
    standings = {code: account.standing for code, account in accounts.items()}
    return postings.decide(entry, accounts=standings, holds=holds)


def _replay(entry: Entry, earlier: books.Earlier) -> Posted:
    if earlier.code != entry.code:
        raise IdempotencyConflict(key=entry.key, field="code")
    if earlier.digest != entry.digest():
        raise IdempotencyConflict(key=entry.key, field="steps")
    return Posted(entry_id=earlier.id, replayed=True)


def reverse(key_of_entry: str, *, reason: str, now: datetime) -> Posted:
    """Put a wrong entry right: post its transfers the other way round, last first.

    Once per entry; asking again returns the same answer. What was spent meanwhile cannot be taken back.
    Raises: EntryUnknown, NotReversible (it moved nothing, or still holds money), InsufficientFunds.
    """
    original = queries.recorded_entry(key_of_entry)
    if original is None:
        raise EntryUnknown(key=key_of_entry)
    if original.has_open_holds:
        raise NotReversible(key=key_of_entry, reason="a hold it placed is open; void that first")
    if not original.moves:
        raise NotReversible(key=key_of_entry, reason="it moved nothing")
    steps = tuple(
        Move(debit=move.credit, credit=move.debit, amount_rao=move.amount_rao)
        for move in reversed(original.moves)
    )
    posted = post(
        Entry(
            key=f"reverse:{original.id}",
            code=Code.ENTRY_REVERSED,
            at=now,
            steps=steps,
            note=reason,
        )
    )
    logger.info("entry:reversed entry=%s by=%s", original.id, posted.entry_id)
    return posted


def expire_due_holds(*, now: datetime, limit: int) -> int:
    """Release open holds whose time has passed, at most `limit`, oldest first; return how many.

    Each is an entry of its own, so that many sweeps may run at once and one refusal stops no other.
    """
    expired_count = 0
    for hold in queries.due_holds(now=now, limit=limit):
        try:
            posted = post(
                Entry(
                    key=f"hold:{hold}:expired",
                    code=Code.HOLD_EXPIRED,
                    at=now,
                    steps=(VoidHold(hold),),
                )
            )
        except (HoldNotOpen, Busy) as refusal:
            # Somebody resolved it first, or works on its account: the next sweep looks again.
            logger.info("hold:expired skipped hold=%s reason=%s", hold, refusal.code)
        else:
            expired_count += not posted.replayed
    return expired_count


@contextmanager
def refusals_in_words() -> Iterator[None]:
    """Turn what the database refuses into a domain error."""
    try:
        yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) in BUSY_STATES:
            raise Busy from error
        raise
    except IntegrityError as error:
        constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
        if constraint in CONSTRAINTS:
            raise BooksProtected(constraint=constraint, claim=CONSTRAINTS[constraint]) from error
        raise
