"""Bidding: one maximum after the other, under the auction's lock, backed by money set aside.

Whoever finds nobody of this process at work on the auction bids at once. Who comes meanwhile is decided together with
all who came meanwhile: one lock, one statement for all bids, one entry, one commit (`combining`, `batches`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import DatabaseError, IntegrityError, connection

from ledger import chart, prepared, refusals
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, PlaceHold, Step, VoidHold, hold_id
from ledger.errors import DomainError, IdempotencyConflict
from ledger.idempotency import stored_key
from ledger.refusals import Kept, RefusedBefore, Sent
from marketplace import batches, hammer, live, queries
from marketplace.batches import Outcome, Request
from marketplace.bidding import Accepted
from marketplace.combining import Combiner, LineFull, Turn
from marketplace.errors import (
    AuctionBusy,
    AuctionClosed,
    AuctionTakesNoBids,
    BidderVoided,
    SellerCannotBid,
    TooManyStrikes,
    WrongFormat,
)
from marketplace.models import Auction, Bid
from marketplace.offering import Format
from marketplace.operations import bid_rows
from marketplace.operations.trust import require_may_deal

# The lock is held for a batch, so the last one waits for all: of 64 that is some fifteen milliseconds.
BATCH_MAX = 64
# Two batches more: whoever would wait longer is better told so. A web process has fewer threads than this.
WAITING_MAX = 128
RETRY_AFTER_S = 1


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


@dataclass(frozen=True, slots=True)
class _Asked:
    """What somebody asks for. key: their own words.  stored_key: as rows keep it.  now: when they asked.

    sent: under what a refusal is kept, where it is.
    """

    auction_id: UUID
    bidder: UUID
    max_rao: int
    key: str
    stored_key: str
    now: datetime
    sent: Sent | None


_Answer = Placed | DomainError | RefusedBefore


def place_bid(
    *,
    auction_id: UUID,
    bidder: UUID,
    max_rao: int,
    key: str,
    now: datetime,
    sent: Sent | None = None,
) -> Placed:
    """Take a maximum bid; the leader's maximum, or the deposit on it, is set aside, and nobody else's.

    key: the client's words for this request; the same key with the same input gets the first answer.
    sent: the request, whose refusal is kept and given again; without it only what was accepted is.
    Raises: AuctionUnknown, AuctionNotOpenYet, AuctionClosed, SellerCannotBid, BidderVoided, AuctionTakesNoBids,
    WrongFormat, AccountsLinked, AddressNotVerified, BidTooLow, MaximumNotRaised, InsufficientFunds, TooManyStrikes,
    IdempotencyConflict, IdempotencyKeyMissing, IdempotencyKeyInvalid, AuctionBusy, RefusedBefore.
    """
    stored = stored_key("bid", caller=bidder, key=key)
    asked = _Asked(auction_id, bidder, max_rao, key, stored, now, sent)
    if connection.in_atomic_block:
        # What the caller has not committed nobody else can see, nor wait for without a ring.
        turn = Turn()
        (answer,) = _place_all([asked], turn)
        turn.end()
    else:
        try:
            answer = _waiting.ask(auction_id, asked)
        except LineFull:
            raise AuctionBusy(retry_after_s=RETRY_AFTER_S) from None
    if isinstance(answer, Placed):
        return answer
    raise answer


def _place_all(all_asked: Sequence[_Asked], turn: Turn) -> list[_Answer]:
    """Place bids on one auction, each as if it had come alone.

    What fails for all of them is tried with each alone; copies of one request are, for the first decides about the others.
    """
    is_alone = len(all_asked) == 1
    if is_alone or len({asked.stored_key for asked in all_asked}) == len(all_asked):
        try:
            return _place_eagerly(all_asked, turn)
        except (DomainError, IntegrityError) as fault:
            if is_alone:
                return [_settled(all_asked[0], fault)]
    return [answer for asked in all_asked for answer in _place_all([asked], turn)]


@prepared.atomic()
def _settled(asked: _Asked, fault: DomainError | IntegrityError) -> _Answer:
    """Answer a bid that was undone: by what its key came to meanwhile, else by the fault, which is kept."""
    refused = refusals.ask([asked.sent] if asked.sent else [])
    # The key may have been used at this very moment, on another auction.
    if earlier := queries.bid_by_key(asked.stored_key):
        return _replay(asked, earlier)
    if isinstance(fault, IntegrityError):
        raise fault
    if answer := _refused_before(asked, refused()):
        return answer
    _keep_refusals([asked], [fault])
    return fault


_waiting: Combiner[_Asked, _Answer] = Combiner(
    _place_all, batch_max=BATCH_MAX, waiting_max=WAITING_MAX
)


def _place_eagerly(all_asked: Sequence[_Asked], turn: Turn) -> list[_Answer]:
    """Place bids as if nothing else happened; should it turn out that something did, with an eye on it."""
    try:
        # A loser of a race for the row is told so without a place among those who may yet win it.
        if answers := _place(all_asked, turn, is_patient=False):
            return answers
        # Only an operator can lower a price: one has done so since the row was asked.
    except DatabaseError as fault:
        if not ledger.was_overtaken(fault):
            raise
        # The money went elsewhere, or an account is new.
    answers = _place(all_asked, turn, is_patient=True)
    assert answers is not None, "who is patient gets the lock"
    return answers


@prepared.atomic()
def _place(all_asked: Sequence[_Asked], turn: Turn, *, is_patient: bool) -> list[_Answer] | None:
    """Place bids on one auction, in their order; None when one could be placed and the row is not locked.

    Everybody wants the auction's row, so little is sent under its lock, and nothing is waited for but what the next
    step needs: three statements lock and read, one writes all bids, one posts, one keeps refusals.
    Whoever is patient waits for the lock whatever the row says, and hears how the books stand.
    What is refused is kept by the same commit, and copies of a request wait for it.
    Raises: AuctionUnknown; InsufficientFunds; a database's error that `ledger.was_overtaken` knows.
    """
    refused = refusals.ask(asked.sent for asked in all_asked if asked.sent)
    auction, bidders, is_locked = queries.look_for_bids(
        all_asked[0].auction_id,
        [queries.Sought(one.bidder, one.max_rao, one.stored_key) for one in all_asked],
        is_patient=is_patient,
    )
    before = refused()
    known = [
        _refused_before(asked, before) or _known(auction, asked, bidder)
        for asked, bidder in zip(all_asked, bidders, strict=True)
    ]
    fresh = [asked for asked, answer in zip(all_asked, known, strict=True) if answer is None]
    purses_rao = {
        one.bidder: seen.available_rao for one, seen in zip(all_asked, bidders, strict=True)
    }
    outcomes = _decide(auction, fresh, purses_rao)
    if not is_locked and any(isinstance(outcome, Accepted) for outcome in outcomes):
        return None

    outbid = auction.lead_bid
    places = {one.bidder: seen.place for one, seen in zip(all_asked, bidders, strict=True)}
    bids = _apply(auction, fresh, outcomes, places)
    if bids:
        bid_rows.record(auction, list(bids.values()))
        if auction.lead_bid != outbid:
            newest = next(bid for bid in bids.values() if bid.id == auction.lead_bid)
            _set_aside(auction, newest, outbid=outbid, is_patient=is_patient)
        live.announce_bid(auction, now=max(bid.placed_at for bid in bids.values()), turn=turn)
    decided = iter(_answers(outcomes, bids))
    answers = [next(decided) if answer is None else answer for answer in known]
    _keep_refusals(all_asked, answers)
    # What is left is the commit, which gives the row to the next who wait for it.
    turn.pass_on()
    return answers


def _refused_before(asked: _Asked, before: Mapping[str, Kept]) -> _Answer | None:
    if asked.sent is None or asked.sent.key not in before:
        return None
    return before[asked.sent.key].again(asked.sent)


def _keep_refusals(all_asked: Sequence[_Asked], answers: Sequence[_Answer]) -> None:
    refusals.keep(
        (asked.sent, answer)
        for asked, answer in zip(all_asked, answers, strict=True)
        if asked.sent and isinstance(answer, DomainError)
    )


def _known(auction: Auction, asked: _Asked, bidder: queries.Bidder) -> _Answer | None:
    """Answer what hangs on no other bid: one that was placed before, and who may not bid here at all."""
    if bidder.earlier is not None:
        return _replay(asked, bidder.earlier)
    try:
        _require_may_bid(auction, bidder.dealing, bidder=asked.bidder, now=asked.now)
    except DomainError as refusal:
        return refusal
    return None


def _replay(asked: _Asked, earlier: Bid) -> _Answer:
    """Give the first answer again, or an IdempotencyConflict when the key said something else."""
    if earlier.auction_id != asked.auction_id:
        return IdempotencyConflict(key=asked.key, field="auction")
    if earlier.max_rao != asked.max_rao:
        return IdempotencyConflict(key=asked.key, field="max_rao")
    return _answer(earlier, replayed=True)


def _require_may_bid(
    auction: Auction, dealing: queries.Dealing, *, bidder: UUID, now: datetime
) -> None:
    """Refuse whoever may not bid here, whatever they offer. An auction that ended early is closed, whatever its hour says."""
    if auction.state != Auction.State.OPEN:
        raise AuctionClosed(closes_at=auction.shut_at)
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


def _require_few_strikes(bidder: UUID, *, now: datetime) -> None:
    """Refuse a deposit of somebody who let several auctions go unpaid lately."""
    strikes = queries.strikes_lately(bidder, now=now)
    if strikes >= hammer.STRIKES_MAX:
        raise TooManyStrikes(strikes=strikes, days=hammer.STRIKES_COUNT_FOR.days)


def _decide(
    auction: Auction, fresh: Sequence[_Asked], purses_rao: Mapping[UUID, int]
) -> list[Outcome]:
    """Decide about bids that may be made, one after the other. purses_rao: what each can set aside."""
    leader = auction.leader
    freed_rao = held_rao(auction, auction.lead_rao) if auction.lead_rao else 0

    def funds_rao(bidder: UUID) -> int:
        return purses_rao[bidder] + (freed_rao if bidder == leader else 0)

    requests = [
        Request(
            bidder=asked.bidder,
            max_rao=asked.max_rao,
            needed_rao=held_rao(auction, asked.max_rao),
            now=asked.now,
        )
        for asked in fresh
    ]
    play = queries.foremost_of(auction)
    return batches.decide(play, requests, sequence=auction.version, funds_rao=funds_rao)


def _apply(
    auction: Auction,
    fresh: Sequence[_Asked],
    outcomes: Sequence[Outcome],
    places: dict[UUID, int | None],
) -> dict[int, Bid]:
    """Make the bids that were accepted, by their turn, and put on the auction's object what follows from each.

    places: under which number everybody appears; who is new gets the next.
    """
    bids = {}
    for turn, (asked, outcome) in enumerate(zip(fresh, outcomes, strict=True)):
        if isinstance(outcome, Accepted):
            place = places[asked.bidder] or auction.bidder_count + 1
            places[asked.bidder] = place
            bids[turn] = bid = _bid(auction, asked, outcome, place=place)
            bid_rows.show(auction, bid, outcome)
    return bids


def _bid(auction: Auction, asked: _Asked, accepted: Accepted, *, place: int) -> Bid:
    standing = accepted.standing
    assert standing.leader is not None
    assert standing.price_rao is not None
    return Bid(
        auction=auction,
        bidder=asked.bidder,
        key=asked.stored_key,
        sequence=accepted.maximum.sequence,
        place=place,
        max_rao=asked.max_rao,
        price_rao=standing.price_rao,
        leader=standing.leader,
        closes_at=standing.closes_at,
        placed_at=asked.now,
    )


def _set_aside(auction: Auction, lead: Bid, *, outbid: UUID | None, is_patient: bool) -> None:
    """Set aside what backs the bid that leads now, and free what backed the lead before."""
    post = ledger.post_at_last if is_patient else ledger.post_unheard
    steps: list[Step] = [] if outbid is None else [VoidHold(hold_named(outbid))]
    held = PlaceHold(
        hold_named(lead.id), chart.wallet(lead.bidder), held_rao(auction, lead.max_rao)
    )
    post(Entry(key=f"bid:{lead.id}", code=Code.BID_PLACED, at=lead.placed_at, steps=(*steps, held)))


def hold_named(lead_bid: UUID) -> UUID:
    """Return the id of the hold that backs a leader: named after their bid, or the void by which they lead again."""
    return hold_id(f"bid:{lead_bid}")


def held_rao(auction: Auction, max_rao: int) -> int:
    """Return what is set aside for a maximum while it leads: all of it, or the auction's deposit on it."""
    if auction.backing == Auction.Backing.FULL:
        return max_rao
    assert auction.deposit_bps is not None
    return hammer.deposit_rao(max_rao, deposit_bps=auction.deposit_bps)


def _answers(outcomes: Sequence[Outcome], bids: dict[int, Bid]) -> list[_Answer]:
    return [
        _answer(bids[turn], replayed=False) if isinstance(outcome, Accepted) else outcome
        for turn, outcome in enumerate(outcomes)
    ]


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
