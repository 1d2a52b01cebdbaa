"""Sealed bids: a maximum kept secret until the end, covered by money set aside, bound by a commitment."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from django.db import transaction

from ledger import chart
from ledger import operations as ledger
from ledger import queries as books
from ledger.chart import Code
from ledger.entries import Entry, PlaceHold, Step, VoidHold, hold_id
from ledger.errors import IdempotencyConflict, InsufficientFunds
from ledger.idempotency import stored_key
from marketplace import bidding, live, queries, sealed, sealing
from marketplace.errors import (
    AuctionClosed,
    AuctionNotOpenYet,
    AuctionStillOpen,
    BidTooLow,
    CoverBelowMaximum,
    SealedBidNotRaised,
    SealedBidsFull,
    SellerCannotBid,
    WrongFormat,
)
from marketplace.models import Auction, SealedBid, SealedOpening
from marketplace.offering import Format
from marketplace.operations.trust import check_may_deal


@dataclass(frozen=True, slots=True)
class SealedPlaced:
    """The answer to a sealed bid: what its bidder needs to check the commitment, and what is set aside.

    nonce: in hex, for the bidder alone until the end.  replayed: the same bid was placed before.
    """

    bid_id: UUID
    sequence: int
    alias: str
    commitment: str
    nonce: str
    max_rao: int
    cover_rao: int
    closes_at: datetime
    version: int
    replayed: bool


@transaction.atomic
def place_sealed_bid(
    *,
    auction_id: UUID,
    bidder: UUID,
    max_rao: int,
    key: str,
    now: datetime,
    cover_rao: int | None = None,
) -> SealedPlaced:
    """Take a sealed maximum; its cover stays set aside until the end, whoever leads. A new one replaces one's last.

    cover_rao: what is set aside, at least the maximum; None leaves it to the house, which rounds up.
    The same key with the same input gets the first answer.
    Raises: AuctionUnknown, WrongFormat, AuctionNotOpenYet, AuctionClosed, SellerCannotBid, AddressNotVerified,
    AccountsLinked, BidTooLow, SealedBidNotRaised, SealedBidsFull, CoverBelowMaximum, InsufficientFunds,
    SealedBidsUnreadable, IdempotencyConflict, IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    stored = stored_key("sealed-bid", caller=bidder, key=key)
    auction = queries.lock_auction(auction_id)
    if repeated := queries.sealed_bid_by_key(stored):
        return _replay(auction, repeated, max_rao=max_rao, cover_rao=cover_rao, key=key)

    earlier = queries.newest_sealed_bids(auction.id).filter(bidder=bidder).first()
    _check(auction, earlier, bidder=bidder, max_rao=max_rao, now=now)
    place = _place(auction, earlier)
    cover = _cover(bidder, earlier, max_rao=max_rao, asked_rao=cover_rao)
    bid = _record(auction, bidder, place, max_rao=max_rao, key=stored, now=now, cover=cover)
    live.announce(auction.id)

    steps: list[Step] = [VoidHold(cover_of(earlier))] if earlier else []
    steps.append(PlaceHold(cover_of(bid), chart.wallet(bidder), bid.cover_rao))
    entry = Entry(key=f"sealed:{bid.id}", code=Code.SEALED_BID_PLACED, at=now, steps=tuple(steps))
    ledger.post(entry)
    return _answer(auction, bid, replayed=False)


def sealed_outcome(auction: Auction, *, now: datetime) -> bidding.Outcome:
    """Unseal and decide an auction whose end has come. Raises: AuctionStillOpen, SealedBidsUnreadable."""
    if now < auction.closes_at:
        raise AuctionStillOpen(closes_at=auction.closes_at)
    return sealed.outcome(
        start_rao=auction.start_rao,
        reserve_rao=auction.reserve_rao,
        maxima=[
            bidding.Maximum(bid.bidder, queries.secret_of(bid).max_rao, bid.sequence)
            for bid in queries.newest_sealed_bids(auction.id)
        ],
    )


def open_sealed_bids(auction: Auction, *, now: datetime) -> None:
    """Publish for good what every bid of an ended auction hid. Raises: SealedBidsUnreadable."""
    SealedOpening.objects.bulk_create(
        SealedOpening(bid=bid, max_rao=secret.max_rao, nonce=secret.nonce, opened_at=now)
        for bid in auction.sealed_bids.all()
        if (secret := queries.secret_of(bid))
    )


def covers_of(auction: Auction) -> dict[UUID, UUID]:
    """Name the open hold behind each bidder of a live sealed auction."""
    return {bid.bidder: cover_of(bid) for bid in queries.newest_sealed_bids(auction.id)}


def cover_of(bid: SealedBid) -> UUID:
    """Name the hold that covers a sealed bid while it is its bidder's newest."""
    return hold_id(f"sealed:{bid.id}")


