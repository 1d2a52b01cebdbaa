"""What the books said at an instant, and between two: by when things happened, or by when the books heard of them.

A webhook that comes after midnight is recorded today and happened yesterday, so "what had I on the 31st?" and "what
did the books say on the 31st?" are two questions, and each function here answers both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import connection, transaction

from ledger.chart import Address, spoken
from ledger.queries import Balance

# Rows that are read at a time for a file: it is written while it is read, and nothing grows with its length.
CHUNK = 2_000


class Clock(StrEnum):
    """By which of its two instants an entry is put in time."""

    HAPPENED = "at"
    """When the event was."""
    RECORDED = "recorded_at"
    """When the books heard of it: what was known then never changes."""


@dataclass(frozen=True, slots=True)
class Summary:
    """An account between two instants. in_rao, out_rao: all that came and went; closing is opening plus in minus out."""

    opening_rao: int
    in_rao: int
    out_rao: int
    line_count: int

    @property
    def closing_rao(self) -> int:
        """Return the balance at the end."""
        return self.opening_rao + self.in_rao - self.out_rao


@dataclass(frozen=True, slots=True)
class DatedLine:
    """One change of an account. balance_rao: right after it, in the order of the clock that was asked for."""

    transfer: int
    entry: int
    at: datetime
    recorded_at: datetime
    code: str
    change_rao: int
    balance_rao: int
    counterpart: str
    note: str


@dataclass(frozen=True, slots=True)
class TrialLine:
    """All debits and credits of a kind of account, or of one system account."""

    asset: int
    name: str
    debits_rao: int
    credits_rao: int


# The column is one of two words of this module's (Clock); everything that a caller says is a parameter.
SIDES = """
FROM (
    SELECT id, entry_id, -amount_rao AS change, credit_id AS other_id FROM ledger_transfer
    WHERE debit_id = (SELECT id FROM ledger_account WHERE code = %(code)s)
    UNION ALL
    SELECT id, entry_id, amount_rao, debit_id FROM ledger_transfer
    WHERE credit_id = (SELECT id FROM ledger_account WHERE code = %(code)s)
) AS side JOIN ledger_entry AS entry ON entry.id = side.entry_id
"""
POSTED = "SELECT coalesce(sum(change), 0)::bigint" + SIDES + "WHERE entry.{clock} <= %(at)s"
HELD = """
SELECT coalesce(sum(hold.amount_rao), 0)::bigint
FROM ledger_hold AS hold
JOIN ledger_entry AS placed ON placed.id = hold.placed_by_id
LEFT JOIN ledger_entry AS resolved ON resolved.id = hold.resolved_by_id
WHERE hold.account_id = (SELECT id FROM ledger_account WHERE code = %(code)s)
  AND placed.{clock} <= %(at)s AND (resolved.id IS NULL OR resolved.{clock} > %(at)s)
"""
SUMMARY = (
    """
SELECT coalesce(sum(change) FILTER (WHERE entry.{clock} < %(begin)s), 0)::bigint,
       coalesce(sum(change) FILTER (WHERE entry.{clock} >= %(begin)s AND change > 0), 0)::bigint,
       coalesce(-sum(change) FILTER (WHERE entry.{clock} >= %(begin)s AND change < 0), 0)::bigint,
       count(*) FILTER (WHERE entry.{clock} >= %(begin)s)
"""
    + SIDES
    + "WHERE entry.{clock} < %(end)s"
)
LINES = (
    """
SELECT line.id, line.entry_id, line.at, line.recorded_at, line.code, line.change, line.balance, other.code, line.note
FROM (
    SELECT side.id, side.entry_id, side.change, side.other_id, entry.at, entry.recorded_at, entry.code, entry.note,
           (sum(change) OVER (ORDER BY entry.{clock}, side.id))::bigint AS balance
"""
    + SIDES
    + """
    WHERE entry.{clock} < %(end)s
) AS line JOIN ledger_account AS other ON other.id = line.other_id
WHERE line.{clock} >= %(begin)s
ORDER BY line.{clock}, line.id
"""
)
TRIAL = """
SELECT asset, CASE kind WHEN 'system' THEN account.code ELSE kind END AS name,
       sum(debits)::bigint, sum(credits)::bigint
FROM (
    SELECT entry_id, debit_id AS account_id, amount_rao AS debits, 0 AS credits FROM ledger_transfer
    UNION ALL
    SELECT entry_id, credit_id, 0, amount_rao FROM ledger_transfer
) AS side
JOIN ledger_entry AS entry ON entry.id = side.entry_id
JOIN ledger_account AS account ON account.id = side.account_id
WHERE entry.{clock} <= %(at)s
GROUP BY asset, name
ORDER BY asset, name
"""


def balance_at(address: Address, at: datetime, *, by: Clock = Clock.HAPPENED) -> Balance:
    """Return what an account had right after an instant: posted, and set aside by holds that were open then."""
    return Balance(
        posted_rao=_rows(POSTED, by, code=address.code, at=at)[0][0],
        held_rao=_rows(HELD, by, code=address.code, at=at)[0][0],
    )


def summary(
    address: Address, *, begin: datetime, end: datetime, by: Clock = Clock.HAPPENED
) -> Summary:
    """Sum up an account from one instant (with it) to another (without it), in one statement."""
    return Summary(*_rows(SUMMARY, by, code=address.code, begin=begin, end=end)[0])


def all_lines(
    address: Address, *, begin: datetime, end: datetime, by: Clock = Clock.HAPPENED
) -> Iterator[DatedLine]:
    """Yield every change of an account between two instants, the earliest first, as the database reads them."""
    sought: dict[str, Any] = {"code": address.code, "begin": begin, "end": end}
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(LINES.format(clock=by.value), sought)
        while rows := cursor.fetchmany(CHUNK):
            yield from map(_line, rows)


def trial_balance_at(at: datetime, *, by: Clock = Clock.HAPPENED) -> list[TrialLine]:
    """Return all debits and credits up to an instant, by kind of account; over each asset the sums are equal."""
    return [TrialLine(*row) for row in _rows(TRIAL, by, at=at)]


def _line(row: tuple[Any, ...]) -> DatedLine:
    transfer, entry, at, recorded_at, code, change_rao, balance_rao, other, note = row
    return DatedLine(
        transfer, entry, at, recorded_at, code, change_rao, balance_rao, spoken(other), note
    )


def _rows(sql: str, by: Clock, **parameters: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  what SQL takes
    with connection.cursor() as cursor:
        cursor.execute(sql.format(clock=by.value), parameters)
        return list(cursor.fetchall())
