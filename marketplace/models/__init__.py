"""People and what they buy.

User          somebody who signs in; their id is the `owner` of everything below the web
Auction       a subnet offered in one of four formats, from opening to settlement
Bid           one accepted maximum of an English auction: a fact; the standing is derived from all of them
BidVoid       an operator takes a bidder out of an auction, and says why: a fact; the bids stay in the log
SealedBid     one sealed maximum, encrypted, and its commitment: a fact; SealedOpening, what it hid: a fact
SecondChance  the next bidder may have the subnet whose winner did not pay
Strike        a winner did not pay, and the deposit was forfeited: a fact
Offer         a buyer's amount for a subnet, listed or not, and the figure that stands between two people
OfferMove     one act of a negotiation: a fact
Sale          a slot or a subnet that changed hands, at what price, fee and royalty: a fact
SlotPremium   what free slots cost above the lock cost for a while, set by staff
Deposit       a card top-up from quote to credit, and what became of its payment since
FraudRefund   what the house does by itself about a deposit that its bank warned of
Chargeback    a dispute of a card payment at the cardholder's bank; CardFailure, a card that did not pay: a fact
CardDifference  where the books and Stripe do not agree, until it is resolved
Forgiveness  a debt for a card payment that staff gives up; ForgivenessApproval, one of them agrees: a fact
Restriction   what of a wallet came of a card and cannot be withdrawn yet
Withdrawal    money on its way out, from request to arrival; WithdrawalApproval, one of staff lets it go: a fact
WithdrawalAddress  where on the chain an owner's TAO may go; PayoutAccount, their account at Stripe
RehearsedBroadcast  what the rehearsed chain was asked to send, in tests and the demo
WebhookEvent  what Stripe told, stored once, worked off later
AccountLink   two accounts that belong together, so that neither bids in the other's auction
Dispute       what a buyer says is wrong with a purchase, and what staff decided
ApiKey        what a program of a person signs in with: the key's public half and a digest of its secret
Watch         a subnet that somebody follows
Notice        a fact told to one person; NoticePreference, by what ways besides the site; NewsCursor, how far facts were read
Letter        a notice on its way by e-mail
WebhookEndpoint  where an owner's news go; Delivery, one message on its way there
Document      a file that an owner shows of a subnet; DocumentReading, who read it: a fact
SecurityChange  what changed about how somebody signs in: a fact
SavedSearch   a filter of the list of subnets that somebody keeps under a name
"""

from marketplace.models.api_keys import ApiKey
from marketplace.models.auctions import Auction, Bid
from marketplace.models.cards import CardDifference, CardFailure, Chargeback, Deposit, WebhookEvent
from marketplace.models.debts import Forgiveness, ForgivenessApproval
from marketplace.models.documents import Document, DocumentReading
from marketplace.models.fraud import FraudRefund
from marketplace.models.hammer import SecondChance, Strike
from marketplace.models.notices import Letter, NewsCursor, Notice, NoticePreference, Watch
from marketplace.models.offers import Offer, OfferMove
from marketplace.models.people import User
from marketplace.models.premiums import SlotPremium
from marketplace.models.restrictions import Restriction
from marketplace.models.sales import Sale
from marketplace.models.sealed import SealedBid, SealedOpening
from marketplace.models.searches import SavedSearch
from marketplace.models.security import SecurityChange
from marketplace.models.trust import AccountLink, Dispute
from marketplace.models.voids import BidVoid
from marketplace.models.webhooks import Delivery, WebhookEndpoint
from marketplace.models.withdrawals import (
    PayoutAccount,
    RehearsedBroadcast,
    Withdrawal,
    WithdrawalAddress,
    WithdrawalApproval,
)

__all__ = [
    "AccountLink",
    "ApiKey",
    "Auction",
    "Bid",
    "BidVoid",
    "CardDifference",
    "CardFailure",
    "Chargeback",
    "Delivery",
    "Deposit",
    "Dispute",
    "Document",
    "DocumentReading",
    "Forgiveness",
    "ForgivenessApproval",
    "FraudRefund",
    "Letter",
    "NewsCursor",
    "Notice",
    "NoticePreference",
    "Offer",
    "OfferMove",
    "PayoutAccount",
    "RehearsedBroadcast",
    "Restriction",
    "Sale",
    "SavedSearch",
    "SealedBid",
    "SealedOpening",
    "SecondChance",
    "SecurityChange",
    "SlotPremium",
    "Strike",
    "User",
    "Watch",
    "WebhookEndpoint",
    "WebhookEvent",
    "Withdrawal",
    "WithdrawalAddress",
    "WithdrawalApproval",
]
