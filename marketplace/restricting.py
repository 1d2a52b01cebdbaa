"""Restricted money: TAO that a card paid for may be bid and spent at once, and withdrawn once its window has passed.

It lies in the same wallet as all other; a restriction says how much of the wallet has to stay. Whoever sells for money
that has not cleared has the restriction with it, so that an accomplice cannot carry it out. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Windows:
    """How long deposits take to clear: up to an amount the short window, above it the long one."""

    small_cents: int
    small: timedelta
    large: timedelta

    def clears_at(self, amount_cents: int, *, credited_at: datetime, is_suspect: bool) -> datetime:
        """Return when a deposit clears. is_suspect: its card has paid for more than it may in a day."""
        is_short = amount_cents <= self.small_cents and not is_suspect
        return credited_at + (self.small if is_short else self.large)


@dataclass(frozen=True, slots=True)
class Restricted:
    """What an owner cannot withdraw yet: how much of the wallet, until when, and whether all of it is frozen.

    until: when the last of it clears; None where nothing waits, or where a claim has to be decided first.
    """

    amount_rao: int = 0
    until: datetime | None = None
    is_frozen: bool = False

    def withdrawable_rao(self, available_rao: int) -> int:
        """Return how much of what is available may leave."""
        return 0 if self.is_frozen else max(0, available_rao - self.amount_rao)


@dataclass(frozen=True, slots=True)
class Share:
    """A restriction with so much that has not cleared."""

    id: UUID
    uncleared_rao: int


@dataclass(frozen=True, slots=True)
class Carried:
    """So much of a restriction goes along with money that an owner got."""

    share: UUID
    owner: UUID
    amount_rao: int


def carried(
    shares: Sequence[Share], *, left_rao: int, parts: Iterable[tuple[UUID, int]]
) -> tuple[Carried, ...]:
    """Return what goes along with a payment: as much as what is left in the payer's wallet no longer covers.

    Money that may leave is spent first, so sellers are held up no longer than has to be. All restrictions together
    stay what they were.  shares: those that clear first, first.  parts: who gets how much.
    """
    uncovered_rao = max(0, sum(share.uncleared_rao for share in shares) - max(0, left_rao))
    gone: list[Carried] = []
    rest = {share.id: share.uncleared_rao for share in shares}
    for owner, part_rao in parts:
        room_rao = min(part_rao, uncovered_rao)
        uncovered_rao -= room_rao
        for share in shares:
            rao = min(room_rao, rest[share.id])
            if rao:
                gone.append(Carried(share.id, owner, rao))
                rest[share.id] -= rao
                room_rao -= rao
    return tuple(gone)
