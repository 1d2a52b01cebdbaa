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
from marketplace.errors.documents import (
    DocumentRefused,
    DocumentUnknown,
    TooManyDocuments,
)
from marketplace.errors.streams import (
    TooManyStreams,
)
from marketplace.errors.trust import (
    AccountsLinked,
    AddressNotVerified,
    DisputeDecided,
    DisputeTooLate,
    DisputeUnknown,
    SaleUnknown,
)

__all__ = [
    "AccountsLinked",
    "AddressNotVerified",
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
    "DisputeDecided",
    "DisputeTooLate",
    "DisputeUnknown",
    "DocumentRefused",
    "DocumentUnknown",
    "MaximumNotRaised",
    "NotTheSeller",
    "SaleUnknown",
    "SellerCannotBid",
    "TooManyDocuments",
    "TooManyStreams",
    "WebhookPayloadInvalid",
    "WebhookSignatureInvalid",
]
