"""Read entries back from their rows as the parts that are sealed."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from ledger.canonical import Part, instant

# Every column of an entry, its transfers and its holds stands in one of these, and of each account what it is.
ENTRIES = """
SELECT id, key, code, at, recorded_at, note, digest, xid FROM ledger_entry WHERE id = ANY(%s) ORDER BY id
"""
TRANSFERS = """
SELECT transfer.entry_id, transfer.id, transfer.position, transfer.amount_rao, transfer.hold_id,
       debit.code, debit.kind, debit.owner, debit.asset, transfer.debit_balance_rao,
       credit.code, credit.kind, credit.owner, credit.asset, transfer.credit_balance_rao
FROM ledger_transfer AS transfer
LEFT JOIN ledger_account AS debit ON debit.id = transfer.debit_id
LEFT JOIN ledger_account AS credit ON credit.id = transfer.credit_id
WHERE transfer.entry_id = ANY(%s)
ORDER BY transfer.entry_id, transfer.position, transfer.id
"""
PLACED = """
SELECT hold.placed_by_id, hold.id, account.code, account.kind, account.owner, account.asset,
       hold.amount_rao, hold.expires_at
FROM ledger_hold AS hold LEFT JOIN ledger_account AS account ON account.id = hold.account_id
WHERE hold.placed_by_id = ANY(%s)
ORDER BY hold.id
"""
RESOLVED = """
SELECT hold.resolved_by_id, hold.id, account.code, hold.state, hold.posted_rao
FROM ledger_hold AS hold LEFT JOIN ledger_account AS account ON account.id = hold.account_id
WHERE hold.resolved_by_id = ANY(%s)
ORDER BY hold.id
"""
CLOSED = """
SELECT closing.entry_id, account.code, closing.is_closed
FROM ledger_closing AS closing LEFT JOIN ledger_account AS account ON account.id = closing.account_id
WHERE closing.entry_id = ANY(%s)
"""


def parts_of(entries: Sequence[int]) -> dict[int, list[Part]]:
    """Return the parts of each of these entries that exists, in five statements."""
    ids = list(entries)
    parts: dict[int, list[Part]] = {}
    for row in _rows(ENTRIES, ids):
        parts[row[0]] = _happened(*row)
    effects: dict[int, list[Part]] = defaultdict(list)
    for entry, *transfer in _rows(TRANSFERS, ids):
        effects[entry] += _moved(entry, *transfer)
    for entry, *hold in _rows(PLACED, ids):
        effects[entry].append(_placed(entry, *hold))
    for entry, *ending in _rows(RESOLVED, ids):
        effects[entry].append(_resolved(entry, *ending))
    for entry, code, is_closed in _rows(CLOSED, ids):
        effects[entry].append(
            _part("closing", str(code), entry=entry, account=code, is_closed=is_closed)
        )
    return {entry: happened + effects[entry] for entry, happened in parts.items()}


def _happened(
    entry: int,
    key: str,
    code: str,
    at: datetime,
    recorded_at: datetime,
    note: str,
    digest: str,
    xid: int,
) -> list[Part]:
    """Say what happened to whoever has a part in it; the digest of all steps to nobody."""
    return [
        _part(
            "entry",
            entry=entry,
            key=key,
            code=code,
            at=instant(at),
            recorded_at=instant(recorded_at),
            note=note,
        ),
        Part({"part": "request", "entry": str(entry), "digest": digest, "xid": str(xid)}, ("",)),
    ]


def _moved(
    entry: int,
    transfer: int,
    position: int,
    amount_rao: int,
    hold: UUID | None,
    *sides: Any,  # noqa: ANN401  two accounts, column by column
) -> Iterator[Part]:
    debit, credit = sides[:5], sides[5:]
    both = (str(debit[0]), str(credit[0]))
    yield _part(
        "transfer",
        *both,
        entry=entry,
        transfer=transfer,
        position=position,
        amount_rao=amount_rao,
        hold=hold,
    )
    for name, (code, kind, owner, asset, balance_rao) in (("debit", debit), ("credit", credit)):
        yield _part(
            name,
            str(code),
            entry=entry,
            transfer=transfer,
            account=code,
            kind=kind,
            owner=owner,
            asset=asset,
            balance_rao=balance_rao,
        )


def _placed(
    entry: int,
    hold: UUID,
    code: str,
    kind: str,
    owner: UUID | None,
    asset: int,
    amount_rao: int,
    expires_at: datetime,
) -> Part:
    return _part(
        "hold placed",
        str(code),
        entry=entry,
        hold=hold,
        account=code,
        kind=kind,
        owner=owner,
        asset=asset,
        amount_rao=amount_rao,
        expires_at=None if expires_at is None else instant(expires_at),
    )


def _resolved(entry: int, hold: UUID, code: str, state: str, posted_rao: int) -> Part:
    return _part(
        "hold ended",
        str(code),
        entry=entry,
        hold=hold,
        account=code,
        state=state,
        posted_rao=posted_rao,
    )


def _part(name: str, *accounts: str, **facts: object) -> Part:
    """Write a fact as texts."""
    told = {fact: None if value is None else str(value) for fact, value in facts.items()}
    return Part({"part": name, **told}, accounts)


def _rows(sql: str, ids: list[int]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [ids])
        return list(cursor.fetchall())
