"""Auctions from opening to settlement: price and ownership change hands in one step, or not at all."""

import logging
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from ledger.errors import IdempotencyConflict, PreconditionFailed
from ledger.idempotency import stored_key
from marketplace import bidding, offering, queries
from marketplace.errors import (
    AuctionAlreadyOpen,
    AuctionClosed,
    AuctionHasBids,
    NotTheSeller,
)
from marketplace.models import Auction, Sale
from marketplace.offering import Offering
from marketplace.operations import endings, hammer
from subnets import naming
from subnets import queries as slots
from subnets.errors import NotTheOwner

logger = logging.getLogger(__name__)

# What an auction keeps of a seller's terms, word for word.
FIXED_BY_SELLER = (
    "format",
    "start_rao",
    "reserve_rao",
    "reserve_policy",
    "buy_now_rao",
    "floor_rao",
    "half_life_s",
    "backing",
    "deposit_bps",
    "pay_within_s",
    "statement",
)


@dataclass(frozen=True, slots=True)
class HouseTerms:
    """What the marketplace adds to a seller's terms: when late bids move the end, how far, its fee, and the royalty.

    royalty_bps: of the price, to whoever registered the slot, when somebody else sells it on.
    """

    soft_close_s: int
    soft_close_cap_s: int
    fee_bps: int
    royalty_bps: int = 0


def house_terms() -> HouseTerms:
    """Return the terms in force for auctions that open now."""
    return HouseTerms(
        soft_close_s=settings.AUCTION_SOFT_CLOSE_S,
        soft_close_cap_s=settings.AUCTION_SOFT_CLOSE_CAP_S,
        fee_bps=settings.AUCTION_FEE_BPS,
        royalty_bps=settings.AUCTION_ROYALTY_BPS,
    )


@transaction.atomic
def open_auction(
    *,
    netuid: int,
    seller: UUID,
    asked: Offering,
    key: str,
    now: datetime,
    house: HouseTerms | None = None,
) -> Auction:
    """Offer a subnet on a seller's terms. The same key with the same input opens one auction.

    Raises: SubnetUnknown, NotTheOwner, AuctionAlreadyOpen, AuctionTermsInvalid, IdempotencyConflict,
    IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    stored = stored_key("auction", caller=seller, key=key)
    said = naming.read_prose(
        asked.statement, field="statement", length_max=offering.STATEMENT_MAX, lines=True
    )
    asked = replace(asked, statement=said)
    subnet = slots.lock_subnet(netuid)
    if earlier := queries.auction_by_key(stored):
        return _replay_opening(earlier, netuid, asked, key=key)

    offering.check(asked, now=now)

    if subnet.owner != seller:
        raise NotTheOwner(netuid=netuid)
    # Looked for before the insert: a settlement that holds the old auction waits for this subnet's lock,
    # and an insert that waited for the settlement would wait for ever.
    if queries.stands_in_auction(netuid):
        raise AuctionAlreadyOpen(netuid=netuid)
    terms = house or house_terms()
    if slots.registrant(netuid) == seller:
        terms = replace(terms, royalty_bps=0)
    opens_at = asked.opens_at or now
    closes_at = opens_at + timedelta(seconds=asked.duration_s)
    return Auction.objects.create(
        netuid=netuid,
        seller=seller,
        key=stored,
        **{field: getattr(asked, field) for field in FIXED_BY_SELLER},
        **asdict(terms),
        opens_at=opens_at,
        scheduled_close_at=closes_at,
        closes_at=closes_at,
    )


@transaction.atomic
def cancel_auction(
    *, auction_id: UUID, seller: UUID, now: datetime, versions: Collection[int] | None = None
) -> Auction:
    """Withdraw an auction that nobody has bid in, or whose every bidder was taken out. Again, and nothing changes.

    versions: the seller's idea of the auction's version; None when any will do.
    Raises: AuctionUnknown, NotTheSeller, PreconditionFailed (it is at another version), AuctionHasBids,
    AuctionClosed (it ended otherwise).
    """
    auction = queries.lock_auction(auction_id)
    if auction.seller != seller:
        raise NotTheSeller(auction_id=auction_id)
    if auction.state == Auction.State.CANCELLED:
        return auction
    if versions is not None and auction.version not in versions:
        raise PreconditionFailed(version=auction.version)
    if auction.state != Auction.State.OPEN:
        raise AuctionClosed(closes_at=auction.shut_at)
    were_taken_out = auction.format == Auction.Format.ENGLISH and auction.leader is None
    if auction.bid_count and not were_taken_out:
        raise AuctionHasBids(bid_count=auction.bid_count)
    endings.close(auction, Auction.State.CANCELLED, now=now)
    return auction


@transaction.atomic
def settle_auction(*, auction_id: UUID, now: datetime) -> Sale | None:
    """Pay the seller and hand over the subnet of a due auction. None when unsold. Replays return the same sale.

    Where a deposit backs the bid the winner is given time to pay: None as well, until they did.
    A seller who no longer owns the subnet sells nothing: the auction is cancelled and the bid released.
    Raises: AuctionUnknown, AuctionStillOpen.
    """
    auction = queries.lock_auction(auction_id)
    if auction.state != Auction.State.OPEN:
        return queries.sale_of_auction(auction_id)

    outcome = endings.outcome_of(auction, now=now)
    if isinstance(outcome, bidding.Unsold):
        endings.close(auction, Auction.State.UNSOLD, now=now)
        return None
    if auction.backing == Auction.Backing.DEPOSIT:
        hammer.await_payment(auction, now=now)
        return None
    paying = endings.Paying(
        key=f"auction:{auction.id}", hold=endings.backing_of(auction)[outcome.winner]
    )
    try:
        with transaction.atomic():
            return endings.sell(auction, outcome, paying=paying, now=now)
    except NotTheOwner:
        logger.warning("auction:cancelled auction=%s reason=seller_does_not_own", auction.id)
        auction.refresh_from_db()
        endings.close(auction, Auction.State.CANCELLED, now=now)
        return None


def _replay_opening(earlier: Auction, netuid: int, asked: Offering, *, key: str) -> Auction:
    """Return the auction that was opened under a key. Raises: IdempotencyConflict, with the field that differs."""
    lasts_s = int((earlier.scheduled_close_at - earlier.opens_at).total_seconds())
    pairs = {
        "netuid": (earlier.netuid, netuid),
        "duration_s": (lasts_s, asked.duration_s),
        # Who opened at once and says so again means the same, whatever the clock shows now.
        "opens_at": (earlier.opens_at, asked.opens_at or earlier.opens_at),
        **{field: (getattr(earlier, field), getattr(asked, field)) for field in FIXED_BY_SELLER},
    }
    for field, (first, given) in pairs.items():
        if first != given:
            raise IdempotencyConflict(key=key, field=field)
    return earlier