def _check(
    auction: Auction, earlier: SealedBid | None, *, bidder: UUID, max_rao: int, now: datetime
) -> None:
    """Decide whether a sealed bid may stand. An auction that ended early is closed, whatever its hour says."""
    if auction.format != Format.SEALED:
        raise WrongFormat(format=auction.format)
    if auction.state != Auction.State.OPEN or now >= auction.closes_at:
        raise AuctionClosed(closes_at=auction.shut_at)
    if now < auction.opens_at:
        raise AuctionNotOpenYet(opens_at=auction.opens_at)
    if bidder == auction.seller:
        raise SellerCannotBid(auction_id=auction.id)
    check_may_deal(buyer=bidder, seller=auction.seller)
    if max_rao < auction.start_rao:
        raise BidTooLow(minimum_rao=auction.start_rao, amount_rao=max_rao)
    if earlier is None:
        return
    own_rao = queries.secret_of(earlier).max_rao
    if max_rao <= own_rao:
        raise SealedBidNotRaised(maximum_rao=own_rao, amount_rao=max_rao)


def _place(auction: Auction, earlier: SealedBid | None) -> int:
    """Return the bidder's place among those who bid. Raises: SealedBidsFull."""
    newest = auction.sealed_bids.order_by("-place").first()
    place = earlier.place if earlier else (newest.place if newest else 0) + 1
    own_count = auction.sealed_bids.filter(place=place).count()
    if place > sealed.BIDDERS_MAX or own_count >= sealed.BIDS_PER_BIDDER_MAX:
        raise SealedBidsFull(bidders_max=sealed.BIDDERS_MAX, bids_max=sealed.BIDS_PER_BIDDER_MAX)
    return place


@dataclass(frozen=True, slots=True)
class _Cover:
    """What is set aside, and what was asked for."""

    rao: int
    asked_rao: int | None


def _cover(
    bidder: UUID, earlier: SealedBid | None, *, max_rao: int, asked_rao: int | None
) -> _Cover:
    """Decide what is set aside; the earlier cover is free for it. Raises: CoverBelowMaximum, InsufficientFunds."""
    available_rao = books.balance(chart.wallet(bidder)).available_rao
    available_rao += earlier.cover_rao if earlier else 0
    if asked_rao is not None and asked_rao < max_rao:
        raise CoverBelowMaximum(maximum_rao=max_rao, cover_rao=asked_rao)
    cover_rao = asked_rao or sealed.default_cover(max_rao, available_rao=available_rao)
    if cover_rao > available_rao:
        raise InsufficientFunds(needed_rao=cover_rao, available_rao=available_rao)
    return _Cover(cover_rao, asked_rao)


def _record(
    auction: Auction,
    bidder: UUID,
    place: int,
    *,
    max_rao: int,
    key: str,
    now: datetime,
    cover: _Cover,
) -> SealedBid:
    """Write the bid sealed, and on the auction that there is one more: no price, no leader, no other end."""
    auction.bid_count += 1
    auction.version += 1
    auction.save(update_fields=["bid_count", "version"])
    bid_id, nonce = uuid4(), secrets.token_bytes(sealed.NONCE_BYTES)
    return SealedBid.objects.create(
        id=bid_id,
        auction=auction,
        bidder=bidder,
        place=place,
        key=key,
        sequence=auction.bid_count,
        ciphertext=sealing.seal(
            sealing.Secret(max_rao=max_rao, nonce=nonce),
            keys=queries.sealing_keys(),
            iv=secrets.token_bytes(sealing.IV_BYTES),
            auction=auction.id,
            bid=bid_id,
        ),
        commitment=sealed.commitment(
            auction=auction.id,
            sequence=auction.bid_count,
            alias=queries.alias(place),
            max_rao=max_rao,
            nonce=nonce,
        ),
        cover_rao=cover.rao,
        asked_cover_rao=cover.asked_rao,
        placed_at=now,
    )


def _replay(
    auction: Auction, earlier: SealedBid, *, max_rao: int, cover_rao: int | None, key: str
) -> SealedPlaced:
    pairs = {
        "auction": (earlier.auction_id, auction.id),
        "max_rao": (queries.mine(earlier).max_rao, max_rao),
        "cover_rao": (earlier.asked_cover_rao, cover_rao),
    }
    for field, (first, given) in pairs.items():
        if first != given:
            raise IdempotencyConflict(key=key, field=field)
    return _answer(auction, earlier, replayed=True)


def _answer(auction: Auction, bid: SealedBid, *, replayed: bool) -> SealedPlaced:
    own = queries.mine(bid)
    return SealedPlaced(
        bid_id=bid.id,
        sequence=bid.sequence,
        alias=own.alias,
        commitment=bid.commitment,
        nonce=own.nonce,
        max_rao=own.max_rao,
        cover_rao=bid.cover_rao,
        closes_at=auction.closes_at,
        version=bid.sequence,
        replayed=replayed,
    )
