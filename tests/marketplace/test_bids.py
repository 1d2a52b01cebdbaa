"""Bids: what is held, what is answered, what is refused and leaves no trace."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ledger.errors import (
    IdempotencyConflict,
    IdempotencyKeyInvalid,
    IdempotencyKeyMissing,
    InsufficientFunds,
)
from ledger.models import Entry, Hold
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations, queries
from marketplace.errors import (
    AccountsLinked,
    AuctionClosed,
    AuctionUnknown,
    BidTooLow,
    MaximumNotRaised,
    SellerCannotBid,
)
from marketplace.models import Bid
from marketplace.queries import asking
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db


def traces(on):
    """Count everything a bid could leave behind."""
    on.refresh_from_db()
    return (
        Bid.objects.count(),
        Entry.objects.count(),
        Hold.objects.count(),
        on.version,
        on.price_rao,
    )


def test_the_first_bid_leads_at_the_start_price_and_its_maximum_is_held():
    on, ada = world.auction(start=10), world.person(tao=100)

    placed = world.bid(on, ada, 40)

    assert (placed.is_leading, placed.price_rao, placed.version) == (True, 10 * TAO, 1)
    assert placed.min_next_rao == 10_500_000_000
    assert world.purse(ada) == (100 * TAO, 40 * TAO)


def test_a_higher_maximum_takes_the_lead_and_frees_the_other_hold():
    on, ada, bob = world.auction(), world.person(tao=100), world.person(tao=100)
    world.bid(on, ada, 40)

    placed = world.bid(on, bob, 60)

    assert (placed.is_leading, placed.price_rao) == (True, 41 * TAO)
    assert world.purse(ada) == (100 * TAO, 0)
    assert world.purse(bob) == (100 * TAO, 60 * TAO)


def test_a_bid_beaten_at_once_is_taken_and_holds_nothing():
    on, ada, bob = world.auction(), world.person(tao=100), world.person(tao=100)
    world.bid(on, ada, 60)

    placed = world.bid(on, bob, 40)

    assert (placed.is_leading, placed.price_rao, placed.version) == (False, 41 * TAO, 2)
    assert world.purse(ada) == (100 * TAO, 60 * TAO)
    assert world.purse(bob) == (100 * TAO, 0)


def test_a_leader_raises_the_maximum_with_the_money_it_freed():
    on, ada = world.auction(), world.person(tao=100)
    world.bid(on, ada, 80)

    placed = world.bid(on, ada, 100)

    assert (placed.is_leading, placed.price_rao) == (True, 10 * TAO)
    assert world.purse(ada) == (100 * TAO, 100 * TAO)


def test_the_same_key_gets_the_first_answer_after_the_auction_moved_on():
    on, ada, bob = world.auction(), world.person(tao=100), world.person(tao=100)
    first = world.bid(on, ada, 40, key="one")
    world.bid(on, bob, 60)
    before = traces(on)

    again = world.bid(on, ada, 40, key="one", now=NOW + 3 * world.HOUR)

    assert again.replayed
    assert (again.bid_id, again.price_rao, again.version) == (first.bid_id, 10 * TAO, 1)
    assert again.min_next_rao == first.min_next_rao
    assert traces(on) == before


def test_the_same_key_with_another_maximum_is_refused():
    on, ada = world.auction(), world.person(tao=100)
    world.bid(on, ada, 40, key="one")
    before = traces(on)

    with pytest.raises(IdempotencyConflict) as refusal:
        world.bid(on, ada, 50, key="one")

    assert refusal.value.fields["field"] == "max_rao"
    assert traces(on) == before


def test_the_same_key_on_another_auction_is_refused():
    ada = world.person(tao=100)
    world.bid(world.auction(), ada, 40, key="one")

    with pytest.raises(IdempotencyConflict) as refusal:
        world.bid(world.auction(), ada, 40, key="one")

    assert refusal.value.fields["field"] == "auction"


def test_two_people_may_choose_the_same_key():
    on, ada, bob = world.auction(), world.person(tao=100), world.person(tao=100)
    world.bid(on, ada, 40, key="one")

    assert not world.bid(on, bob, 60, key="one").replayed


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("", IdempotencyKeyMissing),
        ("x" * 129, IdempotencyKeyInvalid),
        ("a\nb", IdempotencyKeyInvalid),
    ],
)
def test_a_bid_without_a_usable_key_is_refused(key, error):
    on, ada = world.auction(), world.person(tao=100)

    with pytest.raises(error):
        operations.place_bid(auction_id=on.id, bidder=ada.id, max_rao=40 * TAO, key=key, now=NOW)

    assert Bid.objects.count() == 0


def test_a_bid_below_the_minimum_writes_nothing():
    on, ada, bob = world.auction(), world.person(tao=100), world.person(tao=100)
    world.bid(on, ada, 40)
    before = traces(on)

    with pytest.raises(BidTooLow) as refusal:
        world.bid(on, bob, 10.4)

    assert refusal.value.fields == {"minimum_rao": 10_500_000_000, "amount_rao": 10_400_000_000}
    assert traces(on) == before
    assert world.purse(bob) == (100 * TAO, 0)


def test_a_leader_cannot_lower_the_maximum():
    on, ada = world.auction(), world.person(tao=100)
    world.bid(on, ada, 40)
    before = traces(on)

    with pytest.raises(MaximumNotRaised):
        world.bid(on, ada, 30)

    assert traces(on) == before


def test_a_leading_bid_without_the_money_writes_nothing():
    on, ada, bob = world.auction(), world.person(tao=100), world.person(tao=50)
    world.bid(on, ada, 40)
    before = traces(on)

    with pytest.raises(InsufficientFunds) as refusal:
        world.bid(on, bob, 60)

    assert refusal.value.fields["available_rao"] == 50 * TAO
    assert traces(on) == before
    assert world.purse(ada) == (100 * TAO, 40 * TAO)


def test_a_bid_beaten_at_once_needs_the_money_all_the_same():
    on, ada, bob = world.auction(), world.person(tao=100), world.person(tao=30)
    world.bid(on, ada, 60)
    before = traces(on)

    with pytest.raises(InsufficientFunds) as refusal:
        world.bid(on, bob, 40)

    assert refusal.value.fields == {"needed_rao": 40 * TAO, "available_rao": 30 * TAO}
    assert traces(on) == before


def test_money_that_one_lead_holds_cannot_back_another():
    first, second, ada = world.auction(), world.auction(), world.person(tao=100)
    world.bid(first, ada, 80)

    with pytest.raises(InsufficientFunds):
        world.bid(second, ada, 80)

    assert world.purse(ada) == (100 * TAO, 80 * TAO)


def test_a_seller_cannot_bid():
    seller = world.person(tao=1_000)
    on = world.auction(seller=seller)

    with pytest.raises(SellerCannotBid):
        world.bid(on, seller, 40)

    assert Bid.objects.count() == 0


def test_a_bid_at_the_end_is_too_late():
    on, ada = world.auction(duration_s=3_600), world.person(tao=100)

    with pytest.raises(AuctionClosed):
        world.bid(on, ada, 40, now=NOW + world.HOUR)

    assert world.bid(on, ada, 40, now=NOW + world.HOUR - timedelta(microseconds=1)).is_leading


def test_a_bid_on_a_cancelled_auction_is_refused():
    seller, ada = world.person(tao=1_000), world.person(tao=100)
    on = world.auction(seller=seller)
    operations.cancel_auction(auction_id=on.id, seller=seller.id, now=NOW)

    with pytest.raises(AuctionClosed) as refusal:
        world.bid(on, ada, 40, now=NOW + timedelta(minutes=1))

    assert refusal.value.fields == {"closes_at": NOW}


def test_a_bid_after_the_settlement_is_told_the_end_and_not_when_it_was_settled():
    on, ada = world.auction(duration_s=3_600), world.person(tao=100)
    world.bid(on, ada, 40)
    world.settle(on, now=NOW + world.HOUR + timedelta(seconds=3))

    with pytest.raises(AuctionClosed) as refusal:
        world.bid(on, world.person(tao=100), 50, now=NOW + world.HOUR + timedelta(seconds=5))

    assert refusal.value.fields == {"closes_at": NOW + world.HOUR}


def test_a_bid_on_no_auction_is_refused():
    with pytest.raises(AuctionUnknown):
        operations.place_bid(auction_id=uuid4(), bidder=uuid4(), max_rao=TAO, key="one", now=NOW)


def test_a_late_bid_moves_the_end_up_to_the_cap():
    on = world.auction(duration_s=3_600)
    ada, bob = world.person(tao=1_000), world.person(tao=1_000)

    world.bid(on, ada, 20, now=NOW + timedelta(seconds=3_000))
    on.refresh_from_db()
    assert on.closes_at == on.scheduled_close_at

    placed = world.bid(on, bob, 30, now=NOW + timedelta(seconds=3_590))
    assert placed.closes_at == NOW + timedelta(seconds=3_890)

    for step, at in enumerate((3_880, 4_170, 4_460), start=4):
        placed = world.bid(on, (ada, bob)[step % 2], step * 10, now=NOW + timedelta(seconds=at))
    assert placed.closes_at == NOW + timedelta(seconds=4_500)


def test_the_log_shows_aliases_and_prices_and_no_maximum():
    on, ada, bob = world.auction(), world.person(tao=100), world.person(tao=100)
    world.bid(on, ada, 40)
    world.bid(on, bob, 30)
    world.bid(on, bob, 60)

    lines = queries.bid_history(on.id, viewer=bob.id)

    assert [(line.sequence, line.alias, line.is_yours) for line in lines] == [
        (3, "bidder 2", True),
        (2, "bidder 2", True),
        (1, "bidder 1", False),
    ]
    assert [line.price_rao for line in lines] == [41 * TAO, 31 * TAO, 10 * TAO]
    assert not {40 * TAO, 60 * TAO} & {line.price_rao for line in lines}
    assert queries.auction(on.id).leader_alias == "bidder 2"


def test_everybody_sees_their_own_standing():
    on, ada, bob = world.auction(), world.person(tao=100), world.person(tao=100)
    world.bid(on, ada, 40)
    world.bid(on, bob, 60)

    assert queries.standing_of(bob.id, on.id) == queries.MyStanding(
        is_leading=True, max_rao=60 * TAO, alias="bidder 2"
    )
    assert queries.standing_of(ada.id, on.id) == queries.MyStanding(
        is_leading=False, max_rao=40 * TAO, alias="bidder 1"
    )
    assert queries.standing_of(uuid4(), on.id) == queries.MyStanding(is_leading=False, max_rao=None)
    (mine,) = queries.bids_of(ada.id)
    assert (mine.auction.id, mine.max_rao, mine.is_leading) == (on.id, 40 * TAO, False)


@pytest.mark.parametrize("earlier_count", [1, 20])
def test_a_bid_costs_the_same_few_statements_whatever_went_before(earlier_count):
    on, ada = world.auction(), world.person(tao=10_000)
    for place in range(earlier_count):
        world.bid(on, world.person(tao=10_000), 20 + 10 * place)

    with CaptureQueriesContext(connection) as captured:
        world.bid(on, ada, 1_000)

    # Lock, read, read the purse, write bid and auction, post; around them this test's savepoint.
    words = [query["sql"].split()[0] for query in captured.captured_queries]
    assert words == ["SAVEPOINT", "SELECT", "SELECT", "SELECT", "WITH", "SELECT", "RELEASE"]


def test_a_hopeless_bid_costs_three_statements():
    on, ada = world.auction(), world.person(tao=10_000)
    for tao in (20, 30):
        world.bid(on, world.person(tao=10_000), tao)

    with CaptureQueriesContext(connection) as captured, pytest.raises(BidTooLow):
        world.bid(on, ada, 20)

    # Ask the row for its lock, which it does not give; look why, and what could be spent; around them this test's savepoint.
    words = [query["sql"].split()[0] for query in captured.captured_queries]
    assert words == ["SAVEPOINT", "SELECT", "SELECT", "SELECT", "RELEASE"]


def test_a_bid_that_an_operator_made_possible_again_is_placed_after_all(monkeypatch):
    on, ada = world.auction(), world.person(tao=10_000)
    # As if the row had refused it when its lock was asked for, and the operator came before it was looked at.
    monkeypatch.setattr(asking, "LOCK", asking.LOCK.replace("auction.state = 'open'", "FALSE"))

    placed = world.bid(on, ada, 40)

    assert (placed.is_leading, placed.replayed) == (True, False)
    assert world.purse(ada) == (10_000 * TAO, 40 * TAO)


def test_linked_accounts_cannot_bid_on_each_others_subnets():
    seller = world.person(tao=1_000)
    on, ada, bob = world.auction(seller=seller), world.person(tao=100), world.person(tao=100)
    operations.link_accounts(
        one=seller.id, other=ada.id, note="one card", linked_by=bob.id, now=NOW
    )

    with pytest.raises(AccountsLinked):
        world.bid(on, ada, 40)

    assert Bid.objects.count() == 0
    assert world.bid(on, bob, 40).is_leading
