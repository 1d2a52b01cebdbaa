"""The statements of a posting: lock, find, open, write. Their number does not grow with the steps.

The ORM would send one statement a row and hold the locks meanwhile, so this module speaks SQL, which PostgreSQL
plans once a connection. Only ledger.operations calls it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger import prepared
from ledger.chart import AccountKind, Address
from ledger.entries import Entry, Move, PlaceHold
from ledger.postings import HoldStanding, Posting, Standing
from ledger.states import HoldState


class AccountsMissing(Exception):
    """Some accounts were never opened: an answer between two functions, never shown."""

    def __init__(self, addresses: list[Address]) -> None:
        self.addresses = addresses
        super().__init__(addresses)


@dataclass(frozen=True, slots=True)
class LockedAccount:
    """A row of ledger_account: its id for the writing, its standing for the decision."""

    id: int
    standing: Standing


@dataclass(frozen=True, slots=True)
class Earlier:
    """An entry that stands in the books under the same key."""

    id: int
    code: str
    digest: str


# One statement locks every counted account in the order of their codes, so that no two postings can wait
# for each other; FOR NO KEY UPDATE leaves room for the foreign keys of transfers. System accounts are only
# read. Holds name their accounts themselves, in an array that is computed once: with a join or IN instead,
# PostgreSQL drops rows that changed while it waited for their lock.
LOCK_ACCOUNTS = """
WITH locked AS (
    SELECT id, code, kind, owner, asset, credits_posted - debits_posted AS posted_rao, debits_held, is_closed
    FROM ledger_account
    WHERE code = ANY(%(counted)s::text[] || ARRAY(
        SELECT account.code
        FROM ledger_hold AS hold JOIN ledger_account AS account ON account.id = hold.account_id
        WHERE hold.id = ANY(%(holds)s::uuid[])
    ))
    ORDER BY code
    FOR NO KEY UPDATE
)"""

AND_NAME_THEM = """
SELECT id, code, kind, owner, asset, posted_rao, debits_held, is_closed FROM locked
UNION ALL
SELECT id, code, kind, owner, asset, 0, 0, false FROM ledger_account WHERE code = ANY(%(uncounted)s::text[])
"""

# The accounts of these holds are locked before: the array of their ids is made before a first hold is looked at.
# Locking the holds too costs nothing and guards them against anyone who comes by another way.
AND_LOCK_HOLDS = """, held AS (
    SELECT id, account_id, amount_rao, state, expires_at
    FROM ledger_hold
    WHERE id = ANY(%(holds)s::uuid[]) AND account_id = ANY(ARRAY(SELECT id FROM locked))
    ORDER BY id
    FOR NO KEY UPDATE
)
SELECT account.*, hold.id, hold.amount_rao, hold.state, hold.expires_at
FROM (
    SELECT id, code, kind, owner, asset, posted_rao, debits_held, is_closed FROM locked
    UNION ALL
    SELECT id, code, kind, owner, asset, 0, 0, false FROM ledger_account WHERE code = ANY(%(uncounted)s::text[])
) AS account
LEFT JOIN held AS hold ON hold.account_id = account.id
"""

# A hold that was committed while its account's lock was waited for is seen by the next statement only.
LOCK_HOLDS = """
SELECT hold.id, account.code, hold.amount_rao, hold.state, hold.expires_at
FROM ledger_hold AS hold JOIN ledger_account AS account ON account.id = hold.account_id
WHERE hold.id = ANY(%(holds)s::uuid[])
ORDER BY hold.id
FOR NO KEY UPDATE OF hold
"""

FIND_ENTRY = "SELECT id, code, digest FROM ledger_entry WHERE key = %(key)s::text"

OPEN_ACCOUNTS = """
INSERT INTO ledger_account
    (code, kind, owner, asset, credits_posted, debits_posted, debits_held, may_overdraw)
