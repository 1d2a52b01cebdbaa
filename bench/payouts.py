"""Payouts posted per second: `ledger.post` for epochs of 256 payees, beside a COPY of the rows they wrote (bench._copies).

For each payout a posting writes the transfer and the payee's account anew, and for all of them the payer's account and an
entry. Three readings of "a COPY of the same rows", all of one run:

- beside the transfers alone, into a table with the indexes and the checks of the books: what deciding, locking, counting
  and proving cost on top of rows that can be found again;
- beside all rows that the posting wrote, into tables with nothing on them: as many rows, none of which can be found;
- beside the transfers alone, into a table with nothing on it: half of the rows. It is missed. The last line says what the
  indexes alone leave of such a COPY, before an account is locked or moved.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

from bench import _copies, _world  # sets Django up
from bench.figures import Figure
from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, Move

PAYEE_COUNT = 256
EPOCH_COUNT = 10  # a run of about a tenth of a second
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TARGET = 0.3


def measure() -> Iterator[Figure]:
    """Post epochs in a row and copy the rows they wrote, in turns."""
    with _world.opened():
        owners = sorted((uuid4() for _ in range(PAYEE_COUNT)), key=str)
        _post(owners)  # opens the accounts: an epoch's payees have paid before they are paid
        posted, copied = _copies.beside(lambda: _post_epochs(owners), PAYEE_COUNT, EPOCH_COUNT)
    for said, rate in copied.items():
        yield _beside(f"payouts by {PAYEE_COUNT}", posted, rate, said, target=TARGET)
    kept, bare = copied[_copies.KEPT], copied[_copies.BARE]
    yield _beside(_copies.KEPT, kept, bare, _copies.BARE, target=None)


def _beside(
    name: str, value: float, peer: float, peer_name: str, *, target: float | None
) -> Figure:
    return Figure(
        name, value, "payouts/s", peer=peer, peer_name=peer_name, target=target, at_most=False
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
