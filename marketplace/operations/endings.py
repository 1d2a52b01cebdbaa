"""How auctions end: with a sale, or with every bidder's money set free.

What differs between the formats stands in two places here: `outcome_of`, who has the subnet at the end, and
`backing_of`, whose money is set aside until then. Callers hold the auction's lock.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, Move, PostHold, Step, VoidHold
from marketplace import bidding, live, queries
from marketplace.models import Auction, Sale
from marketplace.offering import Format
from marketplace.operations import restrictions, sealed
from marketplace.operations.bids import hold_named
from marketplace.operations.proceeds import Proceeds, proceeds_of
from marketplace.operations.standings import superseded
from subnets import operations as subnets

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Paying:
    """How a winner pays, and the sale's key. hold: the money set aside for it; None pays from the wallet.

    max_price_rao: what a buyer at a price agreed to at most; a repeated key is compared with it.
    """

    key: str
    hold: UUID | None = None
    max_price_rao: int | None = None


def outcome_of(auction: Auction, *, now: datetime) -> bidding.Outcome:
    """Decide an auction whose end has come. Raises: AuctionStillOpen."""
    match Format(auction.format):
        case Format.SEALED:
            return sealed.sealed_outcome(auction, now=now)
        case Format.ENGLISH:
            return bidding.outcome(queries.play_of(auction), now=now)
        case Format.DUTCH | Format.FIXED:
            # Who takes such a price has the subnet at once: what reaches its end was taken by nobody.
            return bidding.outcome(bidding.opening(queries.terms_of(auction)), now=now)


def backing_of(auction: Auction) -> dict[UUID, UUID]:
    """Name the open hold behind each bidder whose money is set aside for a live auction."""
    match Format(auction.format):
        case Format.SEALED:
            return sealed.covers_of(auction)
        case Format.ENGLISH:
            if auction.leader is None or auction.lead_bid is None or queries.strike_of(auction.id):
                return {}  # nobody leads; or the deposit is gone, and a second chance is paid at once
            return {auction.leader: hold_named(auction.lead_bid)}
        case Format.DUTCH | Format.FIXED:
            return {}


def sell(auction: Auction, sold: bidding.Sold, *, paying: Paying, now: datetime) -> Sale:
    """Write the sale, hand over the subnet, and pay; everybody else's money is free in the same entry.

    Raises: NotTheOwner, InsufficientFunds (of a wallet).
    """
    backing = backing_of(auction)
    proceeds = proceeds_of(
        sold.price_rao,
        netuid=auction.netuid,
        seller=auction.seller,
        buyer=sold.winner,
        fee_bps=auction.fee_bps,
        royalty_bps=auction.royalty_bps,
    )
    sale = Sale.objects.create(
        kind=Sale.Kind.AUCTION,
        key=paying.key,
        auction=auction,
        netuid=auction.netuid,
        seller=auction.seller,
        buyer=sold.winner,
        price_rao=sold.price_rao,
        fee_rao=proceeds.fee_rao,
        royalty_rao=proceeds.royalty_rao,
        max_cost_rao=paying.max_price_rao,
        sold_at=now,
    )
    if auction.leader != sold.winner:
        auction.leader_place = queries.place_of(auction, sold.winner)
    auction.leader, auction.price_rao = sold.winner, sold.price_rao
    end(auction, Auction.State.SETTLED, now=now)
    subnets.transfer_ownership(
        netuid=auction.netuid,
        seller=auction.seller,
        buyer=sold.winner,
        price_rao=sold.price_rao,
        now=now,
    )
    steps = (
        *(VoidHold(other) for other in backing.values() if other != paying.hold),
        *_payment(sold.winner, proceeds, hold=paying.hold),
        *superseded(auction.netuid, now=now),
    )
    key = f"sale:{auction.id}"
    restrictions.carry(payer=sold.winner, parts=proceeds.parts, fact=key, now=now)
    ledger.post(Entry(key=key, code=Code.SALE_SETTLED, at=now, steps=steps))
    logger.info("auction:settled auction=%s netuid=%s", auction.id, auction.netuid)
    return sale


def close(auction: Auction, state: Auction.State, *, now: datetime, note: str = "") -> None:
    """End an auction without a sale and set everybody's money free. note: the reason, for their statements."""
    freed = tuple(VoidHold(hold) for hold in backing_of(auction).values())
    end(auction, state, now=now)
    if freed:
        key = f"release:{auction.id}"
        ledger.post(Entry(key=key, code=Code.BID_RELEASED, at=now, steps=freed, note=note))


def end(auction: Auction, state: Auction.State, *, now: datetime) -> None:
    """Move an auction to its last state and tell everybody; sealed bids that decided it are opened.

    Where nothing was decided, because the seller had nothing to sell, they stay sealed for good.
    """
    assert state in Auction.TRANSITIONS[Auction.State(auction.state)]
    auction.state = state
    auction.ended_at = now
    auction.version += 1
    changed = ["state", "leader", "leader_place", "price_rao", "ended_at", "version"]
    auction.save(update_fields=[*changed, "called_off_reason", "called_off_by"])
    if auction.format == Format.SEALED and state != Auction.State.CANCELLED:
        sealed.open_sealed_bids(auction, now=now)
    live.announce(auction.id)


def _payment(buyer: UUID, proceeds: Proceeds, *, hold: UUID | None) -> tuple[Step, ...]:
    if hold is not None:
        return (PostHold(hold, to=proceeds.parts),)
    return tuple(Move(chart.wallet(buyer), address, rao) for address, rao in proceeds.parts)
