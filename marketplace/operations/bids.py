"""Bidding: one maximum at a time, under the auction's lock, backed by money set aside."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError

from ledger import chart, prepared
from ledger import operations as ledger
from ledger import queries as books
from ledger.chart import Code
from ledger.entries import Entry, PlaceHold, Step, VoidHold, hold_id
from ledger.errors import DomainError, IdempotencyConflict, InsufficientFunds
from ledger.idempotency import stored_key
from marketplace import bidding, hammer, live, queries
from marketplace.errors import (
    AuctionClosed,
    AuctionTakesNoBids,
    BidderVoided,
    SellerCannotBid,
    TooManyStrikes,
    WrongFormat,
)
from marketplace.models import Auction, Bid
from marketplace.offering import Format
from marketplace.operations.trust import require_may_deal


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


def place_bid(*, auction_id: UUID, bidder: UUID, max_rao: int, key: str, now: datetime) -> Placed:
    """Take a maximum bid; the leader's maximum, or the deposit on it, is set aside, and nobody else's.

    Whether the bid was placed before is asked only where it cannot be placed now.
    key: the client's words for this request; the same key with the same input gets the first answer.
    Raises: AuctionUnknown, AuctionNotOpenYet, AuctionClosed, SellerCannotBid, BidderVoided, AuctionTakesNoBids,
    WrongFormat, AccountsLinked, AddressNotVerified, BidTooLow, MaximumNotRaised, InsufficientFunds, TooManyStrikes,
    IdempotencyConflict, IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    asked = _Asked(auction_id, bidder, max_rao, key, stored_key("bid", caller=bidder, key=key), now)
    placed = _place_once(asked, is_patient=False)
    return _refuse_unlocked(asked) if placed is None else placed


@dataclass(frozen=True, slots=True)
class _Asked:
    """What somebody asks for. key: their own words.  stored_key: as rows keep it."""

    auction_id: UUID
    bidder: UUID
    max_rao: int
    key: str
    stored_key: str
    now: datetime


def _place_once(asked: _Asked, *, is_patient: bool) -> Placed | None:
    """Do as `_place` does; what cannot be placed because it was placed before gets its first answer."""
    try:
        return _place(asked, is_patient=is_patient)
    except (DomainError, IntegrityError):
        earlier = queries.bid_by_key(asked.stored_key)
        if earlier is None:
            raise
        return _replay(asked, earlier)


@prepared.atomic()
def _place(asked: _Asked, *, is_patient: bool) -> Placed | None:
    """Place a bid under a key that is not taken; None when the row refuses it already, unless the bidder is patient.

    Everybody wants the auction's row, so little is sent under its lock, and nothing is waited for but what the next
    step needs: one statement locks and reads, one writes, two post.
    """
    bidder, max_rao, now = asked.bidder, asked.max_rao, asked.now
    seen = queries.lock_auction_for_bid(
        asked.auction_id, bidder=bidder, max_rao=None if is_patient else max_rao
    )
    if seen is None:
        return None
    auction, dealing = seen
    outbid = auction.lead_bid
    accepted = _check(auction, dealing, bidder=bidder, max_rao=max_rao, now=now)
    bid = _bid(auction, accepted, key=asked.stored_key, now=now)
    written = _record(auction, bid, accepted)
    if accepted.leads:
        steps: list[Step] = [] if outbid is None else [VoidHold(hold_named(outbid))]
        steps.append(
            PlaceHold(hold_named(bid.id), chart.wallet(bidder), held_rao(auction, max_rao))
        )
        entry = Entry(key=f"bid:{bid.id}", code=Code.BID_PLACED, at=now, steps=tuple(steps))
        ledger.post_at_last(entry)
    else:
        _require_funds(bidder, held_rao(auction, max_rao))
    [(bid.place, auction.leader_place)] = written.rows()
    live.announce_bid(auction, now=now)
    return _answer(bid, replayed=False)


def _refuse_unlocked(asked: _Asked) -> Placed:
    """Say why a bid that waited for no lock is refused, by what stood at one instant, its own earlier self included.

    A loser of a race for the row is told so without a place in the queue of those who may yet win it. Only an operator
    can lower a price: should one have done so since the row was asked, the bid is placed after all.
    """
    auction, dealing, earlier = queries.look_for_bid(
        asked.auction_id, bidder=asked.bidder, key=asked.stored_key
    )
    if earlier is not None:
        return _replay(asked, earlier)
    _check(auction, dealing, bidder=asked.bidder, max_rao=asked.max_rao, now=asked.now)
    placed = _place_once(asked, is_patient=True)
    assert placed is not None, "an auction never goes away"
    return placed


def _replay(asked: _Asked, earlier: Bid) -> Placed:
    """Give the first answer again. Raises: IdempotencyConflict when the key said something else."""
    if earlier.auction_id != asked.auction_id:
        raise IdempotencyConflict(key=asked.key, field="auction")
    if earlier.max_rao != asked.max_rao:
        raise IdempotencyConflict(key=asked.key, field="max_rao")
    return _answer(earlier, replayed=True)


def hold_named(lead_bid: UUID) -> UUID:
    """Return the id of the hold that backs a leader: named after their bid, or the void by which they lead again."""
    return hold_id(f"bid:{lead_bid}")


def held_rao(auction: Auction, max_rao: int) -> int:
    """Return what is set aside for a maximum while it leads: all of it, or the auction's deposit on it."""
    if auction.backing == Auction.Backing.FULL:
        return max_rao
    assert auction.deposit_bps is not None
    return hammer.deposit_rao(max_rao, deposit_bps=auction.deposit_bps)


