"""Bids: the public log under aliases, and everybody's own. No maximum leaves here but one's own."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef

from ledger import queries as books
from ledger.entries import hold_id
from ledger.keyset import Window
from marketplace.errors import BidUnknown
from marketplace.models import Auction, Bid, BidVoid, Strike
from marketplace.queries.auctions import ROWS_MAX, AuctionView, alias, auctions_among
from marketplace.receipts import Receipt

# The whole story of most auctions; beyond it the newest bids are the ones people look at.
BID_HISTORY_MAX = 500


@dataclass(frozen=True, slots=True)
class BidLine:
    """One bid in the public log: the price it made, never the maximum behind it.

    is_void: an operator took the bidder out; the bid counts no more.
    """

    sequence: int
    alias: str
    price_rao: int
    placed_at: datetime
    is_yours: bool
    is_void: bool = False


@dataclass(frozen=True, slots=True)
class MyStanding:
    """Where somebody stands in an auction; max_rao is their own newest maximum, None before their first bid.

    alias: the name under which they bid, as everybody reads it; None before their first bid.
    void_reason: why an operator took them out of the auction; empty otherwise.
    """

    is_leading: bool
    max_rao: int | None
    alias: str | None = None
    void_reason: str = ""


@dataclass(frozen=True, slots=True)
class MyBid:
    """Somebody's newest maximum in one auction, and the auction.

    is_void: an operator took them out.  is_unpaid: they won, did not pay in time, and lost their deposit.
    """

    bid_id: UUID
    auction: AuctionView
    max_rao: int
    is_leading: bool
    is_void: bool
    is_unpaid: bool
    placed_at: datetime


def bid_history(
    auction_id: UUID,
    viewer: UUID | None = None,
    *,
    limit: int = BID_HISTORY_MAX,
    window: Window | None = None,
) -> list[BidLine]:
    """List an auction's bids under aliases, the newest first. An unknown auction has none."""
    void = Exists(BidVoid.objects.filter(auction=auction_id, bidder=OuterRef("bidder")))
    bids = Bid.objects.filter(auction=auction_id).annotate(is_void=void)
    shown = (
        window.cut(bids) if window else bids.order_by("-sequence")[: min(limit, BID_HISTORY_MAX)]
    )
    return [
        BidLine(
            sequence=bid.sequence,
            alias=alias(bid.place),
            price_rao=bid.price_rao,
            placed_at=bid.placed_at,
            is_yours=bid.bidder == viewer,
            is_void=bid.is_void,
        )
        for bid in shown
    ]


def bidders_of(row: Auction) -> list[tuple[UUID, int]]:
    """List the bidders of an auction who were not taken out, each with the number they appear under."""
    standing = row.bids.exclude(bidder__in=row.voided_bidders).order_by("place")
    return list(standing.values_list("bidder", "place").distinct())


def standing_of(user_id: UUID, auction_id: UUID) -> MyStanding:
    """Tell somebody where they stand in an auction."""
    own = Bid.objects.filter(auction=auction_id, bidder=user_id).select_related("auction")
    newest = own.order_by("-sequence").first()
    if newest is None:
        # Who bought at a price never stated a maximum.
        has_bought = Auction.objects.filter(pk=auction_id, leader=user_id).exists()
        return MyStanding(is_leading=has_bought, max_rao=None)
    return MyStanding(
        is_leading=newest.auction.leader == user_id,
        max_rao=newest.max_rao,
        alias=alias(newest.place),
        void_reason=_void_reason(newest.auction, user_id),
    )


def _void_reason(row: Auction, bidder: UUID) -> str:
    """Say why somebody was taken out; only those who were are looked up."""
    return row.voids.get(bidder=bidder).reason if bidder in row.voided_bidders else ""


def bids_of(owner: UUID) -> list[MyBid]:
    """List the auctions somebody bid in, with their newest maximum in each; the newest bid first."""
    newest = (
        Bid.objects.filter(bidder=owner).order_by("auction_id", "-sequence").distinct("auction_id")
    )
    mine = sorted(newest, key=lambda bid: bid.placed_at, reverse=True)[:ROWS_MAX]
    seen = {view.id: view for view in auctions_among([bid.auction_id for bid in mine])}
    led = set(Auction.objects.filter(pk__in=seen, leader=owner).values_list("pk", flat=True))
    void = set(
        BidVoid.objects.filter(auction__in=seen, bidder=owner).values_list("auction", flat=True)
    )
    unpaid = set(
        Strike.objects.filter(auction__in=seen, owner=owner).values_list("auction", flat=True)
    )
    return [
        MyBid(
            bid_id=bid.id,
            auction=seen[bid.auction_id],
            max_rao=bid.max_rao,
            is_leading=bid.auction_id in led,
            is_void=bid.auction_id in void,
            is_unpaid=bid.auction_id in unpaid,
            placed_at=bid.placed_at,
        )
        for bid in mine
    ]


def receipt(bid_id: UUID, *, bidder: UUID) -> Receipt:
    """Return the facts of somebody's own bid. Raises: BidUnknown, of another's too."""
    bid = Bid.objects.filter(pk=bid_id, bidder=bidder).select_related("auction").first()
    if bid is None:
        raise BidUnknown(bid_id=bid_id)
    backing = f"bid:{bid.id}"
    return Receipt(
        bid=bid.id,
        auction=bid.auction_id,
        netuid=bid.auction.netuid,
        bidder=bid.bidder,
        max_rao=bid.max_rao,
        price_rao=bid.price_rao,
        is_leading=bid.leader == bid.bidder,
        closes_at=bid.closes_at,
        placed_at=bid.placed_at,
        sequence=bid.sequence,
        version=bid.sequence,
        key=bid.key.split(":", 2)[2],
        hold=hold_id(backing) if backing in books.known_keys([backing]) else None,
    )


def bid_by_key(key: str) -> Bid | None:
    """Find a bid by the key it was placed under."""
    return Bid.objects.filter(key=key).first()