SELECT code, kind, owner, asset, 0, 0, 0, may_overdraw
FROM unnest(%(codes)s::text[], %(kinds)s::text[], %(owners)s::uuid[], %(assets)s::int[], %(may_overdraw)s::bool[])
    AS fresh (code, kind, owner, asset, may_overdraw)
ORDER BY code
ON CONFLICT (code) DO NOTHING
RETURNING id
"""

# Everything hangs on the entry's row: where its key is taken, no row comes back and nothing is written.
WRITE = """
WITH entry AS (
    INSERT INTO ledger_entry (key, code, at, note, digest)
    VALUES (%(key)s::text, %(code)s::text, %(at)s::timestamptz, %(note)s::text, %(digest)s::text)
    ON CONFLICT (key) DO NOTHING
    RETURNING id
), changed AS (
    UPDATE ledger_account AS account
    SET credits_posted = account.credits_posted + change.credits,
        debits_posted = account.debits_posted + change.debits,
        debits_held = account.debits_held + change.held
    FROM entry, unnest(%(accounts)s::bigint[], %(credits)s::bigint[], %(debits)s::bigint[], %(held)s::bigint[])
        AS change (id, credits, debits, held)
    WHERE account.id = change.id
), placed AS (
    INSERT INTO ledger_hold (id, account_id, placed_by_id, amount_rao, expires_at, state, posted_rao)
    SELECT fresh.id, fresh.account_id, entry.id, fresh.amount_rao, fresh.expires_at, 'open', 0
    FROM entry, unnest(%(placed)s::uuid[], %(placed_in)s::bigint[], %(placed_rao)s::bigint[], %(expire)s::timestamptz[])
        AS fresh (id, account_id, amount_rao, expires_at)
), resolved AS (
    UPDATE ledger_hold AS hold
    SET state = ending.state, posted_rao = ending.posted_rao, resolved_by_id = entry.id
    FROM entry, unnest(%(resolved)s::uuid[], %(states)s::text[], %(posted_rao)s::bigint[])
        AS ending (id, state, posted_rao)
    WHERE hold.id = ending.id
), moved AS (
    INSERT INTO ledger_transfer
        (entry_id, position, debit_id, credit_id, amount_rao, hold_id, debit_balance_rao, credit_balance_rao)
    SELECT entry.id, line.position, line.debit_id, line.credit_id, line.amount_rao, line.hold_id,
           line.debit_balance_rao, line.credit_balance_rao
    FROM entry, unnest(%(debit)s::bigint[], %(credit)s::bigint[], %(moved_rao)s::bigint[], %(by_hold)s::uuid[],
                       %(debit_balance)s::bigint[], %(credit_balance)s::bigint[]) WITH ORDINALITY
        AS line (debit_id, credit_id, amount_rao, hold_id, debit_balance_rao, credit_balance_rao, position)
    ORDER BY line.position
)
SELECT id FROM entry
"""

# ledger/migrations/0016_pay_hundreds.sql: no answer travels while locks are held.
POST_MOVES = """
SELECT ledger_post_moves(
    %(key)s::text, %(code)s::text, %(at)s::timestamptz, %(note)s::text, %(digest)s::text,
    %(codes)s::text[], %(kinds)s::text[], %(owners)s::uuid[], %(assets)s::int[],
    %(debits)s::int[], %(credits)s::int[], %(amounts_rao)s::bigint[])
"""

# ledger/migrations/0011_post_holds.sql: no answer travels at all.
POST_HOLDS = """
SELECT ledger_post_holds(
    %(key)s::text, %(code)s::text, %(at)s::timestamptz, %(note)s::text, %(digest)s::text, %(voided)s::uuid[],
    %(codes)s::text[], %(kinds)s::text[], %(owners)s::uuid[], %(assets)s::int[],
    %(placed)s::uuid[], %(placed_in)s::int[], %(amounts_rao)s::bigint[])
