"""What an operator does to a live auction: take a bidder out of it, or call it off. Each says why."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from ledger import chart
from ledger import operations as ledger
from ledger import queries as books
from ledger.chart import Code
from ledger.entries import Entry, PlaceHold, Step, VoidHold
from marketplace import bidding, live, queries
from marketplace.errors import AuctionClosed, BidderUnknown, BidsNotVoidable, ReasonMissing
from marketplace.models import Auction, BidVoid, SecondChance
from marketplace.models.auctions import REASON_LENGTH_MAX
from marketplace.operations import endings, hammer
from marketplace.operations.bids import held_rao, hold_named
from subnets import naming

logger = logging.getLogger(__name__)

MONEY_SPENT = "This bidder was to lead again, and the money for the maximum was spent meanwhile."


@transaction.atomic
def void_bids(
    *, auction_id: UUID, bidder: UUID, reason: str, operator: UUID, now: datetime
) -> Auction:
    """Take a bidder out of an English auction: their bids stay in the log and count no more; the end stays too.

    Who leads then has their maximum, or the deposit on it, set aside anew as the voided leader's is released, in one
    entry. Who has spent that money meanwhile is taken out as well, and so on. Voiding again changes nothing.
    Raises: AuctionUnknown, BidsNotVoidable, AuctionClosed, BidderUnknown, ReasonMissing, TextRefused,
    InsufficientFunds (the next leader spent the money at this very moment: try again).
    """
    said = _reason(reason)
    auction = queries.lock_auction(auction_id)
    if bidder in auction.voided_bidders:
        return auction
    if auction.format != Auction.Format.ENGLISH:
        raise BidsNotVoidable
    if auction.state != Auction.State.OPEN or now >= auction.closes_at:
        raise AuctionClosed(closes_at=auction.shut_at)
    if queries.place_of(auction, bidder) is None:
        raise BidderUnknown(bidder=bidder)

    leader, lead_bid = auction.leader, auction.lead_bid
    play, voids = _decide(auction, bidder, reason=said, operator=operator, now=now)
    BidVoid.objects.bulk_create(voids)
    _show(auction, play, voids)
    logger.warning("auction:bids voided auction=%s operator=%s", auction.id, operator)
    live.announce(auction.id)

    if auction.leader != leader:
        assert lead_bid is not None
        steps: list[Step] = [VoidHold(hold_named(lead_bid))]
        if auction.leader and auction.lead_bid and auction.lead_rao:
            wallet = chart.wallet(auction.leader)
            held = held_rao(auction, auction.lead_rao)
            steps.append(PlaceHold(hold_named(auction.lead_bid), wallet, held))
        key = f"bid:{voids[-1].id}"
        ledger.post(Entry(key=key, code=Code.BID_VOIDED, at=now, steps=tuple(steps)))
    return auction


@transaction.atomic
def call_off_auction(*, auction_id: UUID, reason: str, operator: UUID, now: datetime) -> Auction:
    """End a live auction of any format without a sale: every hold is released and the subnet stays with its seller.

    Calling it off again changes nothing, and keeps the first reason.
    Raises: AuctionUnknown, AuctionClosed (it ended otherwise), ReasonMissing, TextRefused.
    """
    said = _reason(reason)
    auction = queries.lock_auction(auction_id)
    if auction.called_off_reason:
        return auction
    if Auction.State.CANCELLED not in Auction.TRANSITIONS[Auction.State(auction.state)]:
        raise AuctionClosed(closes_at=auction.shut_at)
    auction.called_off_reason, auction.called_off_by = said, operator
    hammer.end_chance(auction, SecondChance.State.WITHDRAWN, now=now)
    logger.warning("auction:called off auction=%s operator=%s", auction.id, operator)
    endings.close(auction, Auction.State.CANCELLED, now=now, note=said)
    return auction


def _reason(reason: str) -> str:
    """Return a reason as it is kept. Raises: ReasonMissing, TextRefused."""
    said = naming.read_prose(reason, field="reason", length_max=REASON_LENGTH_MAX)
    if not said:
        raise ReasonMissing
    return said


def _decide(
    auction: Auction, bidder: UUID, *, reason: str, operator: UUID, now: datetime
) -> tuple[bidding.Play, list[BidVoid]]:
    """Take a bidder out, and then every next leader whose money is gone: at most all who ever bid."""
    play, voids = queries.play_of(auction), list[BidVoid]()
    who: UUID | None = bidder
    while who is not None:
        assert len(voids) < auction.bidder_count
        led = bidding.standing(play).leader
        play = bidding.void(play, bidder=who)
        standing = bidding.standing(play)
        voids.append(
            BidVoid(
                auction=auction,
                bidder=who,
                sequence=auction.version + len(voids) + 1,
                reason=MONEY_SPENT if voids else reason,
                operator=operator,
                was_leading=who == led,
                leader=standing.leader,
                price_rao=standing.price_rao,
                voided_at=now,
            )
        )
        is_broke = standing.leader != led and not _can_lead(auction, play)
        who = standing.leader if is_broke else None
    return play, voids


def _can_lead(auction: Auction, play: bidding.Play) -> bool:
    """Say whether the leader's wallet has what is set aside for them; where nobody leads nothing is."""
    if not play.maxima:
        return True
    first = bidding.foremost(play).maxima[0]
    available_rao = books.balance(chart.wallet(first.bidder)).available_rao
    return available_rao >= held_rao(auction, first.max_rao)


def _show(auction: Auction, play: bidding.Play, voids: list[BidVoid]) -> None:
    """Write on an auction's row what stands without the bidders who were taken out."""
    last = voids[-1]
    first, second = (*bidding.foremost(play).maxima, None, None)[:2]
    if auction.leader != last.leader:
        auction.lead_bid = last.id if last.leader else None
        auction.leader_place = queries.place_of(auction, last.leader) if last.leader else None
    auction.voided_bidders = [*auction.voided_bidders, *(void.bidder for void in voids)]
    derived = {
        "leader": last.leader,
        "price_rao": last.price_rao,
        "version": last.sequence,
        "lead_rao": first and first.max_rao,
        "lead_sequence": first and first.sequence,
        "second": second and second.bidder,
        "second_rao": second and second.max_rao,
        "second_sequence": second and second.sequence,
    }
    for field, value in derived.items():
        setattr(auction, field, value)
    auction.save(update_fields=[*derived, "lead_bid", "leader_place", "voided_bidders"])
