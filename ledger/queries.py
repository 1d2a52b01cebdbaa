"""What the books say."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import F, Q, Sum

from ledger import prepared
from ledger.chart import (
    ISSUANCE,
    AccountKind,
    Address,
    read_stake_code,
    spoken,
    stake_prefix,
    wallet,
)
from ledger.entries import Move
from ledger.models import Account, Entry, Hold, Transfer, Verification
from ledger.states import HoldState

STATEMENT_LIMIT = 200  # lines on a page; more would be read by nobody and cost a long query


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has. available_rao is what can be spent."""

    posted_rao: int = 0
    held_rao: int = 0

    @property
    def available_rao(self) -> int:
        """Return posted minus held."""
        return self.posted_rao - self.held_rao


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One change of a wallet. balance_rao: right after it. counterpart: the other side, in words."""

    id: int
    entry: int
    at: datetime
    code: str
    change_rao: int
    balance_rao: int
    counterpart: str
    note: str


@dataclass(frozen=True, slots=True)
class HoldLine:
    """Money of an owner that an open hold sets aside, and why."""

    hold: UUID
    code: str
    amount_rao: int
    placed_at: datetime
    expires_at: datetime | None


class StakeLine(NamedTuple):
    """What an owner has staked on a hotkey."""

    hotkey: str
    owner: UUID
    amount_rao: int


@dataclass(frozen=True, slots=True)
class RecordedEntry:
    """An entry read back from the books, in the order it moved money."""

    id: int
    moves: tuple[Move, ...]
    has_open_holds: bool


def balance(address: Address) -> Balance:
    """Return an account's balance; one that was never opened has zero."""
    return balances([address])[address]


def balances(addresses: Iterable[Address]) -> dict[Address, Balance]:
    """Return the balances of counted accounts in one statement, and of system accounts in two each."""
    wanted = list(addresses)
    codes = [address.code for address in wanted if address.kind.is_counted]
    rows = Account.objects.filter(code__in=codes) if codes else Account.objects.none()
    counted = {
        code: Balance(posted_rao=credits - debits, held_rao=held)
        for code, credits, debits, held in rows.values_list(
            "code", "credits_posted", "debits_posted", "debits_held"
        )
    }
    return {
        address: counted.get(address.code, Balance())
        if address.kind.is_counted
        else Balance(posted_rao=balance_of_system(address))
        for address in wanted
    }


ASK_BALANCES = """
SELECT code, credits_posted - debits_posted, debits_held FROM ledger_account WHERE code = ANY(%(codes)s::text[])
"""


def asked_balances(addresses: Iterable[Address]) -> Callable[[], dict[Address, Balance]]:
    """Ask for the balances of counted accounts, and return what waits for the answer: for `prepared.atomic`."""
    wanted = set(addresses)
    assert all(address.kind.is_counted for address in wanted), (
        "a system account has to be counted up"
    )
    answer = prepared.send(
        ASK_BALANCES, {"codes": prepared.texts(address.code for address in wanted)}
    )

    def heard() -> dict[Address, Balance]:
        found = {
            code: Balance(posted_rao, held_rao) for code, posted_rao, held_rao in answer.rows()
        }
        return {address: found.get(address.code, Balance()) for address in wanted}

    return heard


def balance_of_system(address: Address) -> int:
    """Fold a system account's balance from its transfers."""
    credited = Transfer.objects.filter(credit__code=address.code).aggregate(rao=Sum("amount_rao"))
    debited = Transfer.objects.filter(debit__code=address.code).aggregate(rao=Sum("amount_rao"))
    return int(credited["rao"] or 0) - int(debited["rao"] or 0)


def issued_rao() -> int:
    """Return how much TAO was ever issued and not recycled."""
    return -balance(ISSUANCE).posted_rao


def statement(owner: UUID, *, limit: int = 50, before_id: int | None = None) -> list[StatementLine]:
    """Return the changes of an owner's wallet, latest first; before_id is the last line of the page before."""
    code = wallet(owner).code
    limit = min(limit, STATEMENT_LIMIT)
    transfers = Transfer.objects.order_by("-id")
    if before_id is not None:
        transfers = transfers.filter(id__lt=before_id)
    spent = transfers.filter(debit__code=code).select_related("entry", "credit")[:limit]
    received = transfers.filter(credit__code=code).select_related("entry", "debit")[:limit]
    lines = [
        *(_line(row, -row.amount_rao, row.debit_balance_rao, row.credit) for row in spent),
        *(_line(row, row.amount_rao, row.credit_balance_rao, row.debit) for row in received),
    ]
    return sorted(lines, key=lambda line: -line.id)[:limit]


def _line(
    row: Transfer, change_rao: int, balance_rao: int | None, counterpart: Account
) -> StatementLine:
    assert balance_rao is not None, "a wallet is a counted account"
    return StatementLine(
        id=row.pk,
        entry=row.entry_id,
        at=row.entry.at,
        code=row.entry.code,
        change_rao=change_rao,
        balance_rao=balance_rao,
        counterpart=spoken(counterpart.code),
        note=row.entry.note,
    )


