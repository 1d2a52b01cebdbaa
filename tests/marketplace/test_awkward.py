"""Awkward sequences: what meets at an edge of two rules, or at the last instant of one."""

from datetime import timedelta

import pytest

from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations, queries
from marketplace.errors import (
    AuctionClosed,
    AuctionHasBids,
    BuyNowGone,
    SubnetInAuction,
)
from marketplace.models import SecondChance
from marketplace.offering import Backing, Offering
from marketplace.operations import HouseTerms
from subnets import queries as slots
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db
INSTANT = timedelta(microseconds=1)
ROYALTY = HouseTerms(soft_close_s=300, soft_close_cap_s=900, fee_bps=250, royalty_bps=500)
DEPOSIT = {"backing": Backing.DEPOSIT, "deposit_bps": 1_000, "pay_within_s": 3_600}


@pytest.fixture
def people():
    return [world.person(tao=1_000) for _ in range(3)]


def price(on):
    seen = queries.auction(on.id)
    return seen.leader_alias, seen.price_rao / TAO, seen.reserve_met


def void(on, who, now=NOW):
    operations.void_bids(
        auction_id=on.id, bidder=who.id, reason="A slip.", operator=on.seller, now=now
    )


def test_a_leader_below_the_reserve_raises_to_exactly_the_reserve_and_pays_it(people):
    ada, bob, _ = people
    on = world.auction(start=10, reserve=500)
    world.bid(on, ada, 50)
    world.bid(on, ada, 80)
    assert price(on) == ("bidder 1", 10, False)
    world.bid(on, bob, 60)
    assert price(on) == ("bidder 1", 61, False)
    world.bid(on, ada, 500)
    assert price(on) == ("bidder 1", 500, True)
    assert world.settle(on).price_rao == 500 * TAO


def test_one_rao_below_the_reserve_is_no_sale(people):
    ada, *_ = people
    on = world.auction(start=10, reserve=500)
    operations.place_bid(auction_id=on.id, bidder=ada.id, max_rao=500 * TAO - 1, key="k", now=NOW)
    assert price(on) == ("bidder 1", 10, False)
    assert world.settle(on) is None
    assert world.purse(ada) == (1_000 * TAO, 0)


def test_equal_maxima_in_the_last_instant_before_the_hard_stop_stay_with_the_earlier(people):
    ada, bob, cleo = people
    on = world.auction(start=10)  # 300 s of soft close, at most 900 s
    hard_stop = on.scheduled_close_at + timedelta(seconds=900)
    world.bid(on, ada, 50, now=on.closes_at - INSTANT)
    on.refresh_from_db()
    for tao in (12, 14):
        world.bid(on, bob, tao, now=on.closes_at - INSTANT)
        on.refresh_from_db()
    assert on.closes_at == hard_stop - 3 * INSTANT

    world.bid(on, bob, 50, now=on.closes_at - INSTANT)

    on.refresh_from_db()
    assert (price(on), on.closes_at) == (("bidder 1", 50, True), hard_stop)
    with pytest.raises(AuctionClosed):
        world.bid(on, cleo, 90, now=hard_stop)
    assert world.settle(on).buyer == ada.id


def test_an_auction_whose_only_bidder_was_taken_out_is_as_it_began(people):
    ada, bob, _ = people
    on = world.auction(start=10, buy_now_rao=100 * TAO)
    world.bid(on, ada, 20)
    with pytest.raises(BuyNowGone):
        world.take(on, bob)
    with pytest.raises(AuctionHasBids):
        operations.cancel_auction(auction_id=on.id, seller=on.seller, now=NOW)

    void(on, ada)

    assert queries.auction(on.id).buy_now_rao == 100 * TAO
    operations.cancel_auction(auction_id=on.id, seller=on.seller, now=NOW)
    on.refresh_from_db()
    assert (on.state, world.purse(ada)) == ("cancelled", (1_000 * TAO, 0))


@pytest.mark.parametrize(
    ("price_rao", "fee_rao", "royalty_rao"), [(1, 0, 0), (39, 0, 1), (40, 1, 2)]
)
def test_a_sale_of_a_few_rao_is_shared_to_the_last(people, price_rao, fee_rao, royalty_rao):
    ada, bob, _ = people
    on = world.auction(seller=world.person(tao=1_000), start=10, house=ROYALTY)
    world.bid(on, ada, 10)
    world.settle(on)

    again = operations.open_auction(
        netuid=on.netuid,
        seller=ada.id,
        asked=Offering(start_rao=price_rao, duration_s=3_600),
        key="again",
        now=on.closes_at,
        house=ROYALTY,
    )
    operations.place_bid(
        auction_id=again.id, bidder=bob.id, max_rao=price_rao, key="k", now=on.closes_at
    )
    sale = world.settle(again)

    assert (sale.price_rao, sale.fee_rao, sale.royalty_rao) == (price_rao, fee_rao, royalty_rao)
    kept_rao = price_rao - fee_rao - royalty_rao
    assert world.purse(ada) == (990 * TAO + kept_rao, 0)
    assert world.purse(bob) == (1_000 * TAO - price_rao, 0)


def test_a_second_chance_that_is_declined_and_one_that_passes_end_unsold_and_cost_nothing(people):
    ada, bob, cleo = people
    on = world.auction(start=10, **DEPOSIT)
    for who, tao in ((ada, 100), (bob, 150), (cleo, 120)):
        world.bid(on, who, tao)
    world.settle(on)
    on.refresh_from_db()
    operations.end_overdue_auction(auction_id=on.id, now=on.due_at)
    on.refresh_from_db()
    operations.decline_second_chance(auction_id=on.id, bidder=cleo.id, now=on.due_at - INSTANT)
    on.refresh_from_db()
    assert (on.state, on.leader, on.price_rao) == ("awaiting", ada.id, 10 * TAO)
    operations.end_overdue_auction(auction_id=on.id, now=on.due_at)
    on.refresh_from_db()
    assert on.state == "unsold"
    assert sorted(SecondChance.objects.values_list("state", flat=True)) == ["declined", "expired"]
    assert [world.purse(who) for who in people] == [
        (1_000 * TAO, 0),
        (985 * TAO, 0),
        (1_000 * TAO, 0),
    ]


def test_a_voided_bidder_has_no_second_chance(people):
    ada, bob, cleo = people
    on = world.auction(start=10, **DEPOSIT)
    for who, tao in ((ada, 100), (bob, 150), (cleo, 120)):
        world.bid(on, who, tao)
    void(on, cleo)
    world.settle(on)
    on.refresh_from_db()
    operations.end_overdue_auction(auction_id=on.id, now=on.due_at)
    on.refresh_from_db()
    assert (on.leader, on.price_rao) == (ada.id, 10 * TAO)


def test_an_offer_waits_while_its_subnet_stands_in_an_auction(people):
    ada, bob, _ = people
    seller = world.person(tao=1_000)
    on = world.auction(seller=seller, start=10, **DEPOSIT)
    offer = world.offer(bob, on.netuid, 40, valid_s=10 * 86_400)
    world.bid(on, ada, 30)
    with pytest.raises(SubnetInAuction):
        world.accept(offer, seller, 40)
    world.settle(on)
    on.refresh_from_db()
    with pytest.raises(SubnetInAuction):
        world.accept(offer, seller, 40, now=on.due_at)
    operations.end_overdue_auction(auction_id=on.id, now=on.due_at)
    on.refresh_from_db()
    assert on.state == "unsold"
    world.accept(offer, seller, 40, now=on.due_at)
    assert slots.subnet(on.netuid).owner == bob.id
