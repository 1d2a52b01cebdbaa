"""What a deposit backs, and what follows when a winner does not pay it up: as pure functions.

The next bidder is offered what the auction would have come to without the one who did not pay. Asking them for
their own last bid instead would reward whoever drives a price up and then fails to pay.
"""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from marketplace import bidding
from marketplace.fees import BPS

# A day reaches people in every time zone; longer would keep the seller waiting for each who does not answer.
SECOND_CHANCE_LASTS = timedelta(hours=24)
# Once may be a mishap and twice bad luck; half a year is as long as anybody remembers either.
STRIKES_MAX = 3
STRIKES_COUNT_FOR = timedelta(days=180)


def deposit_rao(max_rao: int, *, deposit_bps: int) -> int:
    """Return the deposit behind a maximum, rounded up so that no maximum goes without.

    Example:
        >>> deposit_rao(1_001, deposit_bps=1_000)
        101
    """
    assert max_rao > 0
    assert 0 < deposit_bps <= BPS
    return -(-max_rao * deposit_bps // BPS)


def next_offer(play: bidding.Play, *, passed_over: Iterable[UUID]) -> bidding.Sold | None:
    """Say who is asked next and at what price, as if those passed over had never bid; None when nobody is left.

    The price follows from the remaining maxima by the usual rule: at least the reserve, never above one's own.
    """
    for bidder in passed_over:
        play = bidding.void(play, bidder=bidder)
    left = bidding.standing(play)
    if left.leader is None or left.price_rao is None or not left.reserve_met:
        return None
    return bidding.Sold(winner=left.leader, price_rao=left.price_rao)
