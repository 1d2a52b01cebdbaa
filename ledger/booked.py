"""A wallet's changes in the order of the books, page by page, as quick for a hundred thousand changes as for twenty.

An account's changes stand one behind the other, each with the balance right after it, because whoever posts has locked
the account. So a statement of days needs no sum over what came before: it is the stretch between two of those lines, and
opening and closing balance are stored in them. When an event happened is another order; `history` counts by that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from ledger.chart import Address, spoken
from ledger.history import DatedLine

# Lines on a page of a statement; a file has all of them.
PAGE_LINES = 100
# Who posts takes the time when their transaction begins, and their place when they have the lock. So a few neighbours of
# one account may have their times exchanged: as many as wait for one lock, which is as many as there are connections.
NEIGHBOURS = 64


@dataclass(frozen=True, slots=True)
class Stretch:
    """The changes of an account that were booked in some days: those behind `after`, up to `upto`."""

    after: int
    upto: int
    opening_rao: int
    closing_rao: int

    @property
    def change_rao(self) -> int:
        """Return by how much the balance changed."""
        return self.closing_rao - self.opening_rao


@dataclass(frozen=True, slots=True)
class PageOfLines:
    """Some changes, the latest first. older: where the next page goes on; None at the end."""

    lines: Sequence[DatedLine]
    older: int | None


# The last change before each instant, found by halving the ids; then its neighbours, whose times may be exchanged.
STRETCH = """
WITH RECURSIVE search (at, low, high) AS (
    SELECT asked.at, 0::bigint, greatest(
        (SELECT max(id) FROM ledger_transfer WHERE debit_id = %(account)s),
        (SELECT max(id) FROM ledger_transfer WHERE credit_id = %(account)s), 0)
    FROM unnest(%(instants)s::timestamptz[]) AS asked (at)
    UNION ALL
    SELECT search.at,
           CASE WHEN line.recorded_at >= search.at THEN search.low ELSE probe.middle END,
           CASE WHEN line.recorded_at >= search.at THEN line.id - 1 ELSE search.high END
    FROM search
    CROSS JOIN LATERAL (SELECT (search.low + search.high + 1) / 2 AS middle) AS probe
    LEFT JOIN LATERAL (
        SELECT side.id, entry.recorded_at
        FROM (
            (SELECT id, entry_id FROM ledger_transfer
             WHERE debit_id = %(account)s AND id > search.low AND id <= probe.middle ORDER BY id DESC LIMIT 1)
            UNION ALL
            (SELECT id, entry_id FROM ledger_transfer
             WHERE credit_id = %(account)s AND id > search.low AND id <= probe.middle ORDER BY id DESC LIMIT 1)
        ) AS side JOIN ledger_entry AS entry ON entry.id = side.entry_id
        ORDER BY side.id DESC LIMIT 1
    ) AS line ON true
    WHERE search.low < search.high
)
SELECT coalesce(last.id, 0), coalesce(last.balance, 0)
FROM search
LEFT JOIN LATERAL (
    SELECT side.id, side.balance
    FROM (
        (SELECT id, entry_id, debit_balance_rao AS balance FROM ledger_transfer
         WHERE debit_id = %(account)s AND id <= search.low ORDER BY id DESC LIMIT 1)
        UNION ALL
        (SELECT id, entry_id, credit_balance_rao FROM ledger_transfer
         WHERE credit_id = %(account)s AND id <= search.low ORDER BY id DESC LIMIT 1)
        UNION ALL
        (SELECT id, entry_id, debit_balance_rao FROM ledger_transfer
         WHERE debit_id = %(account)s AND id > search.low ORDER BY id LIMIT %(neighbours)s)
        UNION ALL
        (SELECT id, entry_id, credit_balance_rao FROM ledger_transfer
         WHERE credit_id = %(account)s AND id > search.low ORDER BY id LIMIT %(neighbours)s)
    ) AS side JOIN ledger_entry AS entry ON entry.id = side.entry_id
    WHERE side.id <= search.low OR entry.recorded_at < search.at
    ORDER BY side.id DESC LIMIT 1
) AS last ON true
WHERE search.low >= search.high
ORDER BY search.at
"""

LINES = """
SELECT line.id, line.entry_id, entry.at, entry.recorded_at, entry.code, line.change, line.balance, other.code, entry.note
FROM (
    (SELECT id, entry_id, -amount_rao AS change, debit_balance_rao AS balance, credit_id AS other_id FROM ledger_transfer
     WHERE debit_id = %(account)s AND id > %(after)s AND id <= %(upto)s ORDER BY id DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT id, entry_id, amount_rao, credit_balance_rao, debit_id FROM ledger_transfer
     WHERE credit_id = %(account)s AND id > %(after)s AND id <= %(upto)s ORDER BY id DESC LIMIT %(limit)s)
    ORDER BY id DESC LIMIT %(limit)s
) AS line
JOIN ledger_entry AS entry ON entry.id = line.entry_id
JOIN ledger_account AS other ON other.id = line.other_id
ORDER BY line.id DESC
"""


def stretch(address: Address, *, begin: datetime, end: datetime) -> Stretch:
    """Find what was booked from one instant (with it) to another (without it), in two statements.

    address: of an account with counters, begin before end.
    """
    assert address.kind.is_counted, "a system account has no balances in its transfers"
    assert begin < end
    account = _account(address)
    if account is None:
        return Stretch(0, 0, 0, 0)
    (after, opening_rao), (upto, closing_rao) = _rows(
        STRETCH, account=account, instants=[begin, end], neighbours=NEIGHBOURS
    )
    return Stretch(after, upto, opening_rao, closing_rao)


def page(address: Address, within: Stretch, *, before: int | None = None) -> PageOfLines:
    """Return the latest changes of a stretch, or those before the last one of the page before, in two statements."""
    account = _account(address)
    if account is None:
        return PageOfLines((), None)
    upto = within.upto if before is None else min(within.upto, before - 1)
    rows = _rows(LINES, account=account, after=within.after, upto=upto, limit=PAGE_LINES + 1)
    lines = [_line(row) for row in rows[:PAGE_LINES]]
    return PageOfLines(lines, lines[-1].transfer if len(rows) > PAGE_LINES else None)


def _account(address: Address) -> int | None:
    rows = _rows("SELECT id FROM ledger_account WHERE code = %(code)s", code=address.code)
    return rows[0][0] if rows else None


def _line(row: tuple[Any, ...]) -> DatedLine:
    transfer, entry, at, recorded_at, code, change_rao, balance_rao, other, note = row
    return DatedLine(
        transfer, entry, at, recorded_at, code, change_rao, balance_rao, spoken(other), note
    )


def _rows(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  what SQL takes
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