def holds_of(owner: UUID) -> list[HoldLine]:
    """Return the open holds on an owner's accounts, latest first."""
    holds = (
        Hold.objects.filter(account__owner=owner, state=HoldState.OPEN)
        .select_related("placed_by")
        .order_by("-placed_by_id", "id")
    )
    return [
        HoldLine(
            hold=hold.id,
            code=hold.placed_by.code,
            amount_rao=hold.amount_rao,
            placed_at=hold.placed_by.at,
            expires_at=hold.expires_at,
        )
        for hold in holds
    ]


def held_by(hold_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return what each of these holds sets aside now; one that is not open is not in the answer."""
    holds = Hold.objects.filter(id__in=list(hold_ids), state=HoldState.OPEN)
    return dict(holds.values_list("id", "amount_rao"))


def due_holds(*, now: datetime, limit: int) -> list[UUID]:
    """Return the open holds whose time has passed, oldest first."""
    holds = Hold.objects.filter(state=HoldState.OPEN, expires_at__lte=now)
    return list(holds.order_by("expires_at").values_list("id", flat=True)[:limit])


# Codes are ASCII and sorted as bytes: "~" stands behind whatever follows a beginning, so the index of codes serves.
STAKES = """
SELECT code, credits_posted - debits_posted FROM ledger_account
WHERE code >= %(beginning)s::text AND code < %(beginning)s::text || '~'
  AND kind = 'stake' AND credits_posted > debits_posted
ORDER BY code
"""


def stakes(netuid: int) -> list[StakeLine]:
    """Return every stake above zero in a subnet, by hotkey and owner."""
    lines = []
    for code, amount_rao in prepared.rows(STAKES, {"beginning": stake_prefix(netuid)}):
        parts = read_stake_code(code)
        lines.append(StakeLine(parts.hotkey, parts.owner, amount_rao))
    return lines


def stakes_among(netuids: Iterable[int]) -> dict[int, list[StakeLine]]:
    """Return netuid → every stake above zero there, of several subnets in one statement."""
    wanted = Q(pk__in=[])
    for netuid in netuids:
        wanted |= Q(code__startswith=stake_prefix(netuid))
    accounts = Account.objects.filter(
        wanted, kind=AccountKind.STAKE, credits_posted__gt=F("debits_posted")
    )
    found: dict[int, list[StakeLine]] = {}
    for code, credits_posted, debits_posted in accounts.values_list(
        "code", "credits_posted", "debits_posted"
    ):
        parts = read_stake_code(code)
        line = StakeLine(parts.hotkey, parts.owner, credits_posted - debits_posted)
        found.setdefault(parts.netuid, []).append(line)
    return found


# Keys are ASCII and sorted as bytes: "~" stands behind whatever follows a beginning, so the index of keys serves.
MOVED_UNDER = """
SELECT beginning, coalesce(sum(transfer.amount_rao), 0)::bigint
FROM unnest(%s::text[]) AS beginning
JOIN ledger_entry AS entry ON entry.key >= beginning AND entry.key < beginning || '~'
JOIN ledger_transfer AS transfer ON transfer.entry_id = entry.id
GROUP BY beginning
"""


def moved_under(beginnings: list[str]) -> dict[str, int]:
    """Return how much was moved by the entries whose keys begin so; nothing moved is not in the answer."""
    with connection.cursor() as cursor:
        cursor.execute(MOVED_UNDER, [beginnings])
        return dict(cursor.fetchall())


STAKED = """
SELECT split_part(code, ':', 2)::int AS netuid, sum(credits_posted - debits_posted)::bigint
FROM ledger_account WHERE code LIKE 'stake:%' GROUP BY netuid
"""


def staked_by_netuid() -> dict[int, int]:
    """Return netuid → all that is staked there, in rao, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(STAKED)
        return dict(cursor.fetchall())


def known_keys(keys: Iterable[str]) -> set[str]:
    """Return which of these keys have an entry in the books."""
    return set(Entry.objects.filter(key__in=list(keys)).values_list("key", flat=True))


def moved_rao(entry_id: int) -> int:
    """Return what an entry moved, all transfers together."""
    moved = Transfer.objects.filter(entry_id=entry_id).aggregate(rao=Sum("amount_rao"))["rao"]
    return int(moved or 0)


def recorded_entry(key: str) -> RecordedEntry | None:
    """Read an entry back by its key."""
    entry = Entry.objects.filter(key=key).first()
    if entry is None:
        return None
    transfers = entry.transfers.select_related("debit", "credit").order_by("position")
    return RecordedEntry(
        id=entry.pk,
        moves=tuple(
            Move(_address(row.debit), _address(row.credit), row.amount_rao) for row in transfers
        ),
        has_open_holds=entry.holds_placed.filter(state=HoldState.OPEN).exists(),
    )


def _address(account: Account) -> Address:
    return Address(account.code, AccountKind(account.kind), account.owner, account.asset)


def verifications() -> tuple[Verification | None, datetime | None]:
    """Return the newest pass over the seals, and when one last ended that found nothing wrong."""
    newest = Verification.objects.order_by("-begun_at").first()
    clean = Verification.objects.filter(fault_count=0, ended_at__isnull=False)
    return newest, clean.order_by("-begun_at").values_list("ended_at", flat=True).first()
