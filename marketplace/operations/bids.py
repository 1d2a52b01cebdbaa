"""Bidding: one maximum at a time, under the auction's lock, backed by money set aside."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from ledger import chart
from ledger import operations as ledger
from ledger import queries as books
from ledger.chart import Code
from ledger.entries import Entry, PlaceHold, Step, VoidHold, hold_id
from ledger.errors import IdempotencyConflict, InsufficientFunds
from ledger.idempotency import stored_key
from marketplace import bidding, live, queries
from marketplace.errors import AuctionClosed, AuctionTakesNoBids, SellerCannotBid
from marketplace.models import Auction, Bid
from marketplace.offering import Format


@dataclass(frozen=True, slots=True)
class Placed:
    """The answer to a bid. is_leading is False when another maximum beat it at once.

    version: of the auction right after the bid.  replayed: the same bid was placed before.
    """

    bid_id: UUID
    is_leading: bool
    price_rao: int
    min_next_rao: int
    closes_at: datetime
    version: int
    replayed: bool


@transaction.atomic
def place_bid(*, auction_id: UUID, bidder: UUID, max_rao: int, key: str, now: datetime) -> Placed:
    """Take a maximum bid; the leader's whole maximum is set aside, and nobody else's.

    key: the client's words for this request; the same key with the same input gets the first answer.
    Raises: AuctionUnknown, AuctionNotOpenYet, AuctionClosed, SellerCannotBid, AuctionTakesNoBids,
    BidTooLow, MaximumNotRaised, InsufficientFunds, IdempotencyConflict, IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    stored = stored_key("bid", caller=bidder, key=key)
    auction = queries.lock_auction(auction_id)
    if earlier := queries.bid_by_key(stored):
        return _replay(auction, earlier, max_rao=max_rao, key=key)

    accepted = _check(auction, bidder=bidder, max_rao=max_rao, now=now)
    steps: list[Step] = []
    if (outbid := queries.leading_bid(auction)) and accepted.leads:
        steps.append(VoidHold(hold_of(outbid)))
    bid = _record(auction, accepted, key=stored, now=now)
    live.announce(auction.id)

    if accepted.leads:
        steps.append(PlaceHold(hold_of(bid), chart.wallet(bidder), max_rao))
        ledger.post(Entry(key=f"bid:{bid.id}", code=Code.BID_PLACED, at=now, steps=tuple(steps)))
    else:
        _require_funds(bidder, max_rao)
    return _answer(auction, bid, replayed=False)


def hold_of(bid: Bid) -> UUID:
    """Name the hold that backs a bid while it leads."""
    return hold_id(f"bid:{bid.id}")


def _check(auction: Auction, *, bidder: UUID, max_rao: int, now: datetime) -> bidding.Accepted:
    """Decide about a bid. An auction that ended early is closed, whatever its hour says."""
    if auction.state != Auction.State.OPEN:
        raise AuctionClosed(closes_at=auction.ended_at or auction.closes_at)
    if bidder == auction.seller:
        raise SellerCannotBid(auction_id=auction.id)
    if not Format(auction.format).takes_bids:
        raise AuctionTakesNoBids(price_rao=queries.tag_of(auction).price_rao(now=now))
    return bidding.check_bid(
        queries.play_of(auction),
        bidder=bidder,
        max_rao=max_rao,
        sequence=auction.bid_count + 1,
        now=now,
    )


def _record(auction: Auction, accepted: bidding.Accepted, *, key: str, now: datetime) -> Bid:
    """Write the bid, and on the auction what follows from all its bids."""
    standing = accepted.standing
    assert standing.leader is not None
    assert standing.price_rao is not None
    auction.leader = standing.leader
    auction.price_rao = standing.price_rao
    auction.closes_at = standing.closes_at
    auction.bid_count = accepted.maximum.sequence
    auction.version += 1
    auction.save(update_fields=["leader", "price_rao", "closes_at", "bid_count", "version"])
    assert auction.version == auction.bid_count, "every version of an open auction is a bid"
    return Bid.objects.create(
        auction=auction,
        bidder=accepted.maximum.bidder,
        key=key,
        sequence=accepted.maximum.sequence,
        max_rao=accepted.maximum.max_rao,
        price_rao=standing.price_rao,
        leader=standing.leader,
        closes_at=standing.closes_at,
        placed_at=now,
    )


def _require_funds(bidder: UUID, max_rao: int) -> None:
    """Refuse a bid that could not have been paid.

    A bid that is beaten at once is never held, but it moves the price that somebody else will pay:
    without this check anybody could drive a price up with money they do not have.
    """
    available_rao = books.balance(chart.wallet(bidder)).available_rao
    if available_rao < max_rao:
        raise InsufficientFunds(needed_rao=max_rao, available_rao=available_rao)


def _replay(auction: Auction, earlier: Bid, *, max_rao: int, key: str) -> Placed:
    if earlier.auction_id != auction.id:
        raise IdempotencyConflict(key=key, field="auction")
    if earlier.max_rao != max_rao:
        raise IdempotencyConflict(key=key, field="max_rao")
    return _answer(auction, earlier, replayed=True)


def _answer(auction: Auction, bid: Bid, *, replayed: bool) -> Placed:
    return Placed(
        bid_id=bid.id,
        is_leading=bid.leader == bid.bidder,
        price_rao=bid.price_rao,
        min_next_rao=queries.min_next_rao(auction, price_rao=bid.price_rao),
        closes_at=bid.closes_at,
        version=bid.sequence,
        replayed=replayed,
    )
