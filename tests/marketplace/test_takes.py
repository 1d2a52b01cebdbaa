"""Buying a subnet at its price: a falling one, a fixed one, buy-now."""

from datetime import timedelta

import pytest

from compute.errors import PriceAboveLimit
from ledger.errors import IdempotencyConflict, InsufficientFunds
from ledger.models import Entry
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations, queries
from marketplace.errors import (
    AccountsLinked,
    AuctionClosed,
    AuctionHasNoPrice,
    AuctionNotOpenYet,
    AuctionTakesNoBids,
    BuyNowGone,
    SellerCannotBid,
)
from marketplace.models import Sale
from marketplace.offering import Format
from subnets import queries as slots
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db
QUARTER = timedelta(minutes=15)


def test_a_falling_price_is_paid_as_it_stands_and_the_subnet_changes_hands_at_once():
    seller, ada = world.person(tao=100), world.person(tao=100)
    on = world.falling(seller=seller)
    before = world.purse(seller)[0]
    price_rao = queries.tag_of(on).price_rao(now=NOW + QUARTER)

    sale = world.take(on, ada, now=NOW + QUARTER)

    # 80 TAO above the floor halve in 15 minutes, less what the curve takes off to end at the floor.
    assert 57 * TAO < price_rao < 58 * TAO
    assert (sale.price_rao, sale.buyer, sale.seller) == (price_rao, ada.id, seller.id)
    assert world.purse(ada) == (100 * TAO - price_rao, 0)
    assert world.purse(seller) == (before + price_rao - sale.fee_rao, 0)
    assert world.fees() == sale.fee_rao == price_rao * 250 // 10_000
    assert slots.subnet(on.netuid).owner == ada.id
    seen = queries.auction(on.id)
    assert (seen.state, seen.price_rao, seen.leader_alias) == ("settled", price_rao, "the buyer")
    assert (seen.min_next_rao, seen.take_rao) == (None, None)


def test_a_falling_price_begins_at_its_start_and_closes_at_its_floor():
    ada = world.person(tao=100)
    on = world.falling()

    with pytest.raises(PriceAboveLimit) as refusal:
        world.take(on, ada, at_most=99, now=NOW)
    assert refusal.value.fields == {"price_rao": 100 * TAO, "max_price_rao": 99 * TAO}

    sale = world.take(on, ada, now=on.closes_at - timedelta(microseconds=1))
    assert 20 * TAO <= sale.price_rao < 20 * TAO + TAO // 20


def test_a_fixed_price_stays_and_royalty_is_paid_of_it():
    house = operations.HouseTerms(300, 900, 250, royalty_bps=1_000)
    ada, bob, cyd = world.person(tao=100), world.person(tao=100), world.person(tao=100)
    first = world.auction(seller=ada, start=30, format=Format.FIXED, house=house)
    world.take(first, bob, now=NOW + QUARTER)
    before = world.purse(ada)[0]

    second = operations.open_auction(
        netuid=first.netuid,
        seller=bob.id,
        asked=world.Offering(start_rao=50 * TAO, duration_s=60, format=Format.FIXED),
        key="again",
        now=NOW + QUARTER,
        house=house,
    )
    sale = world.take(second, cyd, at_most=50, now=NOW + QUARTER)

    assert (sale.price_rao, sale.royalty_rao) == (50 * TAO, 5 * TAO)
    assert world.purse(ada)[0] == before + 5 * TAO


def test_buy_now_ends_an_english_auction_and_frees_the_leader():
    ada, bob = world.person(tao=100), world.person(tao=100)
    on = world.auction(start=10, reserve=30, buy_now_rao=60 * TAO)
    world.bid(on, ada, 20)
    assert queries.auction(on.id).take_rao == 60 * TAO

    sale = world.take(on, bob, at_most=60)

    assert (sale.buyer, sale.price_rao) == (bob.id, 60 * TAO)
    assert (world.purse(ada), world.purse(bob)) == ((100 * TAO, 0), (40 * TAO, 0))
    assert queries.auction(on.id).state == "settled"


def test_a_leader_may_buy_now_with_the_money_that_backed_the_bid():
    ada = world.person(tao=65)
    on = world.auction(start=10, reserve=30, buy_now_rao=60 * TAO)
    world.bid(on, ada, 20)

    world.take(on, ada)

    assert world.purse(ada) == (5 * TAO, 0)


