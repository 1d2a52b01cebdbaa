"""Auctions from opening to settlement: price and ownership change hands in one step, or not at all."""

from datetime import timedelta
from uuid import uuid4

import pytest

from ledger import operations as ledger
from ledger.errors import Busy, IdempotencyConflict
from ledger.models import Entry
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations, queries
from marketplace.errors import (
    AuctionAlreadyOpen,
    AuctionClosed,
    AuctionHasBids,
    AuctionStillOpen,
    AuctionTermsInvalid,
    NotTheSeller,
)
from marketplace.models import Auction, Sale
from marketplace.offering import Offering
from marketplace.operations import endings
from subnets import operations as subnets
from subnets import queries as slots
from subnets.errors import NotTheOwner, SubnetUnknown
from subnets.models import Ownership
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db


def test_an_auction_opens_with_the_terms_of_seller_and_house(settings):
    settings.AUCTION_SOFT_CLOSE_S, settings.AUCTION_SOFT_CLOSE_CAP_S = 120, 240
    settings.AUCTION_FEE_BPS = 300
    seller = world.person(tao=1_000)

    opened = world.auction(seller=seller, start=10, reserve=20, duration_s=600, house=None)

    seen = queries.auction(opened.id)
    assert (seen.state, seen.seller, seen.price_rao, seen.min_next_rao) == (
        "open", seller.id, None, 10 * TAO,
    )  # fmt: skip
    assert (seen.has_reserve, seen.reserve_met, seen.leader_alias) == (True, False, None)
    assert (seen.opens_at, seen.closes_at, seen.fee_bps) == (NOW, NOW + timedelta(minutes=10), 300)
    assert (opened.soft_close_s, opened.soft_close_cap_s) == (120, 240)
    assert seen.subnet_name == slots.subnet(seen.netuid).name


def test_only_the_owner_sells_a_subnet():
    netuid = world.subnet(world.person(tao=100))

    with pytest.raises(NotTheOwner):
        offer(netuid, world.person())

    assert Auction.objects.count() == 0


def test_a_free_slot_cannot_be_auctioned():
    with pytest.raises(SubnetUnknown):
        offer(77, world.person())


def test_a_subnet_stands_in_one_auction_at_a_time():
    seller = world.person(tao=100)
    netuid = world.subnet(seller)
    offer(netuid, seller)

    with pytest.raises(AuctionAlreadyOpen) as refusal:
        offer(netuid, seller)

    assert refusal.value.fields == {"netuid": netuid}


def test_the_same_key_opens_one_auction():
    seller = world.person(tao=100)
    netuid = world.subnet(seller)
    first = offer(netuid, seller, key="one")

    assert offer(netuid, seller, key="one", now=NOW + timedelta(minutes=5)).id == first.id
    with pytest.raises(IdempotencyConflict):
        offer(netuid, seller, key="one", start_rao=11 * TAO)
    assert Auction.objects.count() == 1


@pytest.mark.parametrize(
    "terms",
    [{"start_rao": 0}, {"reserve_rao": 9 * TAO}, {"duration_s": 9}, {"duration_s": 10**8}],
)
def test_terms_that_cannot_be_are_refused(terms):
    seller = world.person(tao=100)
    netuid = world.subnet(seller)

    with pytest.raises(AuctionTermsInvalid):
        offer(netuid, seller, **terms)

    offer(netuid, seller)


def test_an_auction_without_bids_can_be_withdrawn_once():
    seller = world.person(tao=100)
    on = world.auction(seller=seller)

    cancelled = operations.cancel_auction(auction_id=on.id, seller=seller.id, now=NOW)
    again = operations.cancel_auction(
        auction_id=on.id, seller=seller.id, now=NOW + timedelta(minutes=1)
    )

    assert (cancelled.state, cancelled.ended_at) == ("cancelled", NOW)
    assert (again.version, again.ended_at) == (cancelled.version, NOW)


def test_an_auction_with_bids_runs_to_its_end():
    seller = world.person(tao=100)
    on = world.auction(seller=seller)
    world.bid(on, world.person(tao=100), 40)

    with pytest.raises(AuctionHasBids):
        operations.cancel_auction(auction_id=on.id, seller=seller.id, now=NOW)

    assert queries.auction(on.id).state == "open"


def test_only_the_seller_withdraws_an_auction():
    on = world.auction()

    with pytest.raises(NotTheSeller):
        operations.cancel_auction(auction_id=on.id, seller=world.person().id, now=NOW)


def test_a_settled_auction_cannot_be_withdrawn():
    seller = world.person(tao=100)
    on = world.auction(seller=seller)
    world.bid(on, world.person(tao=100), 40)
    world.settle(on)

    with pytest.raises(AuctionClosed):
        operations.cancel_auction(auction_id=on.id, seller=seller.id, now=NOW + world.HOUR)


