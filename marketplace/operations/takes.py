"""Buying a subnet at its price, at once: a falling price, a fixed one, or an English auction's buy-now."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from ledger.errors import IdempotencyConflict
from ledger.idempotency import stored_key
from marketplace import bidding, dutch, queries
from marketplace.bidding import Sold
from marketplace.errors import AuctionClosed, AuctionHasNoPrice, BidderVoided, SellerCannotBid
from marketplace.models import Auction, Sale
from marketplace.offering import Format
from marketplace.operations import endings
from marketplace.operations.trust import check_may_deal


@transaction.atomic
def take_subnet(
    *, auction_id: UUID, buyer: UUID, max_price_rao: int, key: str, now: datetime
) -> Sale:
    """Pay a subnet's price of this moment, at most max_price_rao, and own it; everybody's bids are released.

    The same key with the same input buys once and returns the sale again.
    Raises: AuctionUnknown, AuctionNotOpenYet, AuctionClosed, SellerCannotBid, BidderVoided, AddressNotVerified,
    AccountsLinked, AuctionHasNoPrice, BuyNowGone, PriceAboveLimit, InsufficientFunds, NotTheOwner (the seller lost the subnet),
    IdempotencyConflict, IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    stored = stored_key("take", caller=buyer, key=key)
    auction = queries.lock_auction(auction_id)
    if earlier := queries.sale_by_key(stored):
        return _replay(earlier, auction_id=auction_id, max_price_rao=max_price_rao, key=key)

    sold = _check(auction, buyer=buyer, max_price_rao=max_price_rao, now=now)
    # A hold backs a maximum, and no maximum that leads reaches a price that still stands: the wallet pays.
    return endings.sell(
        auction, sold, paying=endings.Paying(key=stored, max_price_rao=max_price_rao), now=now
    )


def _check(auction: Auction, *, buyer: UUID, max_price_rao: int, now: datetime) -> Sold:
    """Decide about a purchase. An auction that ended early is closed, whatever its hour says."""
    if auction.state != Auction.State.OPEN:
        raise AuctionClosed(closes_at=auction.shut_at)
    if buyer == auction.seller:
        raise SellerCannotBid(auction_id=auction.id)
    if buyer in auction.voided_bidders:
        raise BidderVoided
    check_may_deal(buyer=buyer, seller=auction.seller)
    match Format(auction.format):
        case Format.DUTCH | Format.FIXED:
            price_rao = dutch.check_take(
                queries.tag_of(auction), max_price_rao=max_price_rao, now=now
            )
            return Sold(winner=buyer, price_rao=price_rao)
        case Format.ENGLISH:
            sold = bidding.check_buy_now(queries.play_of(auction), bidder=buyer, now=now)
            dutch.within_limit(sold.price_rao, max_price_rao=max_price_rao)
            return sold
        case Format.SEALED:
            raise AuctionHasNoPrice(auction_id=auction.id)


def _replay(earlier: Sale, *, auction_id: UUID, max_price_rao: int, key: str) -> Sale:
    if earlier.auction_id != auction_id:
        raise IdempotencyConflict(key=key, field="auction")
    if earlier.max_cost_rao != max_price_rao:
        raise IdempotencyConflict(key=key, field="max_price_rao")
    return earlier
