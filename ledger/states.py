"""The life of a hold."""

from enum import StrEnum


class HoldState(StrEnum):
    """Where a hold stands; the database refuses every move that TRANSITIONS does not name."""

    OPEN = "open"
    """Set aside: counted in the account's debits_held, spent by nothing else."""
    POSTED = "posted"
    """Paid out, in whole or in part; the rest was released."""
    VOIDED = "voided"
    """Released in full by whoever asked for it."""
    EXPIRED = "expired"
    """Released in full because its time had passed."""


TRANSITIONS: dict[HoldState, frozenset[HoldState]] = {
    HoldState.OPEN: frozenset({HoldState.POSTED, HoldState.VOIDED, HoldState.EXPIRED}),
    HoldState.POSTED: frozenset(),
    HoldState.VOIDED: frozenset(),
    HoldState.EXPIRED: frozenset(),
}
