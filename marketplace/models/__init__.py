"""People and what they buy.

User          somebody who signs in; their id is the `owner` of everything below the web
Auction       a subnet offered in one of four formats, from opening to settlement
Bid           one accepted maximum of an English auction: a fact; the standing is derived from all of them
Sale          a slot or a subnet that changed hands, at what price, fee and royalty: a fact
Deposit       a card top-up from quote to credit
WebhookEvent  what Stripe told, stored once, worked off later
"""

from marketplace.models.auctions import Auction, Bid
from marketplace.models.cards import Deposit, WebhookEvent
from marketplace.models.people import User
from marketplace.models.sales import Sale

__all__ = ["Auction", "Bid", "Deposit", "Sale", "User", "WebhookEvent"]
