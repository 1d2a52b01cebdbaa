"""What it costs to COPY the rows that postings wrote, in the same driver, a transaction an entry as postings have.

- KEPT: the transfers alone, into a table with the indexes and the checks of ledger_transfer, without which nobody could
  find a transfer again. The postings beside it also decide every step, refuse to overdraw, move the accounts' counters,
  look whether what a transfer names exists in one asset, keep the cap of the supply, and answer a repeated key.
- BARE_WHOLE: all that a posting writes, into tables with nothing on them: the transfers, a new version of the row of each
  account they name that has counters, and the entry. Of the accounts only the newest versions are still there, and
  stand for the ones before, which were as long.
- BARE: the transfers alone, into a table with nothing on it. A posting writes twice as many rows.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connection, transaction

from bench.figures import bests_s

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

RUNS = 20  # short ones: a few of each fall between what else the machine does

Row = tuple[Any, ...]
Written = dict[str, list[Row]]  # a posting's rows by their table


def beside(posting: Callable[[], object], size: int, count: int) -> tuple[float, dict[str, float]]:
    """Post, and copy what the newest entries wrote, in turns: so many entries of such a size.

    Return how many transfers a second are posted, and how many each peer copies.
    """
    posting()
    written = _newest(size, count)
    copies = [
        _made(f"bench_{place}", tables, made_by=made_by)
        for place, (made_by, tables) in enumerate(PEERS.values())
    ]
    works = [posting, *(partial(_copy, written, into) for into in copies)]
    taken_s = bests_s(works, runs=RUNS, before=partial(_empty, copies))
    posted, *copied = (size * count / one for one in taken_s)
    return posted, dict(zip(PEERS, copied, strict=True))


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


def _made(name: str, tables: list[str], *, made_by: str) -> dict[str, str]:
    """Make a copy of each table, and name it by the table."""
    copies = {table: f"{name}_{table}" for table in tables}
    with connection.cursor() as cursor:
        for table, copy in copies.items():
            cursor.execute(made_by.format(copy=copy, table=table))
    return copies


def _empty(copies: list[dict[str, str]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(copy for into in copies for copy in into.values())}")


def _copy(postings: list[Written], into: dict[str, str]) -> None:
    for written in postings:
        with transaction.atomic(), connection.cursor() as cursor:
            for table, copy in into.items():
                with cursor.copy(f"COPY {copy} ({COLUMNS[table]}) FROM STDIN") as target:
                    for row in written[table]:
                        target.write_row(row)