"""

WRITE_NEW = WRITE.replace("    ON CONFLICT (key) DO NOTHING\n", "")


def lock(entry: Entry) -> tuple[dict[str, LockedAccount], dict[UUID, HoldStanding]]:
    """Lock every counted account of an entry, by code, and every hold that exists, by id, in one statement.

    System accounts come along unlocked.
    Raises: AccountsMissing when an account was never opened.
    """
    wanted = {address.code: address for address in entry.addresses()}
    holds = list(entry.holds())
    rows = _rows(
        LOCK_ACCOUNTS + (AND_LOCK_HOLDS if holds else AND_NAME_THEM),
        counted=prepared.texts(code for code, address in wanted.items() if address.kind.is_counted),
        uncounted=prepared.texts(
            code for code, address in wanted.items() if not address.kind.is_counted
        ),
        holds=prepared.texts(holds),
    )
    accounts: dict[str, LockedAccount] = {}
    found: dict[UUID, HoldStanding] = {}
    for account_id, code, kind, owner, asset, posted_rao, held_rao, is_closed, *hold in rows:
        address = wanted.get(code)
        # An epoch has hundreds: what is named as it was opened need not be made a second time.
        if address is None or (address.kind, address.owner, address.asset) != (kind, owner, asset):
            address = Address(code, AccountKind(kind), owner, asset)
        accounts[code] = LockedAccount(
            account_id, Standing(address, posted_rao, held_rao, is_closed)
        )
        if hold and hold[0] is not None:
            found[hold[0]] = _hold(code, *hold)
    missing = [address for code, address in wanted.items() if code not in accounts]
    if missing:
        raise AccountsMissing(missing)
    if not entry.resolves() <= found.keys():
        found = _lock_holds(holds, accounts)
    return accounts, found


def _lock_holds(holds: list[UUID], accounts: dict[str, LockedAccount]) -> dict[UUID, HoldStanding]:
    """Lock the holds of locked accounts; one whose account is not locked counts as unknown."""
    return {
        hold: _hold(account, hold, *facts)
        for hold, account, *facts in _rows(LOCK_HOLDS, holds=prepared.texts(holds))
        if account in accounts
    }


def _hold(
    account: str, hold: UUID, amount_rao: int, state: str, expires_at: datetime | None
) -> HoldStanding:
    return HoldStanding(hold, account, amount_rao, HoldState(state), expires_at)


def find(key: str) -> Earlier | None:
    """Find the entry of a key."""
    rows = _rows(FIND_ENTRY, key=key)
    return Earlier(*rows[0]) if rows else None


def open_accounts(addresses: Iterable[Address]) -> None:
    """Open accounts at zero; one that somebody else opened meanwhile is left as it is."""
    fresh = list(addresses)
    _rows(
        OPEN_ACCOUNTS,
        codes=prepared.texts(address.code for address in fresh),
        kinds=prepared.texts(address.kind.value for address in fresh),
        owners=prepared.texts(address.owner for address in fresh),
        assets=prepared.numbers(address.asset for address in fresh),
        may_overdraw=[address.kind.may_overdraw for address in fresh],
    )


def post_moves(entry: Entry) -> int | None:
    """Let the database post moves, and return the entry's id: none where something is in their way."""
    moves = [step for step in entry.steps if isinstance(step, Move)]
    assert len(moves) == len(entry.steps), "a hold has to be looked at"
    # Hundreds of each: looked at in comprehensions of their own, not one by one as `addresses` yields them.
    payers = {move.debit.code: move.debit for move in moves}
    places, said = _said(entry, payers | {move.credit.code: move.credit for move in moves})
    [[entry_id]] = _rows(
        POST_MOVES,
        **said,
        debits=prepared.numbers([places[move.debit.code] for move in moves]),
        credits=prepared.numbers([places[move.credit.code] for move in moves]),
        amounts_rao=prepared.numbers([move.amount_rao for move in moves]),
    )
    return None if entry_id is None else int(entry_id)


