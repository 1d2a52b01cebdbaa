"""An entry: one business event, several steps, all or none, under one key.

Steps are applied in order, and no account may be below zero after any of them: release before you hold,
credit before you debit.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_OID, UUID, uuid5

from ledger.chart import Address, Code
from ledger.money import MAX_RAO

# An epoch pays 256 neurons and the stakers behind 64 validators; more would hold its locks for too long.
MAX_STEPS = 4_096
# Keys are sentences such as "epoch:3:1207"; they are indexed, so they stay short.
MAX_KEY_LENGTH = 200
MAX_NOTE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Move:
    """Take an amount from one account and give it to another."""

    debit: Address
    credit: Address
    amount_rao: int

    def __post_init__(self) -> None:
        _require_amount(self.amount_rao)
        if self.debit.code == self.credit.code:
            raise ValueError(f"{self.debit.code} cannot pay itself")
        _require_one_asset(self.debit, self.credit)


@dataclass(frozen=True, slots=True)
class MoveUpTo:
    """Take what an account can spare, at most an amount, and give it to another: a balancing move.

    A debt takes no more than is owed. Where nothing is left to move the entry is refused.
    """

    debit: Address
    credit: Address
    at_most_rao: int

    def __post_init__(self) -> None:
        if self.debit.kind.may_overdraw:
            raise ValueError(f"{self.debit.code} has no balance to empty")
        Move(self.debit, self.credit, self.at_most_rao)


@dataclass(frozen=True, slots=True)
class PlaceHold:
    """Set an amount of an account aside under an id of the caller's (see hold_id)."""

    hold: UUID
    account: Address
    amount_rao: int
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        _require_amount(self.amount_rao)
        if self.account.kind.may_overdraw:
            raise ValueError(f"{self.account.code} has no balance to set aside")
        if self.expires_at is not None:
            _require_aware(self.expires_at)


@dataclass(frozen=True, slots=True)
class PostHold:
    """Pay parts of an open hold to others and release the rest.

    A part whose receiver is the hold's own account is released as well: whoever buys from themselves
    pays the others only. A hold at or past its expiry can no longer be posted.
    """

    hold: UUID
    to: tuple[tuple[Address, int], ...]

    def __post_init__(self) -> None:
        if not self.to:
            raise ValueError("a hold is posted to somebody; release it with VoidHold")
        for address, amount_rao in self.to:
            _require_amount(amount_rao)
            _require_one_asset(self.to[0][0], address)


@dataclass(frozen=True, slots=True)
class VoidHold:
    """Release an open hold in full; at or past its expiry it is recorded as expired."""

    hold: UUID


Step = Move | MoveUpTo | PlaceHold | PostHold | VoidHold


@dataclass(frozen=True, slots=True)
class Entry:
    """Say what happened (code, at, note) and what it does to the books (steps), once per key.

    key: a sentence of the fact, `f"epoch:{netuid}:{number}"`.  at: when it happened, aware.
    note: words for people, such as the reason of a correction.
    """

    key: str
    code: Code
    at: datetime
    steps: tuple[Step, ...]
    note: str = ""

    def __post_init__(self) -> None:
        if not (0 < len(self.key) <= MAX_KEY_LENGTH and self.key.isprintable()):
            raise ValueError(f"a key has 1 to {MAX_KEY_LENGTH} printable characters")
        if len(self.note) > MAX_NOTE_LENGTH:
            raise ValueError(f"a note has at most {MAX_NOTE_LENGTH} characters")
        _require_aware(self.at)
        # Hundreds of moves need not be asked one by one for the parts and the holds that they have not.
        others = () if self.is_of_moves else self.steps
        parts = sum(len(step.to) - 1 for step in others if isinstance(step, PostHold))
        if not 0 < len(self.steps) + parts <= MAX_STEPS:
            raise ValueError(
                f"an entry has 1 to {MAX_STEPS} steps, a hold's parts counted one each"
            )
        holds = list(_holds(others))
        if len(holds) != len(set(holds)):
            raise ValueError("an entry touches a hold once")

    @property
    def is_of_moves(self) -> bool:
        """Tell whether the entry moves amounts that are known, and does nothing else."""
        return set(map(type, self.steps)) == {Move}

    @property
    def only_sets_aside(self) -> bool:
        """Tell whether the entry releases holds and then places some that never expire, and nothing else."""
        placed = [step for step in self.steps if isinstance(step, PlaceHold)]
        voided = self.steps[: len(self.steps) - len(placed)]
        return (
            bool(placed)
            and all(isinstance(step, VoidHold) for step in voided)
            and all(step.expires_at is None for step in placed)
        )

    def addresses(self) -> Iterator[Address]:
        """Yield every account the steps name; a hold that is posted or voided has one more."""
        for step in self.steps:
            match step:
                case Move() | MoveUpTo():
                    yield step.debit
                    yield step.credit
                case PlaceHold():
                    yield step.account
                case PostHold():
                    yield from (address for address, _ in step.to)
                case VoidHold():
                    pass

    def holds(self) -> Iterator[UUID]:
        """Yield every hold the steps place, post or void."""
        return _holds(self.steps)

    def resolves(self) -> set[UUID]:
        """Return the holds that the steps end."""
        return {step.hold for step in self.steps if isinstance(step, PostHold | VoidHold)}

    def digest(self) -> str:
        """Return the SHA-256 of what the entry does, in hex: equal digests are the same request.

        Instants and the note are left out: a retry comes later and may say more, and means the same.
        """
        lines = [self.code.value, *map(_canonical, self.steps)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def hold_id(fact: str) -> UUID:
    """Make a hold's id from a sentence of the fact, so that a retry names the same hold."""
    return uuid5(NAMESPACE_OID, f"ledger:hold:{fact}")


def _holds(steps: Iterable[Step]) -> Iterator[UUID]:
    for step in steps:
        if not isinstance(step, Move | MoveUpTo):
            yield step.hold


def _canonical(step: Step) -> str:
    match step:
        case Move():
            return f"move {step.debit.code} {step.credit.code} {step.amount_rao}"
        case MoveUpTo():
            return f"move-up-to {step.debit.code} {step.credit.code} {step.at_most_rao}"
        case PlaceHold():
            return f"place {step.hold} {step.account.code} {step.amount_rao}"
        case PostHold():
            parts = " ".join(f"{address.code} {amount_rao}" for address, amount_rao in step.to)
            return f"post {step.hold} {parts}"
        case VoidHold():
            return f"void {step.hold}"


def _require_amount(amount_rao: int) -> None:
    # bool is an int to isinstance, and a float would be rounded by the database without a word.
    if type(amount_rao) is not int or not 0 < amount_rao <= MAX_RAO:
        raise ValueError(f"an amount is a whole number of rao above zero, not {amount_rao!r}")


def _require_one_asset(left: Address, right: Address) -> None:
    if left.asset != right.asset:
        raise ValueError(f"{left.code} and {right.code} hold different assets")


def _require_aware(instant: datetime) -> None:
    if instant.tzinfo is None:
        raise ValueError("an instant carries its time zone")
