"""The ledger in a hundred lines: what every entry must do, in dictionaries, with no lock and no database.

It shares the words of an entry with the ledger (`ledger.entries`) and none of its decisions.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from ledger.entries import Entry, Move, MoveUpTo, PlaceHold, PostHold, VoidHold


class Refused(Exception):
    """The model refuses an entry; its argument is the name of the ledger's error."""


@dataclass(frozen=True, slots=True)
class Held:
    """A hold as the model knows it."""

    account: str
    amount_rao: int
    expires_at: datetime | None
    state: str = "open"


@dataclass(slots=True)
class Books:
    """What each account has by its code, and every hold ever placed."""

    has: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    holds: dict[UUID, Held] = field(default_factory=dict)

    def apply(self, entry: Entry) -> list[tuple[str, str, int, int, int]]:
        """Do an entry, or nothing of it; return its transfers: debit, credit, amount, both balances.

        Raises: Refused.
        """
        draft = _Draft(self, at=entry.at)
        for step in entry.steps:
            draft.do(step)
        self.has.update(draft.has)
        self.held.update(draft.held)
        self.holds.update(draft.holds)
        return draft.transfers

    def refusal(self, entry: Entry) -> str | None:
        """Name the error with which an entry would be refused now, none when it would be done."""
        draft = _Draft(self, at=entry.at)
        try:
            for step in entry.steps:
                draft.do(step)
        except Refused as refused:
            return str(refused)
        return None


class _Draft:
    """What an entry has changed so far."""

    def __init__(self, books: Books, *, at: datetime) -> None:
        self.books, self.at = books, at
        self.has: dict[str, int] = {}
        self.held: dict[str, int] = {}
        self.holds: dict[UUID, Held] = {}
        self.transfers: list[tuple[str, str, int, int, int]] = []

    def do(self, step: Move | MoveUpTo | PlaceHold | PostHold | VoidHold) -> None:
        match step:
            case Move():
                self.move(step.debit.code, step.credit.code, step.amount_rao)
            case MoveUpTo():
                free = self._has(step.debit.code) - self._held(step.debit.code)
                if free < 1:
                    raise Refused("NothingToMove")
                self.move(step.debit.code, step.credit.code, min(free, step.at_most_rao))
            case PlaceHold():
                if step.hold in self.books.holds:
                    raise Refused("HoldTaken")
                code = step.account.code
                self.need(code, step.amount_rao)
                self.held[code] = self._held(code) + step.amount_rao
                self.holds[step.hold] = Held(code, step.amount_rao, step.expires_at)
            case PostHold():
                self.settle(step)
            case VoidHold():
                held = self.resolve(step.hold)
                is_due = held.expires_at is not None and held.expires_at <= self.at
                self.end(step.hold, held, "expired" if is_due else "voided")

    def settle(self, step: PostHold) -> None:
        held = self.resolve(step.hold)
        if held.expires_at is not None and held.expires_at <= self.at:
            raise Refused("HoldNotOpen")
        if sum(rao for _, rao in step.to) > held.amount_rao:
            raise Refused("HoldExceeded")
        self.end(step.hold, held, "posted")
        for target, rao in step.to:
            if target.code != held.account:
                self.move(held.account, target.code, rao)

    def resolve(self, hold: UUID) -> Held:
        held = self.books.holds.get(hold)
        if held is None:
            raise Refused("HoldUnknown")
        if held.state != "open":
            raise Refused("HoldNotOpen")
        return held

    def end(self, hold: UUID, held: Held, state: str) -> None:
        self.held[held.account] = self._held(held.account) - held.amount_rao
        self.holds[hold] = Held(held.account, held.amount_rao, held.expires_at, state)

    def move(self, debit: str, credit: str, rao: int) -> None:
        self.need(debit, rao)
        self.has[debit] = self._has(debit) - rao
        self.has[credit] = self._has(credit) + rao
        self.transfers.append((debit, credit, rao, self.has[debit], self.has[credit]))

    def need(self, code: str, rao: int) -> None:
        if code.startswith(("system:", "issuance")):
            return
        if self._has(code) - self._held(code) < rao:
            raise Refused("InsufficientFunds")

    def _has(self, code: str) -> int:
        return self.has.get(code, self.books.has.get(code, 0))

    def _held(self, code: str) -> int:
        return self.held.get(code, self.books.held.get(code, 0))