def send_holds(entry: Entry) -> None:
    """Let the database release holds and set amounts aside; what is in the way is found at the commit, which fails."""
    assert entry.only_sets_aside, "what else a step does has to be decided about"
    placed = [step for step in entry.steps if isinstance(step, PlaceHold)]
    places, said = _said(entry, {address.code: address for address in entry.addresses()})
    prepared.send(
        POST_HOLDS,
        {
            **said,
            "voided": prepared.texts(entry.resolves()),
            "placed": prepared.texts(step.hold for step in placed),
            "placed_in": prepared.numbers(places[step.account.code] for step in placed),
            "amounts_rao": prepared.numbers(step.amount_rao for step in placed),
        },
    )


def _said(entry: Entry, named: dict[str, Address]) -> tuple[dict[str, int], dict[str, object]]:
    """Return the place of every account that is named, from 1, and what an entry says of itself and of them."""
    uncounted = [code for code, address in named.items() if address.kind is AccountKind.SYSTEM]
    # As the database finds them: those that it locks first, each part in the order of codes.
    codes = sorted(named.keys() - uncounted) + sorted(uncounted)
    accounts = [named[code] for code in codes]
    said: dict[str, object] = {
        "key": entry.key,
        "code": entry.code.value,
        "at": entry.at,
        "note": entry.note,
        "digest": entry.digest(),
        "codes": prepared.texts(codes),
        "kinds": prepared.texts([account.kind for account in accounts]),
        "owners": prepared.uuids([account.owner for account in accounts]),
        "assets": prepared.numbers([account.asset for account in accounts]),
    }
    return {code: place for place, code in enumerate(codes, 1)}, said


def write(entry: Entry, posting: Posting, accounts: dict[str, LockedAccount]) -> int | None:
    """Write an entry with all it does and return its id, or none when its key is taken."""
    rows = prepared.rows(WRITE, _facts(entry, posting, accounts))
    return rows[0][0] if rows else None


def send(entry: Entry, posting: Posting, accounts: dict[str, LockedAccount]) -> None:
    """Write an entry under a key that nobody used; that it is used may be found at the commit, which then fails."""
    prepared.send(WRITE_NEW, _facts(entry, posting, accounts))


def _facts(entry: Entry, posting: Posting, accounts: dict[str, LockedAccount]) -> dict[str, object]:
    """Return what is written for an entry, an array a column."""
    counted = [
        (accounts[code].id, tally.credits_rao, tally.debits_rao, tally.held_change_rao)
        for code, tally in posting.tallies.items()
        if tally.address.kind.is_counted
    ]
    lines = posting.transfers
    return {
        "key": entry.key,
        "code": entry.code.value,
        "at": entry.at,
        "note": entry.note,
        "digest": entry.digest(),
        "accounts": prepared.numbers(change[0] for change in counted),
        "credits": prepared.numbers(change[1] for change in counted),
        "debits": prepared.numbers(change[2] for change in counted),
        "held": prepared.numbers(change[3] for change in counted),
        "placed": prepared.texts(step.hold for step in posting.placed),
        "placed_in": prepared.numbers(accounts[step.account.code].id for step in posting.placed),
        "placed_rao": prepared.numbers(step.amount_rao for step in posting.placed),
        "expire": [step.expires_at for step in posting.placed],
        "resolved": prepared.texts(ending.hold for ending in posting.resolved),
        "states": prepared.texts(ending.state.value for ending in posting.resolved),
        "posted_rao": prepared.numbers(ending.posted_rao for ending in posting.resolved),
        "debit": prepared.numbers(accounts[line.debit].id for line in lines),
        "credit": prepared.numbers(accounts[line.credit].id for line in lines),
        "moved_rao": prepared.numbers(line.amount_rao for line in lines),
        "by_hold": prepared.texts(line.hold for line in lines),
        "debit_balance": prepared.numbers(line.debit_balance_rao for line in lines),
        "credit_balance": prepared.numbers(line.credit_balance_rao for line in lines),
    }


def _rows(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  what SQL takes and gives
    return prepared.rows(sql, parameters)
