"""A small history of every kind of entry, sealed."""

from datetime import timedelta
from uuid import uuid4

from django.db import connection

from ledger import operations as ledger
from ledger import sealing
from ledger.chart import FEES, wallet
from ledger.entries import Move, MoveUpTo, PlaceHold, PostHold, VoidHold, hold_id
from tests.ledger.make import NOW, entry, funded_wallet, hold


def own_transaction():
    """Return the number below which a test's own rows stand: nobody else is under way in it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint + 1")
        return cursor.fetchone()[0]


def sealed(limit=sealing.ENTRIES_MAX, now=NOW):
    """Seal what a test posted in its own transaction; return the seals."""
    made, below = [], own_transaction()
    while seal := sealing.seal_entries(now=now, limit=limit, below=below):
        made.append(seal)
    return made


def history():
    """Post moves, holds that are open, posted, voided and expired; return a wallet that has part in all of it."""
    account, other = funded_wallet(10_000), wallet(uuid4())
    ledger.post(entry(Move(account, FEES, 5), key="first", note="a fee"))
    paid = hold(account, 300)
    ledger.post(entry(PostHold(paid, ((other, 200), (FEES, 50))), key="paid"))
    ledger.post(entry(VoidHold(hold(account, 20)), key="voided"))
    late = NOW + timedelta(hours=1)
    ledger.post(entry(VoidHold(hold(account, 30, expires_at=NOW)), key="expired", at=late))
    ledger.post(
        entry(PlaceHold(hold_id("open"), account, 40, late), Move(account, other, 7), key="both")
    )
    return account


def emptied_wallet():
    """Return a wallet that had something."""
    account = funded_wallet(3)
    ledger.post(entry(MoveUpTo(account, FEES, 9)))
    return account