def test_the_first_bid_takes_buy_now_off_the_table():
    on, bob = world.auction(buy_now_rao=60 * TAO), world.person(tao=100)
    world.bid(on, world.person(tao=100), 20)
    assert queries.auction(on.id).buy_now_rao is None

    with pytest.raises(BuyNowGone):
        world.take(on, bob)

    assert world.purse(bob) == (100 * TAO, 0)


def test_the_same_key_buys_once():
    ada = world.person(tao=200)
    on, other = world.falling(), world.falling()
    first = world.take(on, ada, key="one", at_most=100)
    after = world.purse(ada), Entry.objects.count()

    assert world.take(on, ada, key="one", at_most=100, now=NOW + 2 * world.HOUR) == first
    for conflict in ({"on": on, "at_most": 99}, {"on": other, "at_most": 100}):
        with pytest.raises(IdempotencyConflict):
            world.take(conflict["on"], ada, key="one", at_most=conflict["at_most"])

    assert (world.purse(ada), Entry.objects.count()) == after


def test_what_was_bought_is_gone():
    on, bob = world.falling(), world.person(tao=100)
    world.take(on, world.person(tao=100))

    with pytest.raises(AuctionClosed):
        world.take(on, bob)

    assert world.purse(bob) == (100 * TAO, 0)


def test_who_cannot_pay_buys_nothing():
    on, ada = world.falling(), world.person(tao=99)

    with pytest.raises(InsufficientFunds):
        world.take(on, ada)

    assert queries.auction(on.id).state == "open"
    assert Sale.objects.filter(kind="auction").count() == 0
    assert world.take(on, ada, now=NOW + QUARTER).buyer == ada.id


def test_neither_the_seller_nor_a_linked_account_buys():
    seller, ada = world.person(tao=300), world.person(tao=100)
    on = world.falling(seller=seller)
    operations.link_accounts(one=seller.id, other=ada.id, note="", linked_by=ada.id, now=NOW)

    with pytest.raises(SellerCannotBid):
        world.take(on, seller)
    with pytest.raises(AccountsLinked):
        world.take(on, ada)

    world.take(on, world.person(tao=100))


def test_nothing_is_bought_before_the_opening_or_at_the_close():
    on, ada = world.falling(opens_at=NOW + QUARTER), world.person(tao=100)

    with pytest.raises(AuctionNotOpenYet):
        world.take(on, ada, now=NOW)
    with pytest.raises(AuctionClosed):
        world.take(on, ada, now=on.closes_at)

    assert world.take(on, ada, now=NOW + QUARTER).price_rao == 100 * TAO


def test_a_price_takes_no_bids_and_sealed_bids_have_no_price():
    ada = world.person(tao=100)

    with pytest.raises(AuctionTakesNoBids) as refusal:
        world.bid(world.falling(), ada, 100)
    with pytest.raises(AuctionHasNoPrice):
        world.take(world.auction(format=Format.SEALED), ada)

    assert refusal.value.fields == {"price_rao": 100 * TAO}


@pytest.mark.parametrize("terms", [{"format": Format.FIXED}, None])
def test_what_nobody_takes_ends_unsold(terms):
    on = world.falling() if terms is None else world.auction(**terms)

    assert queries.due_auctions(now=on.closes_at, limit=9) == [on.id]
    assert world.settle(on) is None
    assert queries.auction(on.id).state == "unsold"
    # What is shown after the end is the last price, for who wonders what it came to.
    assert queries.auction(on.id).price_rao == (20 if terms is None else 10) * TAO


def test_an_auction_may_be_scheduled_and_withdrawn_before_it_opens():
    seller = world.person(tao=100)
    on = world.auction(seller=seller, opens_at=NOW + world.HOUR)

    with pytest.raises(AuctionNotOpenYet):
        world.bid(on, world.person(tao=100), 20)

    assert operations.cancel_auction(auction_id=on.id, seller=seller.id, now=NOW).ended_at == NOW


def test_an_opening_a_moment_ago_by_the_sellers_clock_is_taken():
    on = world.auction(opens_at=NOW - timedelta(seconds=59))

    world.bid(on, world.person(tao=100), 20)
    assert queries.auction(on.id).opens_at == NOW - timedelta(seconds=59)


def test_who_has_less_than_the_price_is_told_the_price_and_what_they_have():
    on, poor = world.auction(start=100, format=Format.FIXED), world.person(tao=98)

    with pytest.raises(InsufficientFunds) as refusal:
        world.take(on, poor)

    # Of the 100 TAO the seller gets 97.5 and the house 2.5: the first part alone could be paid.
    assert refusal.value.fields == {"needed_rao": 100 * TAO, "available_rao": 98 * TAO}
