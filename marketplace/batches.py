"""Bids that waited for one auction together, decided as if each had come alone, in the order in which they came. Pure.

One takes the lead from the other within the batch as between two of them; only money is moved once, for who leads at
its end. Whoever led meanwhile had the money: what somebody can set aside in an auction stays the same throughout, since
what they hold there comes free before they hold more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ledger.errors import DomainError, InsufficientFunds
from marketplace import bidding
from marketplace.bidding import Accepted, Play


@dataclass(frozen=True, slots=True)
class Request:
    """A maximum that is asked for. needed_rao: what is set aside for it while it leads."""

    bidder: UUID
    max_rao: int
    needed_rao: int
    now: datetime


Outcome = Accepted | DomainError

Funds = Callable[[UUID], int]
"""How much somebody can set aside in the auction, with what they hold in it already."""


def decide(
    play: Play, requests: Sequence[Request], *, sequence: int, funds_rao: Funds
) -> list[Outcome]:
    """Decide about bids one after the other; the refusal of one touches no other.

    sequence: of the newest bid there is.
    """
    outcomes: list[Outcome] = []
    for request in requests:
        try:
            accepted = bidding.check_bid(
                play,
                bidder=request.bidder,
                max_rao=request.max_rao,
                sequence=sequence + 1,
                now=request.now,
            )
            _require_funds(request, funds_rao)
        except DomainError as refusal:
            outcomes.append(refusal)
            continue
        play, sequence = bidding.foremost(accepted.play), sequence + 1
        outcomes.append(accepted)
    return outcomes


def _require_funds(request: Request, funds_rao: Funds) -> None:
    """Refuse a bid that could not have been paid.

    A bid that is beaten at once is never held, but it moves the price that somebody else will pay:
    without this check anybody could drive a price up with money they do not have. Of one that leads the ledger asks
    again when it is set aside.
    """
    available_rao = funds_rao(request.bidder)
    if available_rao < request.needed_rao:
        raise InsufficientFunds(needed_rao=request.needed_rao, available_rao=available_rao)
