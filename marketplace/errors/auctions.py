"""What can be refused of auctions and bids."""

from ledger.errors import DomainError


class AuctionNotOpenYet(DomainError):
    """The auction opens later."""

    code = "auction_not_open_yet"
    message = "This auction opens at {opens_at:%Y-%m-%d %H:%M:%S} UTC. Come back then."


class AuctionClosed(DomainError):
    """The end has come, by the server's clock."""

    code = "auction_closed"
    message = "This auction closed at {closes_at:%Y-%m-%d %H:%M:%S} UTC. No more bids are taken."


class AuctionBusy(DomainError):
    """More people bid on the auction at this moment than can be decided about soon."""

    code = "auction_busy"
    http_status = 503
    message = (
        "More people are bidding here than can be served at once. Your bid was not placed: "
        "send it again in {retry_after_s} s."
    )


class AuctionStillOpen(DomainError):
    """An outcome was asked for before the end."""

    code = "auction_still_open"
    message = "This auction is open until {closes_at:%Y-%m-%d %H:%M:%S} UTC."


class BidTooLow(DomainError):
    """The bid is below the start price, or below the price plus one step."""

    code = "bid_too_low"
    message = "The lowest bid taken now is {minimum_rao} rao; this one was {amount_rao} rao."


class MaximumNotRaised(DomainError):
    """The leader may only raise their own maximum."""

    code = "maximum_not_raised"
    message = (
        "You lead with a maximum of {maximum_rao} rao. A new maximum must be higher than that; "
        "this one was {amount_rao} rao."
    )


class BuyNowGone(DomainError):
    """A bid took the buy-now price off the table, or there never was one."""

    code = "buy_now_gone"
    message = "The buy-now price is no longer on offer. The lowest bid taken is {min_next_rao} rao."


class AuctionTakesNoBids(DomainError):
    """The subnet has a price; the first to take it has the subnet."""

    code = "auction_takes_no_bids"
    message = "This subnet has a price and takes no bids. Buy it at {price_rao} rao or less."


class AuctionHasNoPrice(DomainError):
    """The subnet goes to the highest bid; it has no price at which it could be taken."""

    code = "auction_has_no_price"
    message = "This subnet goes to the highest bid at the end. State a maximum instead."


class AuctionUnknown(DomainError):
    """No auction has this id."""

    code = "auction_unknown"
    http_status = 404
    message = "There is no auction {auction_id}."


class BidUnknown(DomainError):
    """No bid of the caller's has this id."""

    code = "bid_unknown"
    http_status = 404
    message = "You have no bid {bid_id}."


class BidderVoided(DomainError):
    """An operator took the bidder out of this auction; they bid and buy there no more."""

    code = "bidder_voided"
    http_status = 403
    message = "Your bids in this auction were taken out, so you cannot bid or buy in it."


class BidderUnknown(DomainError):
    """The account has no bid in this auction."""

    code = "bidder_unknown"
    http_status = 404
    message = "Account {bidder} has no bid in this auction."


class BidsNotVoidable(DomainError):
    """Bidders are taken out of English auctions alone, where the price follows from whoever is left."""

    code = "bids_not_voidable"
    message = "Bids are taken out of English auctions only. Call this auction off instead."


class ReasonMissing(DomainError):
    """An operator says why; whoever is concerned reads it."""

    code = "reason_missing"
    http_status = 422
    message = "Say why, in a sentence that the people concerned will read."


class AuctionAlreadyOpen(DomainError):
    """The subnet stands in an auction; it can stand in one at a time."""

    code = "auction_already_open"
    message = "Subnet {netuid} is being auctioned already. Wait for that auction to end."


class AuctionHasBids(DomainError):
    """Somebody bid in good faith; from then on the auction runs to its end."""

    code = "auction_has_bids"
    message = "This auction has {bid_count} bids and runs to its end."


class AuctionTermsInvalid(DomainError):
    """The terms a seller asked for cannot be an auction's."""

    code = "auction_terms_invalid"
    http_status = 422
    message = "The auction cannot have these terms: {reason}."


class NotTheSeller(DomainError):
    """Only who opened an auction may withdraw it."""

    code = "not_the_seller"
    http_status = 403
    message = "This auction is not yours."


class SellerCannotBid(DomainError):
    """A seller who bids raises the price for the others."""

    code = "seller_cannot_bid"
    http_status = 403
    message = "You cannot bid or buy in your own auction."
