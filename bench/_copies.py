"""What it costs to COPY the rows that postings wrote, in the same driver, a transaction an entry as postings have.

- KEPT: the transfers alone, into a table with the indexes and the checks of ledger_transfer, without which nobody could
  find a transfer again. The postings beside it also decide every step, refuse to overdraw, move the accounts' counters,
  look whether what a transfer names exists in one asset, keep the cap of the supply, and answer a repeated key.
- BARE_WHOLE: all that a posting writes, into tables with nothing on them: the transfers, a new version of the row of each
  account they name that has counters, and the entry. Of the accounts only the newest versions are still there, and
  stand for the ones before, which were as long.
- BARE: the transfers alone, into a table with nothing on it. A posting writes twice as many rows.
"""

from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection, transaction

from bench.figures import best_s

KEPT = "COPY of the transfers, with indexes and checks"
BARE_WHOLE = "bare COPY of transfers, accounts, entry"
BARE = "bare COPY of the transfers alone"
NOTHING_ON_IT = "CREATE TABLE {copy} AS SELECT * FROM {table} WITH NO DATA"
AS_IT_IS = "CREATE TABLE {copy} (LIKE {table} INCLUDING ALL)"
COLUMNS = {
    "ledger_transfer": "id, position, amount_rao, debit_balance_rao, credit_balance_rao, credit_id, debit_id, entry_id, hold_id",
    "ledger_account": "id, code, kind, owner, asset, credits_posted, debits_posted, debits_held, may_overdraw, is_closed",
    "ledger_entry": "id, key, code, at, recorded_at, note, digest, xid",
}
PEERS = {
    KEPT: (AS_IT_IS, ["ledger_transfer"]),
    BARE_WHOLE: (NOTHING_ON_IT, list(COLUMNS)),
    BARE: (NOTHING_ON_IT, ["ledger_transfer"]),
}

Row = tuple[Any, ...]
Written = dict[str, list[Row]]  # a posting's rows by their table


def rates(size: int, count: int) -> Iterator[tuple[str, float]]:
    """Copy what the newest entries wrote, so many of such a size, and yield each peer's transfers a second."""
    postings = _newest(size, count)
    for place, (said, (made_by, tables)) in enumerate(PEERS.items()):
        taken_s = best_s(_copier(f"bench_{place}", postings, tables, made_by=made_by))
        yield said, size * count / taken_s


def _newest(size: int, count: int) -> list[Written]:
    lines = _rows("ledger_transfer", "ORDER BY id DESC LIMIT %s", size * count)
    lines.reverse()
    batches = [lines[start : start + size] for start in range(0, len(lines), size)]
    return [_written(batch) for batch in batches]


def _written(lines: list[Row]) -> Written:
    """Return the rows of one posting, given its transfers."""
    accounts, entries = (
        {line[place] for line in lines for place in (5, 6)},
        {line[7] for line in lines},
    )
    assert len(entries) == 1, "another size than the entries have"
    return {
        "ledger_transfer": lines,
        "ledger_account": _rows(
            "ledger_account", "WHERE id = ANY(%s) AND kind <> 'system'", list(accounts)
        ),
        "ledger_entry": _rows("ledger_entry", "WHERE id = ANY(%s)", list(entries)),
    }


def _rows(table: str, which: str, parameter: object) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {COLUMNS[table]} FROM {table} {which}", [parameter])
        return list(cursor.fetchall())


def _copier(
    name: str, postings: list[Written], tables: list[str], *, made_by: str
) -> Callable[[], None]:
    copies = {table: f"{name}_{table}" for table in tables}
    with connection.cursor() as cursor:
        for table, copy_of_it in copies.items():
            cursor.execute(made_by.format(copy=copy_of_it, table=table))

    def copy() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(copies.values())}")
        for written in postings:
            with transaction.atomic(), connection.cursor() as cursor:
                for table, copy_of_it in copies.items():
                    with cursor.copy(f"COPY {copy_of_it} ({COLUMNS[table]}) FROM STDIN") as target:
                        for row in written[table]:
                            target.write_row(row)

    return copy
