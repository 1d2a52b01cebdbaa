"""What can be refused in marketplace, by noun. Codes are stable; docs/api.md lists them."""

from marketplace.errors.auctions import (
    AuctionAlreadyOpen,
    AuctionClosed,
    AuctionHasBids,
    AuctionNotOpenYet,
    AuctionStillOpen,
    AuctionTermsInvalid,
    AuctionUnknown,
    BidTooLow,
    BuyNowGone,
    MaximumNotRaised,
    NotTheSeller,
    SellerCannotBid,
)
from marketplace.errors.cards import (
    CardsRefused,
    CardsSwitchedOff,
    CardsUnavailable,
    DepositOutOfBounds,
    DepositUnknown,
    WebhookPayloadInvalid,
    WebhookSignatureInvalid,
)
from marketplace.errors.streams import (
    TooManyStreams,
)

__all__ = [
    "AuctionAlreadyOpen",
    "AuctionClosed",
    "AuctionHasBids",
    "AuctionNotOpenYet",
    "AuctionStillOpen",
    "AuctionTermsInvalid",
    "AuctionUnknown",
    "BidTooLow",
    "BuyNowGone",
    "CardsRefused",
    "CardsSwitchedOff",
    "CardsUnavailable",
    "DepositOutOfBounds",
    "DepositUnknown",
    "MaximumNotRaised",
    "NotTheSeller",
    "SellerCannotBid",
    "TooManyStreams",
    "WebhookPayloadInvalid",
    "WebhookSignatureInvalid",
]
