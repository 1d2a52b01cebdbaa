"""What it costs to COPY the rows that postings wrote, in the same driver, a transaction an entry as postings have.

- into a table with the indexes and the checks of ledger_transfer, without which nobody could find a transfer again.
  The postings beside it also decide every step, refuse to overdraw, move the accounts' counters, look whether what a
  transfer names exists in one asset, keep the cap of the supply, and answer a repeated key.
- into one with nothing at all, to show what the indexes cost.
"""

from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection, transaction

from bench.figures import best_s

COLUMNS = "id, position, amount_rao, debit_balance_rao, credit_balance_rao, credit_id, debit_id, entry_id, hold_id"
KEPT = "COPY with indexes and checks"
BARE = "bare COPY"
PEERS = {
    KEPT: "CREATE TABLE {table} (LIKE ledger_transfer INCLUDING ALL)",
    BARE: "CREATE TABLE {table} AS SELECT * FROM ledger_transfer WITH NO DATA",
}

Row = tuple[Any, ...]


def rates(size: int, count: int) -> Iterator[tuple[str, float]]:
    """Copy the newest rows again, so many of such a size, and yield each peer's rows a second."""
    batches = _newest(size, count)
    for place, (said, made_by) in enumerate(PEERS.items()):
        taken_s = best_s(_copier(f"bench_{place}", batches, made_by=made_by))
        yield said, size * count / taken_s


def _newest(size: int, count: int) -> list[list[Row]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {COLUMNS} FROM ledger_transfer ORDER BY id DESC LIMIT %s", [size * count]
        )
        rows = list(reversed(cursor.fetchall()))
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _copier(table: str, batches: list[list[Row]], *, made_by: str) -> Callable[[], None]:
    with connection.cursor() as cursor:
        cursor.execute(made_by.format(table=table))

    def copy() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {table}")
        for rows in batches:
            with (
                transaction.atomic(),
                connection.cursor() as cursor,
                cursor.copy(f"COPY {table} ({COLUMNS}) FROM STDIN") as target,
            ):
                for row in rows:
                    target.write_row(row)

    return copy
