"""What can be refused of sealed bids."""

from ledger.errors import DomainError


class WrongFormat(DomainError):
    """The auction finds its price in another way."""

    code = "wrong_format"
    message = (
        "This auction is {format} and does not take that. Look at the auction for what it takes."
    )


class SealedBidNotRaised(DomainError):
    """A bidder may only raise their own sealed maximum."""

    code = "sealed_bid_not_raised"
    message = (
        "Your sealed maximum is {maximum_rao} rao. A new maximum must be higher than that; "
        "this one was {amount_rao} rao."
    )


class CoverBelowMaximum(DomainError):
    """What is set aside covers at least the maximum, or a winner could not pay."""

    code = "cover_below_maximum"
    http_status = 422
    message = "Set aside at least your maximum of {maximum_rao} rao; {cover_rao} rao are less."


class SealedBidsFull(DomainError):
    """A sealed auction takes a bounded number of bidders, and of bids from each."""

    code = "sealed_bids_full"
    message = "This auction takes at most {bidders_max} bidders and {bids_max} bids from each."


class SealedBidsUnreadable(DomainError):
    """The operator's key to the sealed maxima is missing, or a sealed row was changed."""

    code = "sealed_bids_unreadable"
    http_status = 503
    message = (
        "The sealed bids of auction {auction_id} cannot be opened now. Nothing is lost: "
        "the house has to put back the key they were sealed with. Try again later."
    )
