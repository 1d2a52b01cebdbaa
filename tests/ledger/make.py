"""Money for the tests of the books, made by the door everybody uses."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from uuid import UUID, uuid4

from django.db import connection

from ledger import operations as ledger
from ledger.chart import ISSUANCE, TREASURY, Address, Code, wallet
from ledger.entries import Entry, Move, PlaceHold, hold_id

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def entry(*steps, key=None, code=Code.JOB_SETTLED, at=NOW, note=""):
    return Entry(key=key or f"test:{uuid4()}", code=code, at=at, steps=steps, note=note)


def treasury(amount_rao: int) -> None:
    ledger.post(entry(Move(ISSUANCE, TREASURY, amount_rao), code=Code.SUPPLY_ISSUED))


def funded_wallet(amount_rao: int, *, owner: UUID | None = None) -> Address:
    account = wallet(owner or uuid4())
    ledger.post(
        entry(
            Move(ISSUANCE, TREASURY, amount_rao),
            Move(TREASURY, account, amount_rao),
            code=Code.GRANT_MADE,
        )
    )
    return account


def recorded(key, at):
    """Say when the books heard of an entry; in a test all is heard of in one transaction, at one instant."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE ledger_entry SET recorded_at = %s WHERE key = %s", [at, key])
        cursor.execute("SET LOCAL session_replication_role = origin")


def hold(account: Address, amount_rao: int, *, expires_at=None) -> UUID:
    made = hold_id(str(uuid4()))
    ledger.post(entry(PlaceHold(made, account, amount_rao, expires_at), code=Code.JOB_PLACED))
    return made


def together(acts):
    """Start every act at the same moment in a thread of its own; return answers or exceptions in order."""
    barrier = Barrier(len(acts))

    def run(act):
        try:
            connection.ensure_connection()
            barrier.wait(timeout=60)
            return act()
        except Exception as error:  # noqa: BLE001  an answer like another
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))
