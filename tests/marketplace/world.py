"""The market's small world, made by the doors everybody uses: people with money, subnets, auctions, bids."""

from datetime import timedelta
from uuid import uuid4

from ledger import queries as books
from ledger.chart import FEES, TREASURY, wallet
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations
from marketplace.models import User
from marketplace.offering import Format, Offering
from marketplace.operations import HouseTerms
from subnets import operations as subnets
from tests.marketplace.conftest import NOW

LOCK_RAO = 10 * TAO
HOUSE = HouseTerms(soft_close_s=300, soft_close_cap_s=900, fee_bps=250)
HOUR = timedelta(hours=1)


def network():
    operations.fund_treasury(amount_rao=1_000_000 * TAO, key="genesis", now=NOW)
    return subnets.found_network(block_ms=12_000, min_lock_rao=LOCK_RAO, now=NOW)


def person(*, tao=0, email=None):
    """Sign somebody up, with so many TAO."""
    network()
    user = User.objects.create_user(email or f"{uuid4().hex[:12]}@example.com", "a long password")
    if tao:
        operations.grant_test_tao(owner=user.id, amount_rao=tao * TAO, key="start", now=NOW)
    return user


def subnet(owner, *, name=None):
    """Buy a slot for somebody, who pays for it; return its netuid."""
    return slot(owner, name=name).netuid


def slot(buyer, *, name=None, key=None, max_cost_rao=10**6 * TAO, blueprint="matmul", now=NOW):
    return operations.buy_slot(
        buyer=buyer.id,
        name=name or f"Subnet {uuid4().hex[:8]}",
        summary="Multiplies matrices.",
        blueprint=blueprint,
        max_cost_rao=max_cost_rao,
        key=key or uuid4().hex,
        now=now,
    )


def auction(
    *,
    seller=None,
    start=10,
    reserve=None,
    duration_s=3_600,
    key=None,
    house=HOUSE,
    now=NOW,
    **terms,
):
    """Put a new subnet up for auction; start and reserve in TAO, further terms as an Offering has them."""
    seller = seller or person(tao=1_000)
    return operations.open_auction(
        netuid=subnet(seller),
        seller=seller.id,
        asked=Offering(
            start_rao=start * TAO,
            reserve_rao=None if reserve is None else reserve * TAO,
            duration_s=duration_s,
            **terms,
        ),
        key=key or uuid4().hex,
        now=now,
        house=house,
    )


def falling(*, start=100, floor=20, half_life_s=900, **asked):
    """Put a new subnet up at a price that falls."""
    return auction(
        start=start,
        format=Format.DUTCH,
        floor_rao=floor * TAO,
        half_life_s=half_life_s,
        **asked,
    )


def take(on, buyer, *, at_most=1_000, key=None, now=NOW):
    """Buy a subnet at its price, for so many TAO at most."""
    return operations.take_subnet(
        auction_id=on.id,
        buyer=buyer.id,
        max_price_rao=round(at_most * TAO),
        key=key or uuid4().hex,
        now=now,
    )


def bid(on, bidder, tao, *, key=None, now=NOW):
    """Bid so many TAO."""
    return operations.place_bid(
        auction_id=on.id,
        bidder=bidder.id,
        max_rao=round(tao * TAO),
        key=key or uuid4().hex,
        now=now,
    )


def seal(on, bidder, tao, *, cover=None, key=None, now=NOW):
    """Bid so many TAO under seal."""
    return operations.place_sealed_bid(
        auction_id=on.id,
        bidder=bidder.id,
        max_rao=round(tao * TAO),
        cover_rao=None if cover is None else round(cover * TAO),
        key=key or uuid4().hex,
        now=now,
    )


def settle(on, *, now=None):
    on.refresh_from_db()
    return operations.settle_auction(auction_id=on.id, now=now or on.closes_at)


def purse(user):
    """Return (posted, held) of somebody's wallet in rao."""
    balance = books.balance(wallet(user.id))
    return balance.posted_rao, balance.held_rao


def fees():
    return books.balance(FEES).posted_rao


def treasury():
    return books.balance(TREASURY).posted_rao


def offer(buyer, netuid, tao, *, valid_s=86_400, key=None, now=NOW, message=""):
    """Offer so many TAO for a subnet."""
    return operations.make_offer(
        netuid=netuid,
        buyer=buyer.id,
        amount_rao=round(tao * TAO),
        valid_s=valid_s,
        message=message,
        key=key or uuid4().hex,
        now=now,
    )


def counter(on, who, tao, *, valid_s=86_400, key=None, now=NOW, message=""):
    """Put so many TAO on the table instead."""
    return operations.counter_offer(
        offer_id=on.id,
        who=who.id,
        amount_rao=round(tao * TAO),
        valid_s=valid_s,
        message=message,
        key=key or uuid4().hex,
        now=now,
    )


def accept(on, who, tao, *, key=None, now=NOW):
    """Agree to so many TAO."""
    return operations.accept_offer(
        offer_id=on.id, who=who.id, expected_rao=round(tao * TAO), key=key or uuid4().hex, now=now
    )