def _check(
    auction: Auction, dealing: queries.Dealing, *, bidder: UUID, max_rao: int, now: datetime
) -> bidding.Accepted:
    """Decide about a bid. An auction that ended early is closed, whatever its hour says."""
    if auction.state != Auction.State.OPEN:
        raise AuctionClosed(closes_at=auction.ended_at or auction.closes_at)
    if bidder == auction.seller:
        raise SellerCannotBid(auction_id=auction.id)
    if bidder in auction.voided_bidders:
        raise BidderVoided
    if not Format(auction.format).takes_bids:
        raise AuctionTakesNoBids(price_rao=queries.tag_of(auction).price_rao(now=now))
    require_may_deal(dealing)
    if auction.format == Format.SEALED:
        raise WrongFormat(format=auction.format)
    if auction.backing == Auction.Backing.DEPOSIT:
        _require_few_strikes(bidder, now=now)
    return bidding.check_bid(
        queries.foremost_of(auction),
        bidder=bidder,
        max_rao=max_rao,
        sequence=auction.version + 1,
        now=now,
    )


# The bid, and on the auction what follows from all its bids. A bidder keeps the number they first appeared under. The
# statement begins when the lock is held, and so sees every bid there is.
RECORD = """
WITH fresh AS (
    INSERT INTO marketplace_bid
        (id, auction_id, bidder, key, sequence, place, max_rao, price_rao, leader, closes_at, placed_at)
    VALUES (
        %(id)s::uuid, %(auction)s::uuid, %(bidder)s::uuid, %(key)s::text, %(sequence)s::int,
        coalesce(
            (SELECT place FROM marketplace_bid
             WHERE auction_id = %(auction)s::uuid AND bidder = %(bidder)s::uuid
             ORDER BY sequence DESC LIMIT 1),
            %(bidder_count)s::int + 1
        ),
        %(max_rao)s::bigint, %(price_rao)s::bigint, %(leader)s::uuid, %(closes_at)s::timestamptz, %(now)s::timestamptz
    )
    RETURNING place
)
UPDATE marketplace_auction AS auction
SET leader = %(leader)s::uuid, price_rao = %(price_rao)s::bigint, closes_at = %(closes_at)s::timestamptz,
    bid_count = bid_count + 1, version = %(sequence)s::int,
    bidder_count = greatest(bidder_count, fresh.place),
    leader_place = CASE WHEN %(leader)s::uuid = %(bidder)s::uuid THEN fresh.place ELSE leader_place END,
    lead_bid = CASE WHEN %(leader)s::uuid = %(bidder)s::uuid THEN %(id)s::uuid ELSE lead_bid END,
    lead_rao = %(lead_rao)s::bigint, lead_sequence = %(lead_sequence)s::int,
    second = %(second)s::uuid, second_rao = %(second_rao)s::bigint, second_sequence = %(second_sequence)s::int
FROM fresh
WHERE auction.id = %(auction)s::uuid
RETURNING fresh.place, auction.leader_place
"""


def _bid(auction: Auction, accepted: bidding.Accepted, *, key: str, now: datetime) -> Bid:
    """Make the bid, and put on the auction's object what follows from it."""
    standing = accepted.standing
    assert standing.leader is not None
    assert standing.price_rao is not None
    assert accepted.maximum.sequence == auction.version + 1
    auction.leader, auction.price_rao = standing.leader, standing.price_rao
    auction.closes_at, auction.bid_count = standing.closes_at, auction.bid_count + 1
    auction.version = accepted.maximum.sequence
    return Bid(
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


def _record(auction: Auction, bid: Bid, accepted: bidding.Accepted) -> prepared.Answer:
    """Write a bid and what follows from it; the answer is the number of the bidder, and the leader's."""
    first, *others = bidding.foremost(accepted.play).maxima
    second = others[0] if others else None
    return prepared.send(
        RECORD,
        {
            "id": bid.id,
            "auction": auction.id,
            "bidder": bid.bidder,
            "key": bid.key,
            "sequence": bid.sequence,
            "bidder_count": auction.bidder_count,
            "max_rao": bid.max_rao,
            "price_rao": bid.price_rao,
            "leader": bid.leader,
            "closes_at": bid.closes_at,
            "now": bid.placed_at,
            "lead_rao": first.max_rao,
            "lead_sequence": first.sequence,
            "second": second and second.bidder,
            "second_rao": second and second.max_rao,
            "second_sequence": second and second.sequence,
        },
    )


def _require_few_strikes(bidder: UUID, *, now: datetime) -> None:
    """Refuse a deposit of somebody who let several auctions go unpaid lately."""
    strikes = queries.strikes_lately(bidder, now=now)
    if strikes >= hammer.STRIKES_MAX:
        raise TooManyStrikes(strikes=strikes, days=hammer.STRIKES_COUNT_FOR.days)


def _require_funds(bidder: UUID, needed_rao: int) -> None:
    """Refuse a bid that could not have been paid.

    A bid that is beaten at once is never held, but it moves the price that somebody else will pay:
    without this check anybody could drive a price up with money they do not have.
    """
    available_rao = books.balance(chart.wallet(bidder)).available_rao
    if available_rao < needed_rao:
        raise InsufficientFunds(needed_rao=needed_rao, available_rao=available_rao)


def _answer(bid: Bid, *, replayed: bool) -> Placed:
    return Placed(
        bid_id=bid.id,
        is_leading=bid.leader == bid.bidder,
        price_rao=bid.price_rao,
        min_next_rao=queries.min_next_rao(bid.auction, price_rao=bid.price_rao),
        closes_at=bid.closes_at,
        version=bid.sequence,
        replayed=replayed,
    )