def test_the_winner_pays_the_price_and_owns_the_subnet():
    seller, ada, bob = world.person(tao=100), world.person(tao=100), world.person(tao=100)
    on = world.auction(seller=seller)
    lock_rao = 100 * TAO - world.purse(seller)[0]
    world.bid(on, ada, 40)
    world.bid(on, bob, 60)

    sale = world.settle(on)

    assert (sale.buyer, sale.seller, sale.price_rao) == (bob.id, seller.id, 41 * TAO)
    assert sale.fee_rao == 41 * TAO * 250 // 10_000 == world.fees()
    assert world.purse(bob) == (59 * TAO, 0)
    assert world.purse(ada) == (100 * TAO, 0)
    assert world.purse(seller) == (100 * TAO - lock_rao + 41 * TAO - sale.fee_rao, 0)
    assert slots.subnet(on.netuid).owner == bob.id
    held = Ownership.objects.get(subnet=on.netuid, ends_at=None)
    assert (held.owner, held.price_rao, held.starts_at) == (bob.id, 41 * TAO, sale.sold_at)
    on.refresh_from_db()
    assert (on.state, on.ended_at) == ("settled", sale.sold_at)


def test_settling_twice_pays_once():
    seller, ada = world.person(tao=100), world.person(tao=100)
    on = world.auction(seller=seller)
    world.bid(on, ada, 40)
    first = world.settle(on)
    after = world.purse(seller), world.purse(ada), Entry.objects.count()

    again = world.settle(on, now=NOW + 5 * world.HOUR)

    assert again == first
    assert (world.purse(seller), world.purse(ada), Entry.objects.count()) == after
    assert Sale.objects.filter(kind="auction").count() == 1


def test_without_a_fee_the_seller_gets_it_all():
    seller, ada = world.person(tao=100), world.person(tao=100)
    on = world.auction(seller=seller, house=operations.HouseTerms(300, 900, 0))
    before = world.purse(seller)[0]
    world.bid(on, ada, 40)

    sale = world.settle(on)

    assert sale.fee_rao == 0
    assert world.purse(seller)[0] == before + 10 * TAO


def test_an_auction_is_not_settled_before_its_end():
    on, ada = world.auction(), world.person(tao=100)
    world.bid(on, ada, 40)

    with pytest.raises(AuctionStillOpen):
        world.settle(on, now=on.closes_at - timedelta(microseconds=1))

    assert world.purse(ada) == (100 * TAO, 40 * TAO)


def test_an_auction_without_bids_ends_unsold():
    on = world.auction()

    assert world.settle(on) is None
    assert queries.auction(on.id).state == "unsold"
    assert queries.marketplace_figures().auctions_open_count == 0


def test_below_the_reserve_the_seller_keeps_the_subnet_and_the_bid_is_released():
    seller, ada = world.person(tao=100), world.person(tao=100)
    on = world.auction(seller=seller, start=10, reserve=50)
    world.bid(on, ada, 40)
    assert not queries.auction(on.id).reserve_met

    assert world.settle(on) is None

    assert queries.auction(on.id).state == "unsold"
    assert world.purse(ada) == (100 * TAO, 0)
    assert slots.subnet(on.netuid).owner == seller.id
    assert world.settle(on) is None


def test_a_maximum_above_the_reserve_pays_at_least_the_reserve():
    on, ada = world.auction(start=10, reserve=50), world.person(tao=100)
    world.bid(on, ada, 70)

    assert queries.auction(on.id).reserve_met
    assert world.settle(on).price_rao == 50 * TAO


def test_who_registered_the_slot_has_a_royalty_when_somebody_else_sells_it():
    house = operations.HouseTerms(300, 900, 250, royalty_bps=500)
    ada, bob, cyd = world.person(tao=100), world.person(tao=100), world.person(tao=100)
    first = world.auction(seller=ada, house=house)
    world.bid(first, bob, 40)
    own = world.settle(first)
    before = world.purse(ada)[0], world.purse(bob)[0], world.fees()

    second = offer(first.netuid, bob, now=first.closes_at, house=house)
    world.bid(second, cyd, 40, now=first.closes_at)
    sale = world.settle(second)

    assert (own.royalty_rao, first.royalty_bps, second.royalty_bps) == (0, 0, 500)
    assert (sale.price_rao, sale.fee_rao, sale.royalty_rao) == (
        10 * TAO, TAO // 4, TAO // 2,
    )  # fmt: skip
    assert (world.purse(ada)[0], world.purse(bob)[0], world.fees()) == (
        before[0] + TAO // 2,
        before[1] + 10 * TAO - TAO // 4 - TAO // 2,
        before[2] + TAO // 4,
    )


