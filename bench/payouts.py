"""Payouts posted per second: `ledger.post` for epochs of 256 payees, beside a COPY of the same transfers (bench._copies).

A posting writes more rows than the COPY it is held against, and the printed line says so: for each payout the transfer
and the payee's account anew, and an entry for all.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

from bench import _copies, _world  # sets Django up
from bench.figures import Figure, best_s
from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, Move

PAYEE_COUNT = 256
EPOCH_COUNT = 40  # a run of about a second
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TARGET = 0.3


def measure() -> Iterator[Figure]:
    """Post epochs in a row, then copy the rows they wrote."""
    with _world.opened():
        owners = sorted((uuid4() for _ in range(PAYEE_COUNT)), key=str)
        _post(owners)  # opens the accounts: an epoch's payees have paid before they are paid
        posting_s = best_s(lambda: _post_epochs(owners))
        copied = dict(_copies.rates(PAYEE_COUNT, EPOCH_COUNT))
    for said, rate in copied.items():
        yield Figure(
            name=f"payouts by {PAYEE_COUNT}, each a transfer and its account",
            value=PAYEE_COUNT * EPOCH_COUNT / posting_s,
            unit="payouts/s",
            peer=rate,
            peer_name=f"{said}, transfers alone",
            target=TARGET,
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
