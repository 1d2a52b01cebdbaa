"""How often one person may write to the market; `ledger.rest.limits` counts, and has the limits of reading."""

from ledger.rest.limits import ReadThrottle, Throttle

__all__ = ["BidThrottle", "PurchaseThrottle", "ReadThrottle", "Throttle"]


class BidThrottle(Throttle):
    """One person's bids: a duel needs a bid every few seconds, a loop gone wrong needs many more."""

    bucket = "bid"
    usual_rate = "60/min"


class PurchaseThrottle(Throttle):
    """One person's purchases, auctions and deposits: each is a decision, not a stream."""

    bucket = "money"
    usual_rate = "20/min"
