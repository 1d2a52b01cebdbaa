"""After the hammer, where a deposit backed the bid: payment, default, second chances.

An auction that waits stays live-listed under its subnet. Locks are taken as everywhere: the auction's row first,
the accounts' last.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, Move, PostHold, Step
from ledger.idempotency import stored_key
from marketplace import bidding, fees, hammer, live, queries
from marketplace.errors import (
    NoSecondChance,
    NotAwaitingPayment,
    NotYoursToPay,
    PaymentOverdue,
)
from marketplace.models import Auction, Sale, SecondChance, Strike
from marketplace.operations import endings, restrictions
from marketplace.operations.bids import held_rao, hold_named
from subnets import queries as slots
from subnets.errors import NotTheOwner

logger = logging.getLogger(__name__)


def await_payment(auction: Auction, *, now: datetime) -> None:
    """Give the winner of an auction that has just ended the time to pay; the deposit stays set aside."""
    assert Auction.State.AWAITING in Auction.TRANSITIONS[Auction.State(auction.state)]
    assert auction.pay_within_s is not None
    _wait(auction, until=now + timedelta(seconds=auction.pay_within_s))


@transaction.atomic
def pay_auction(*, auction_id: UUID, buyer: UUID, key: str, now: datetime) -> Sale | None:
    """Pay what an auction came to, as its winner or by a second chance: the subnet changes hands at once.

    The deposit is released in the same entry, so that it counts towards the price. An auction is paid once: paying
    it again, under any key, returns the same sale. None: the seller no longer owns the subnet, nothing was paid
    and the deposit is free.
    Raises: AuctionUnknown, NotAwaitingPayment, NotYoursToPay, PaymentOverdue, InsufficientFunds,
    IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    stored_key("pay", caller=buyer, key=key)
    auction = queries.lock_auction(auction_id)
    sale = queries.sale_of_auction(auction_id)
    if sale is not None and sale.buyer == buyer:
        return sale

    price_rao = _price_to_pay(auction, buyer, now=now)
    try:
        with transaction.atomic():
            end_chance(auction, SecondChance.State.ACCEPTED, now=now)
            sold = bidding.Sold(winner=buyer, price_rao=price_rao)
            paying = endings.Paying(key=f"auction:{auction.id}")
            return endings.sell(auction, sold, paying=paying, now=now)
    except NotTheOwner:
        auction.refresh_from_db()
        _cancel(auction, now=now)
        return None


@transaction.atomic
def decline_second_chance(*, auction_id: UUID, bidder: UUID, now: datetime) -> SecondChance:
    """Say no to a second chance; the next bidder is asked. Declining again changes nothing.

    Raises: AuctionUnknown, NoSecondChance, PaymentOverdue.
    """
    auction = queries.lock_auction(auction_id)
    chance = queries.second_chance_of(auction_id, bidder)
    if chance is not None and chance.state == SecondChance.State.DECLINED:
        return chance
    if chance is None or chance.state != SecondChance.State.OFFERED:
        raise NoSecondChance(auction_id=auction_id)
    if now >= chance.expires_at:
        raise PaymentOverdue(due_at=chance.expires_at)
    declined = end_chance(auction, SecondChance.State.DECLINED, now=now)
    assert declined is not None
    _ask_next(auction, now=now)
    return declined


@transaction.atomic
def end_overdue_auction(*, auction_id: UUID, now: datetime) -> Auction:
    """Go on without a bidder whose time to pay has passed; an auction that is not overdue is left alone.

    A winner's deposit is forfeited: the house takes its fee of it, the rest is the seller's. Who let a second chance
    pass owes nothing. Where the seller no longer owns the subnet nobody is to blame for not paying.
    Raises: AuctionUnknown.
    """
    auction = queries.lock_auction(auction_id)
    if auction.state != Auction.State.AWAITING:
        return auction
    assert auction.due_at is not None
    if now < auction.due_at:
        return auction
    if slots.subnet(auction.netuid).owner != auction.seller:
        _cancel(auction, now=now)
        return auction

    forfeit = None
    if end_chance(auction, SecondChance.State.EXPIRED, now=now) is None:
        forfeit = _strike(auction, now=now)
    _ask_next(auction, now=now)
    if forfeit:
        ledger.post(forfeit)
    return auction