def test_who_buys_back_what_they_registered_owes_no_royalty():
    house = operations.HouseTerms(300, 900, 250, royalty_bps=500)
    ada, bob = world.person(tao=100), world.person(tao=100)
    first = world.auction(seller=ada, house=house)
    world.bid(first, bob, 40)
    world.settle(first)

    second = offer(first.netuid, bob, now=first.closes_at, house=house)
    world.bid(second, ada, 40, now=first.closes_at)

    assert world.settle(second).royalty_rao == 0


def test_a_seller_who_lost_the_subnet_sells_nothing():
    seller, other, ada = world.person(tao=100), world.person(), world.person(tao=100)
    on = world.auction(seller=seller)
    world.bid(on, ada, 40)
    subnets.transfer_ownership(
        netuid=on.netuid, seller=seller.id, buyer=other.id, price_rao=1, now=NOW + world.HOUR / 2
    )

    assert world.settle(on) is None

    assert queries.auction(on.id).state == "cancelled"
    assert world.purse(ada) == (100 * TAO, 0)
    assert slots.subnet(on.netuid).owner == other.id
    assert Sale.objects.filter(kind="auction").count() == 0


@pytest.mark.parametrize("broken", ["transfer", "post"])
def test_a_fault_in_the_middle_of_a_settlement_leaves_nothing(monkeypatch, broken):
    seller, ada = world.person(tao=100), world.person(tao=100)
    on = world.auction(seller=seller)
    world.bid(on, ada, 40)
    before = (
        world.purse(seller),
        world.purse(ada),
        Entry.objects.count(),
        queries.auction(on.id).version,
    )

    def fault(*_, **__):
        raise Busy

    with monkeypatch.context() as patch:
        if broken == "transfer":
            patch.setattr(endings.subnets, "transfer_ownership", fault)
        else:
            patch.setattr(ledger, "post", fault)
        with pytest.raises(Busy):
            world.settle(on)

    now = (
        world.purse(seller),
        world.purse(ada),
        Entry.objects.count(),
        queries.auction(on.id).version,
    )
    assert now == before
    assert slots.subnet(on.netuid).owner == seller.id
    assert Sale.objects.filter(kind="auction").count() == 0
    assert world.settle(on).buyer == ada.id


def test_a_subnet_can_be_sold_again_by_its_new_owner():
    ada, bob = world.person(tao=200), world.person(tao=200)
    first = world.auction()
    world.bid(first, ada, 40)
    world.settle(first)
    end = first.closes_at

    second = offer(first.netuid, ada, now=end)
    world.bid(second, bob, 60, now=end)
    world.settle(second)

    sales = queries.sales_of(first.netuid)
    assert [sale.kind for sale in sales] == ["auction", "auction", "slot"]
    assert sales[0].buyer == bob.id
    assert [price for _, price in queries.price_history(first.netuid)][1:] == [10 * TAO, 10 * TAO]


def test_due_auctions_are_those_whose_end_has_come():
    first, second = world.auction(duration_s=60), world.auction(duration_s=120)

    assert queries.due_auctions(now=first.closes_at - timedelta(seconds=1), limit=9) == []
    assert queries.due_auctions(now=first.closes_at, limit=9) == [first.id]
    assert queries.due_auctions(now=second.closes_at, limit=1) == [first.id]
    world.settle(first)
    assert queries.due_auctions(now=second.closes_at, limit=9) == [second.id]


@pytest.mark.parametrize("count", [1, 5])
def test_a_list_of_auctions_is_one_statement(count, django_assert_num_queries):
    for _ in range(count):
        on = world.auction()
        world.bid(on, world.person(tao=100), 40)

    with django_assert_num_queries(1):
        seen = queries.auctions(state="open", sort="highest")

    assert [view.leader_alias for view in seen] == ["bidder 1"] * count


@pytest.mark.parametrize("sort", sorted(queries.SORTS))
def test_every_order_of_auctions_lists_them_all(sort):
    ids = {world.auction(start=start).id for start in (10, 20)}

    assert {view.id for view in queries.auctions(sort=sort)} == ids


def offer(
    netuid,
    seller,
    *,
    start_rao=10 * TAO,
    reserve_rao=None,
    duration_s=3_600,
    key=None,
    now=NOW,
    house=world.HOUSE,
):
    return operations.open_auction(
        netuid=netuid,
        seller=seller.id,
        asked=Offering(start_rao=start_rao, reserve_rao=reserve_rao, duration_s=duration_s),
        key=key or uuid4().hex,
        now=now,
        house=house,
    )
