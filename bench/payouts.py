"""Payouts posted per second: `ledger.post` for epochs of 256 payees, beside a COPY of the same rows.

Every peer writes the transfers that the postings wrote, epoch by epoch, each in a transaction of its own as a
posting is, through the same driver, with COPY:

- into a table that keeps what ledger_transfer keeps of a row by itself: its indexes, without which nobody could
  find a transfer again, its checks and its foreign keys. That is the floor: what the rows cost once they are true.
  The posting beside it also decides every step, refuses to overdraw, moves both accounts' counters, keeps the cap
  of the supply and one asset a transfer, and answers a repeated key.
- into one with the indexes and the checks, and into one with nothing at all, to show what truth costs: the three
  foreign keys of a transfer, checked row by row at the commit, take longer than the bare COPY has in all.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction

from bench import _world  # sets Django up
from bench.figures import Figure, best_s
from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, Move

PAYEE_COUNT = 256
EPOCH_COUNT = 40  # a run of about a second
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TARGET = 0.3

COLUMNS = "id, position, amount_rao, debit_balance_rao, credit_balance_rao, credit_id, debit_id, entry_id, hold_id"
LIKE = "CREATE TABLE {table} (LIKE ledger_transfer INCLUDING ALL)"
FOREIGN = "ALTER TABLE {table} ADD FOREIGN KEY ({column}) REFERENCES {other} DEFERRABLE INITIALLY DEFERRED"
REFERENCES = {
    "entry_id": "ledger_entry",
    "debit_id": "ledger_account",
    "credit_id": "ledger_account",
    "hold_id": "ledger_hold",
}
KEPT = "COPY with indexes, checks, foreign keys"
PEERS = {
    KEPT: [
        LIKE,
        *(FOREIGN.replace("{column}", c).replace("{other}", t) for c, t in REFERENCES.items()),
    ],
    "COPY with indexes and checks": [LIKE],
    "bare COPY": ["CREATE TABLE {table} AS SELECT * FROM ledger_transfer WITH NO DATA"],
}

Row = tuple[Any, ...]


def measure() -> Iterator[Figure]:
    """Post epochs in a row, then copy the rows they wrote."""
    with _world.opened():
        owners = sorted((uuid4() for _ in range(PAYEE_COUNT)), key=str)
        _post(owners)  # opens the accounts: an epoch's payees have paid before they are paid
        posting_s = best_s(lambda: _post_epochs(owners))
        epochs = _rows_by_entry()
        copied_s = {
            said: best_s(_copier(f"bench_{place}", epochs, made_by=made_by))
            for place, (said, made_by) in enumerate(PEERS.items())
        }
    count = PAYEE_COUNT * EPOCH_COUNT
    for said, taken_s in copied_s.items():
        yield Figure(
            name=f"payouts posted, epochs of {PAYEE_COUNT}",
            value=count / posting_s,
            unit="payouts/s",
            peer=count / taken_s,
            peer_name=said,
            target=TARGET if said is KEPT else None,
            at_most=False,
        )


def _post_epochs(owners: list[UUID]) -> None:
    for _ in range(EPOCH_COUNT):
        _post(owners)


def _post(owners: list[UUID]) -> None:
    moves = [
        Move(debit=chart.ISSUANCE, credit=chart.wallet(owner), amount_rao=1_000 + place)
        for place, owner in enumerate(owners)
    ]
    ledger.post(Entry(key=f"bench:{uuid4()}", code=Code.EPOCH_PAID, at=NOW, steps=tuple(moves)))


def _rows_by_entry() -> list[list[Row]]:
    """Return the rows of the newest epochs, an epoch a list."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {COLUMNS} FROM ledger_transfer ORDER BY id DESC LIMIT %s",
            [PAYEE_COUNT * EPOCH_COUNT],
        )
        rows = list(reversed(cursor.fetchall()))
    return [rows[start : start + PAYEE_COUNT] for start in range(0, len(rows), PAYEE_COUNT)]


def _copier(table: str, epochs: list[list[Row]], *, made_by: list[str]) -> Callable[[], None]:
    with connection.cursor() as cursor:
        for statement in made_by:
            cursor.execute(statement.format(table=table))

    def copy() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {table}")
        for rows in epochs:
            with (
                transaction.atomic(),
                connection.cursor() as cursor,
                cursor.copy(f"COPY {table} ({COLUMNS}) FROM STDIN") as target,
            ):
                for row in rows:
                    target.write_row(row)

    return copy