def _price_to_pay(auction: Auction, buyer: UUID, *, now: datetime) -> int:
    """Return what a buyer owes. Raises: NotAwaitingPayment, NotYoursToPay, PaymentOverdue."""
    if auction.state != Auction.State.AWAITING:
        raise NotAwaitingPayment(state=auction.state)
    assert auction.due_at is not None
    assert auction.price_rao is not None
    if auction.leader != buyer:
        raise NotYoursToPay(auction_id=auction.id)
    if now >= auction.due_at:
        raise PaymentOverdue(due_at=auction.due_at)
    return auction.price_rao


def _strike(auction: Auction, *, now: datetime) -> Entry:
    """Write a strike against a winner who did not pay; return the entry that takes the deposit."""
    winning = queries.leading_bid(auction)
    assert winning is not None
    assert auction.lead_bid is not None
    deposit_rao = held_rao(auction, winning.max_rao)
    split = fees.split(deposit_rao, fee_bps=auction.fee_bps, royalty_bps=0)
    Strike.objects.create(
        auction=auction,
        owner=winning.bidder,
        forfeited_rao=deposit_rao,
        fee_rao=split.fee_rao,
        struck_at=now,
    )
    logger.warning("auction:unpaid auction=%s owner=%s", auction.id, winning.bidder)
    parts = ((chart.FEES, split.fee_rao), (chart.wallet(auction.seller), split.seller_rao))
    key = f"forfeit:{auction.id}"
    restrictions.carry(payer=winning.bidder, parts=parts, fact=key, now=now)
    steps: tuple[Step, ...] = (
        PostHold(hold_named(auction.lead_bid), to=((chart.FORFEITS, deposit_rao),)),
        *(Move(chart.FORFEITS, address, rao) for address, rao in parts if rao),
    )
    return Entry(key=key, code=Code.DEPOSIT_FORFEITED, at=now, steps=steps)


def _ask_next(auction: Auction, *, now: datetime) -> None:
    """Offer the subnet to the next bidder; with nobody left to ask, the auction ends unsold."""
    passed_over = queries.passed_over(auction.id)
    offer = hammer.next_offer(queries.play_of(auction), passed_over=passed_over)
    if offer is None:
        endings.end(auction, Auction.State.UNSOLD, now=now)
        return
    expires_at = now + hammer.SECOND_CHANCE_LASTS
    SecondChance.objects.create(
        auction=auction,
        bidder=offer.winner,
        price_rao=offer.price_rao,
        offered_at=now,
        expires_at=expires_at,
    )
    auction.leader, auction.price_rao = offer.winner, offer.price_rao
    auction.leader_place = queries.place_of(auction, offer.winner)
    _wait(auction, until=expires_at)
    logger.info("auction:second chance auction=%s bidder=%s", auction.id, offer.winner)


def _wait(auction: Auction, *, until: datetime) -> None:
    auction.state, auction.due_at = Auction.State.AWAITING, until
    auction.version += 1
    auction.save(
        update_fields=["state", "due_at", "leader", "leader_place", "price_rao", "version"]
    )
    live.announce(auction.id)


def end_chance(
    auction: Auction, state: SecondChance.State, *, now: datetime
) -> SecondChance | None:
    """End the second chance an auction waits for; None where it waits for its winner."""
    chance = queries.open_second_chance(auction.id)
    if chance is None:
        return None
    assert state in SecondChance.TRANSITIONS[SecondChance.State(chance.state)]
    chance.state, chance.ended_at = state, now
    chance.save(update_fields=["state", "ended_at"])
    return chance


def _cancel(auction: Auction, *, now: datetime) -> None:
    """End an auction whose seller has nothing to sell any more; who was to pay has lost nothing."""
    logger.warning("auction:cancelled auction=%s reason=seller_does_not_own", auction.id)
    endings.close(auction, Auction.State.CANCELLED, now=now)
    end_chance(auction, SecondChance.State.WITHDRAWN, now=now)
