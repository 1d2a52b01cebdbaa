"""Decide what an entry does to the accounts and holds it touches: the rules of the books, with no database.

The accounts handed in are locked, so what is decided here stays true until it is written.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from uuid import UUID

from ledger.chart import AccountKind, Address
from ledger.entries import Entry, Move, MoveUpTo, PlaceHold, PostHold, Step, VoidHold
from ledger.errors import (
    AccountClosed,
    DomainError,
    HoldExceeded,
    HoldNotOpen,
    HoldTaken,
    HoldUnknown,
    InsufficientFunds,
    NothingToMove,
    SupplyExceeded,
)
from ledger.money import MAX_SUPPLY_RAO
from ledger.states import HoldState


@dataclass(frozen=True, slots=True)
class Standing:
    """An account as it stood when it was locked; a system account stands at zero and is not asked."""

    address: Address
    posted_rao: int = 0
    held_rao: int = 0
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class HoldStanding:
    """A hold as it stood when it was locked. account: the code of the account it sets money aside in."""

    hold: UUID
    account: str
    amount_rao: int
    state: HoldState = HoldState.OPEN
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TransferLine:
    """A transfer to be written, by account codes, with the balances right after it."""

    debit: str
    credit: str
    amount_rao: int
    hold: UUID | None
    debit_balance_rao: int | None
    credit_balance_rao: int | None


@dataclass(frozen=True, slots=True)
class Resolution:
    """How a hold ends."""

    hold: UUID
    state: HoldState
    posted_rao: int


@dataclass(slots=True)
class Tally:
    """The running figures of one account while the steps are applied."""

    address: Address
    posted_rao: int
    held_rao: int
    credits_rao: int = 0
    debits_rao: int = 0
    held_change_rao: int = 0

    @property
    def balance_rao(self) -> int | None:
        """Return the balance to record, none for an account without counters."""
        return self.posted_rao if self.address.kind.is_counted else None

    def require(self, amount_rao: int) -> None:
        """Refuse what the account cannot give."""
        if self.address.kind is AccountKind.ISSUANCE:
            if amount_rao - self.posted_rao > MAX_SUPPLY_RAO:
                raise SupplyExceeded(amount_rao=amount_rao)
        elif not self.address.kind.may_overdraw:
            available_rao = self.posted_rao - self.held_rao
            if amount_rao > available_rao:
                raise InsufficientFunds(needed_rao=amount_rao, available_rao=available_rao)

    def debit(self, amount_rao: int) -> None:
        """Take an amount."""
        self.require(amount_rao)
        self.posted_rao -= amount_rao
        self.debits_rao += amount_rao

    def credit(self, amount_rao: int) -> None:
        """Add an amount."""
        self.posted_rao += amount_rao
        self.credits_rao += amount_rao

    def hold(self, amount_rao: int) -> None:
        """Set an amount aside."""
        self.require(amount_rao)
        self.held_rao += amount_rao
        self.held_change_rao += amount_rao

    def release(self, amount_rao: int) -> None:
        """Give back what was set aside."""
        assert amount_rao <= self.held_rao, "a hold is part of what is held"
        self.held_rao -= amount_rao
        self.held_change_rao -= amount_rao


@dataclass(slots=True)
class Posting:
    """What is to be written for an entry."""

    tallies: dict[str, Tally]
    transfers: list[TransferLine] = field(default_factory=list)
    placed: list[PlaceHold] = field(default_factory=list)
    resolved: list[Resolution] = field(default_factory=list)

    def apply(self, step: Step, *, holds: Mapping[UUID, HoldStanding], at: datetime) -> None:
        """Apply one step to what those before it left."""
        match step:
            case Move():
                self.move(step.debit.code, step.credit.code, step.amount_rao)
            case MoveUpTo():
                self.move_up_to(step)
            case PlaceHold():
                self.place(step, standing=holds.get(step.hold))
            case PostHold():
                self.post(step, standing=open_hold(step.hold, holds), at=at)
            case VoidHold():
                self.void(step, standing=open_hold(step.hold, holds), at=at)

    def move(self, debit: str, credit: str, amount_rao: int, hold: UUID | None = None) -> None:
        """Apply one transfer."""
        source, target = self.tallies[debit], self.tallies[credit]
        source.debit(amount_rao)
        target.credit(amount_rao)
        self.transfers.append(
            TransferLine(debit, credit, amount_rao, hold, source.balance_rao, target.balance_rao)
        )

    def move_up_to(self, step: MoveUpTo) -> None:
        """Apply a transfer of what there is, and what the other side takes."""
        source, target = self.tallies[step.debit.code], self.tallies[step.credit.code]
        amounts = [step.at_most_rao, source.posted_rao - source.held_rao]
        if target.address.kind is AccountKind.DEBT:
            amounts.append(-target.posted_rao)
        if min(amounts) <= 0:
            raise NothingToMove(debit=step.debit.code, credit=step.credit.code)
        self.move(step.debit.code, step.credit.code, min(amounts))

    def place(self, step: PlaceHold, *, standing: HoldStanding | None) -> None:
        """Set money aside under a new id."""
        if standing is not None:
            raise HoldTaken(hold=step.hold)
        self.tallies[step.account.code].hold(step.amount_rao)
        self.placed.append(step)

    def post(self, step: PostHold, *, standing: HoldStanding, at: datetime) -> None:
        """Pay the parts of a hold and release the rest."""
        if is_due(standing, at=at):
            raise HoldNotOpen(hold=standing.hold, state=HoldState.EXPIRED)
        amount_rao = sum(part_rao for _, part_rao in step.to)
        if amount_rao > standing.amount_rao:
            raise HoldExceeded(amount_rao=amount_rao, held_rao=standing.amount_rao)
        source = self.tallies[standing.account]
        source.release(standing.amount_rao)
        posted_rao = 0
        for address, part_rao in step.to:
            if address.asset != source.address.asset:
                raise ValueError(f"{address.code} holds another asset than the hold")
            if address.code != standing.account:
                self.move(standing.account, address.code, part_rao, step.hold)
                posted_rao += part_rao
        self.resolved.append(Resolution(step.hold, HoldState.POSTED, posted_rao))

    def void(self, step: VoidHold, *, standing: HoldStanding, at: datetime) -> None:
        """Release a hold."""
        self.tallies[standing.account].release(standing.amount_rao)
        state = HoldState.EXPIRED if is_due(standing, at=at) else HoldState.VOIDED
        self.resolved.append(Resolution(step.hold, state, 0))


def decide(
    entry: Entry, *, accounts: Mapping[str, Standing], holds: Mapping[UUID, HoldStanding]
) -> Posting:
    """Apply an entry's steps in order to locked accounts and holds.

    accounts: by code, every account the steps name and those of the holds.  holds: by id, those that exist.
    Raises: AccountClosed; InsufficientFunds, NothingToMove, SupplyExceeded, HoldUnknown, HoldTaken, HoldNotOpen,
    HoldExceeded, of which `step` says which step was refused first; ValueError when an address names another account than its code does.
    """
    for address in entry.addresses():
        opened = accounts[address.code].address
        if opened is not address and opened != address:
            raise ValueError(f"{address.code} was opened as another kind of account")
    if closed := [code for code, standing in accounts.items() if standing.is_closed]:
        raise AccountClosed(account=closed[0])
    posting = Posting(
        tallies={
            code: Tally(standing.address, standing.posted_rao, standing.held_rao)
            for code, standing in accounts.items()
        }
    )
    for place, step in enumerate(entry.steps, 1):
        try:
            posting.apply(step, holds=holds, at=entry.at)
        except InsufficientFunds as refusal:
            short = of_payment(refusal, entry.steps, place=place)
            short.step = place
            raise short from None
        except DomainError as refusal:
            refusal.step = place
            raise
    return posting


def of_payment(
    refusal: InsufficientFunds, steps: Sequence[Step], *, place: int
) -> InsufficientFunds:
    """Say what is short of a whole payment: moves that follow each other out of one account are one to who pays.

    place: of the refused step, from one.
    """
    refused = steps[place - 1]
    if not isinstance(refused, Move):
        return refusal
    moved_rao = _moved_rao(reversed(steps[: place - 1]), source=refused.debit)
    left_rao = refusal.fields["available_rao"]
    assert isinstance(left_rao, int)
    return InsufficientFunds(
        needed_rao=moved_rao + _moved_rao(steps[place - 1 :], source=refused.debit),
        available_rao=left_rao + moved_rao,
    )


def _moved_rao(steps: Iterable[Step], *, source: Address) -> int:
    """Return what moves out of an account come to, up to the first step that is none."""
    amounts = (
        step.amount_rao if isinstance(step, Move) and step.debit == source else 0 for step in steps
    )
    return sum(takewhile(bool, amounts))


def open_hold(hold: UUID, holds: Mapping[UUID, HoldStanding]) -> HoldStanding:
    """Find a hold that can still be resolved."""
    standing = holds.get(hold)
    if standing is None:
        raise HoldUnknown(hold=hold)
    if standing.state is not HoldState.OPEN:
        raise HoldNotOpen(hold=hold, state=standing.state)
    return standing


def is_due(standing: HoldStanding, *, at: datetime) -> bool:
    """Tell whether a hold's time had passed at an instant."""
    return standing.expires_at is not None and standing.expires_at <= at
