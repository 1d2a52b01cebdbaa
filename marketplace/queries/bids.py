"""Bids: the public log under aliases, and everybody's own. No maximum leaves here but one's own."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from marketplace.models import Auction, Bid
from marketplace.queries.auctions import ROWS_MAX, AuctionView, alias, auctions_among

# The whole story of most auctions; beyond it the newest bids are the ones people look at.
BID_HISTORY_MAX = 500


@dataclass(frozen=True, slots=True)
class BidLine:
    """One bid in the public log: the price it made, never the maximum behind it."""

    sequence: int
    alias: str
    price_rao: int
    placed_at: datetime
    is_yours: bool


@dataclass(frozen=True, slots=True)
class MyStanding:
    """Where somebody stands in an auction; max_rao is their own newest maximum, None before their first bid."""

    is_leading: bool
    max_rao: int | None


@dataclass(frozen=True, slots=True)
class MyBid:
    """Somebody's newest maximum in one auction, and the auction."""

    auction: AuctionView
    max_rao: int
    is_leading: bool
    placed_at: datetime


def bid_history(
    auction_id: UUID, viewer: UUID | None = None, *, limit: int = BID_HISTORY_MAX
) -> list[BidLine]:
    """List an auction's bids under aliases, the newest first. An unknown auction has none."""
    bids = Bid.objects.filter(auction=auction_id)
    return [
        BidLine(
            sequence=bid.sequence,
            alias=alias(bid.place),
            price_rao=bid.price_rao,
            placed_at=bid.placed_at,
            is_yours=bid.bidder == viewer,
        )
        for bid in bids.order_by("-sequence")[: min(limit, BID_HISTORY_MAX)]
    ]


def standing_of(user_id: UUID, auction_id: UUID) -> MyStanding:
    """Tell somebody where they stand in an auction."""
    own = Bid.objects.filter(auction=auction_id, bidder=user_id).select_related("auction")
    newest = own.order_by("-sequence").first()
    if newest is None:
        # Who bought at a price never stated a maximum.
        has_bought = Auction.objects.filter(pk=auction_id, leader=user_id).exists()
        return MyStanding(is_leading=has_bought, max_rao=None)
    return MyStanding(is_leading=newest.auction.leader == user_id, max_rao=newest.max_rao)


def bids_of(owner: UUID) -> list[MyBid]:
    """List the auctions somebody bid in, with their newest maximum in each; the newest bid first."""
    newest = (
        Bid.objects.filter(bidder=owner).order_by("auction_id", "-sequence").distinct("auction_id")
    )
    mine = sorted(newest, key=lambda bid: bid.placed_at, reverse=True)[:ROWS_MAX]
    seen = {view.id: view for view in auctions_among([bid.auction_id for bid in mine])}
    led = set(Auction.objects.filter(pk__in=seen, leader=owner).values_list("pk", flat=True))
    return [
        MyBid(
            auction=seen[bid.auction_id],
            max_rao=bid.max_rao,
            is_leading=bid.auction_id in led,
            placed_at=bid.placed_at,
        )
        for bid in mine
    ]


def bid_by_key(key: str) -> Bid | None:
    """Find a bid by the key it was placed under."""
    return Bid.objects.filter(key=key).first()
