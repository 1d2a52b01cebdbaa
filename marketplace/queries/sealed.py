"""Sealed bids: commitments for everybody, one's own maximum, and after the end what every bid hid."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from ledger.keyset import Window
from marketplace import sealing
from marketplace.models import Auction, SealedBid
from marketplace.queries.auctions import ROWS_MAX, AuctionView, alias, auction, auctions_among
from marketplace.sealed import Claim, Opening, verify

FIRST_LINES = Window(by=("sequence",), limit=ROWS_MAX)


@dataclass(frozen=True, slots=True)
class SealedLine:
    """A sealed bid as everybody may see it. Before the end alias, max_rao and nonce are None."""

    sequence: int
    commitment: str
    placed_at: datetime
    is_yours: bool
    alias: str | None
    max_rao: int | None
    nonce: str | None


@dataclass(frozen=True, slots=True)
class SealedDecision:
    """How a sealed auction was decided, against which its bids are checked. Before the end only the start is told."""

    start_rao: int
    reserve_rao: int | None
    winner_alias: str | None
    price_rao: int | None


@dataclass(frozen=True, slots=True)
class MySealedBid:
    """Somebody's newest sealed maximum, for their eyes alone. cover_rao: set aside for it until the end."""

    auction_id: UUID
    bid_id: UUID
    sequence: int
    alias: str
    commitment: str
    nonce: str
    max_rao: int
    cover_rao: int
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class MySealedAuction:
    """An auction that somebody has a sealed bid in, and what is set aside for it until the end."""

    auction: AuctionView
    cover_rao: int
    placed_at: datetime


def sealed_lines(
    auction_id: UUID, viewer: UUID | None = None, *, window: Window = FIRST_LINES
) -> list[SealedLine]:
    """List an auction's sealed bids in the order they were placed: a page and one more, as Window.cut does."""
    rows = SealedBid.objects.filter(auction=auction_id).select_related("opening")
    return [_line(bid, viewer) for bid in window.cut(rows)]


def sealed_decision(auction_id: UUID) -> SealedDecision:
    """Return how a sealed auction was decided. The reserve is told once it has decided. Raises: AuctionUnknown."""
    seen = auction(auction_id)
    decided = Auction.objects.filter(
        pk=auction_id,
        format=Auction.Format.SEALED,
        state__in=[Auction.State.SETTLED, Auction.State.UNSOLD],
    )
    return SealedDecision(
        start_rao=seen.start_rao,
        reserve_rao=decided.values_list("reserve_rao", flat=True).first(),
        winner_alias=seen.leader_alias,
        price_rao=seen.price_rao,
    )


def highest_openings(auction_id: UUID, viewer: UUID | None, *, limit: int) -> list[SealedLine]:
    """List the bids that counted once an auction has ended, the highest first; before the end there are none."""
    rows = newest_sealed_bids(auction_id).filter(opening__isnull=False)
    bids = sorted(
        rows.select_related("opening"), key=lambda bid: (-bid.opening.max_rao, bid.sequence)
    )
    return [_line(bid, viewer) for bid in bids[:limit]]


def openings(auction_id: UUID) -> tuple[Opening, ...]:
    """Return what an ended auction's bids hid, as `sealed.verify` takes it."""
    rows = SealedBid.objects.filter(auction=auction_id, opening__isnull=False)
    return tuple(
        Opening(
            sequence=bid.sequence,
            alias=alias(bid.place),
            max_rao=bid.opening.max_rao,
            nonce=bytes(bid.opening.nonce),
            commitment=bid.commitment,
        )
        for bid in rows.select_related("opening").order_by("sequence")
    )


def sealed_claim(row: Auction) -> Claim:
    """Return what the house says of an ended auction, for `sealed.verify`."""
    winning = row.sealed_bids.filter(bidder=row.leader).first() if row.leader else None
    return Claim(
        auction=row.id,
        start_rao=row.start_rao,
        reserve_rao=row.reserve_rao,
        openings=openings(row.id),
        winner=alias(winning.place) if winning else None,
        price_rao=row.price_rao,
    )


def sealed_faults(auction_id: UUID) -> list[str]:
    """Say what is wrong with an ended auction, a sentence a fault, as anybody can find out from its openings."""
    return verify(sealed_claim(Auction.objects.get(pk=auction_id)))


def my_sealed_bid(auction_id: UUID, bidder: UUID) -> MySealedBid | None:
    """Return somebody's newest sealed maximum in an auction, unsealed for them. Raises: SealedBidsUnreadable."""
    bid = newest_sealed_bids(auction_id).filter(bidder=bidder).first()
    return None if bid is None else mine(bid)


def sealed_bids_of(owner: UUID) -> list[MySealedAuction]:
    """List the auctions somebody has a sealed bid in, the newest bid first. Nothing is unsealed for it."""
    newest = (
        SealedBid.objects.filter(bidder=owner)
        .order_by("auction_id", "-sequence")
        .distinct("auction_id")
    )
    latest = sorted(newest, key=lambda bid: bid.placed_at, reverse=True)[:ROWS_MAX]
    seen = {view.id: view for view in auctions_among([bid.auction_id for bid in latest])}
    return [MySealedAuction(seen[bid.auction_id], bid.cover_rao, bid.placed_at) for bid in latest]


def newest_sealed_bids(auction_id: UUID) -> QuerySet[SealedBid]:
    """Return the bid that counts of each bidder."""
    rows = SealedBid.objects.filter(auction=auction_id)
    return rows.order_by("bidder", "-sequence").distinct("bidder")


def sealed_bid_by_key(key: str) -> SealedBid | None:
    """Find a sealed bid by the key it was placed under."""
    return SealedBid.objects.filter(key=key).first()


def secret_of(bid: SealedBid) -> sealing.Secret:
    """Unseal a bid. Raises: SealedBidsUnreadable."""
    return sealing.unseal(
        bytes(bid.ciphertext), keys=sealing_keys(), auction=bid.auction_id, bid=bid.id
    )


def sealing_keys() -> tuple[bytes, ...]:
    """Return the keys of sealed bids, the newest first; new bids are sealed with that one."""
    return sealing.derived_keys(tuple(settings.SEALED_BIDS_KEYS))


def mine(bid: SealedBid) -> MySealedBid:
    """Return a bid as its bidder may see it; one that was opened needs no key. Raises: SealedBidsUnreadable."""
    opening = getattr(bid, "opening", None)
    max_rao, nonce = (
        (opening.max_rao, bytes(opening.nonce))
        if opening
        else ((secret := secret_of(bid)).max_rao, secret.nonce)
    )
    return MySealedBid(
        auction_id=bid.auction_id,
        bid_id=bid.id,
        sequence=bid.sequence,
        alias=alias(bid.place),
        commitment=bid.commitment,
        nonce=nonce.hex(),
        max_rao=max_rao,
        cover_rao=bid.cover_rao,
        placed_at=bid.placed_at,
    )


def _line(bid: SealedBid, viewer: UUID | None) -> SealedLine:
    opening = getattr(bid, "opening", None)
    return SealedLine(
        sequence=bid.sequence,
        commitment=bid.commitment,
        placed_at=bid.placed_at,
        is_yours=bid.bidder == viewer,
        alias=alias(bid.place) if opening else None,
        max_rao=opening.max_rao if opening else None,
        nonce=bytes(opening.nonce).hex() if opening else None,
    )
