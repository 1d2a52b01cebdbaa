"""An operator takes a bidder out, or calls an auction off: what stands then, and whose money is set aside."""

import json
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction

from ledger.models import Entry, Hold
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations, queries
from marketplace.errors import (
    AuctionClosed,
    BidderUnknown,
    BidderVoided,
    BidsNotVoidable,
    ReasonMissing,
)
from marketplace.models import Auction, BidVoid, Notice, User
from marketplace.offering import Backing
from subnets.errors import TextRefused
from tests.marketplace import world
from tests.marketplace.conftest import NOW
from tests.marketplace.test_notices import SECOND, sweep, told

pytestmark = pytest.mark.django_db

VECTORS = json.loads(Path("tests/vectors/proxy_bidding.json").read_text())["scenarios"]
RAO_PER_CENT = TAO // 100  # the vectors count cents of the table in which one TAO is one dollar
OPERATOR = uuid4()


def void(on, bidder, *, reason="A stolen card.", now=NOW):
    return operations.void_bids(
        auction_id=on.id, bidder=bidder.id, reason=reason, operator=OPERATOR, now=now
    )


def shown(on):
    """Return what everybody sees of an auction: the leader's name, price, next minimum, end."""
    seen = queries.auction(on.id)
    return seen.leader_alias, seen.price_rao, seen.min_next_rao, seen.closes_at


@pytest.fixture
def three():
    """An auction from 10 TAO with bids of 100 by Ada, 150 by Bob and 120 by Cy; Bob leads at 122.5."""
    on = world.auction(start=10)
    people = [world.person(tao=500) for _ in range(3)]
    for who, tao in zip(people, (100, 150, 120), strict=True):
        world.bid(on, who, tao)
    return on, *people


def spend(who, *, left=0):
    """Let somebody stake all their money elsewhere: here, on a bid that leads in another auction."""
    posted, held = world.purse(who)
    world.bid(world.auction(start=10), who, (posted - held) // TAO - left)


@pytest.mark.parametrize("case", [one for one in VECTORS if one["id"] == "P30"], ids=["P30"])
def test_a_void_comes_to_what_the_vectors_say(case):
    on = world.auction(start=case["config"]["start"] // 100, duration_s=case["config"]["closes_at"])
    people = {event["bidder"]: world.person(tao=500) for event in case["events"]}

    for event in case["events"]:
        who, now = people[event["bidder"]], NOW + timedelta(seconds=event["t"])
        if event["type"] == "bid":
            world.bid(on, who, event["max"] / 100, now=now)
        else:
            void(on, who, now=now)

        expected = event["expect"]
        on.refresh_from_db()
        assert on.leader == people[expected["leader"]].id
        assert shown(on)[1:] == (
            expected["price"] * RAO_PER_CENT,
            expected["min_next"] * RAO_PER_CENT,
            NOW + timedelta(seconds=expected["closes_at"]),
        )


def test_the_voided_leaders_money_is_free_and_the_next_maximum_held_in_one_entry(three):
    on, ada, bob, cy = three

    void(on, bob)

    assert [world.purse(who)[1] for who in (ada, bob, cy)] == [0, 0, 120 * TAO]
    entry = Entry.objects.get(code="auction:bid:voided")
    assert Hold.objects.get(state="open").placed_by == entry
    row = BidVoid.objects.get()
    assert (row.bidder, row.sequence, row.was_leading) == (bob.id, 4, True)
    assert (row.leader, row.price_rao) == (cy.id, 102_500_000_000)
    assert (row.operator, row.reason, row.voided_at) == (OPERATOR, "A stolen card.", NOW)


def test_a_void_of_somebody_who_does_not_lead_moves_the_price_alone(three):
    on, _, bob, cy = three
    entries = Entry.objects.count()

    void(on, cy)

    assert shown(on)[:2] == ("bidder 2", 102_500_000_000)
    assert world.purse(bob)[1] == 150 * TAO
    assert Entry.objects.count() == entries


def test_voiding_the_only_bidder_leaves_an_auction_without_a_leader():
    on, ada, bob = world.auction(start=10), world.person(tao=100), world.person(tao=100)
    world.bid(on, ada, 40)

    void(on, ada)

    assert shown(on)[:3] == (None, None, 10 * TAO)
    assert world.purse(ada) == (100 * TAO, 0)
    assert world.bid(on, bob, 20).price_rao == 10 * TAO
    assert world.settle(on).buyer == bob.id


def test_voiding_again_changes_nothing(three):
    on, _, bob, _ = three
    void(on, bob)
    before = shown(on), Entry.objects.count(), queries.auction(on.id).version

    void(on, bob, reason="Another reason.")

    assert (shown(on), Entry.objects.count(), queries.auction(on.id).version) == before
    assert BidVoid.objects.get().reason == "A stolen card."


def test_next_leaders_whose_money_is_spent_are_taken_out_as_well(three):
    on, ada, bob, cy = three
    spend(cy)

    void(on, bob)

    assert [row.bidder for row in BidVoid.objects.all()] == [bob.id, cy.id]
    assert "the money for the maximum was spent" in queries.standing_of(cy.id, on.id).void_reason
    assert shown(on)[:2] == ("bidder 1", 10 * TAO)
    assert world.purse(ada)[1] == 100 * TAO


def test_where_everybody_has_spent_their_money_nobody_leads(three):
    on, ada, bob, cy = three
    spend(ada)
    spend(cy)

    void(on, bob)

    assert shown(on)[:2] == (None, None)
    assert BidVoid.objects.count() == 3
    assert world.purse(bob) == (500 * TAO, 0)


def test_a_bid_after_a_void_takes_the_lead_and_frees_what_the_void_held(three):
    on, ada, bob, cy = three
    void(on, bob)

    placed = world.bid(on, ada, 200)

    assert (placed.is_leading, placed.version) == (True, 5)
    assert placed.price_rao == 122_500_000_000
    assert [world.purse(who)[1] for who in (ada, bob, cy)] == [200 * TAO, 0, 0]
    assert queries.auction(on.id).bid_count == 4


def test_a_new_leader_may_raise_their_maximum_and_wins_at_the_end(three):
    on, _, bob, cy = three
    void(on, bob)

    world.bid(on, cy, 300)

    assert world.purse(cy)[1] == 300 * TAO
    sale = world.settle(on)
    assert (sale.buyer, sale.price_rao) == (cy.id, 102_500_000_000)


def test_who_leads_by_a_void_pays_out_of_what_the_void_held(three):
    on, _, bob, cy = three
    void(on, bob)

    sale = world.settle(on)

    assert (sale.buyer, sale.price_rao) == (cy.id, 102_500_000_000)
    assert world.purse(cy) == (500 * TAO - sale.price_rao, 0)


def test_a_lead_that_comes_back_twice_is_held_by_the_newest_void(three):
    on, ada, bob, cy = three
    void(on, bob)
    world.bid(on, ada, 200)

    void(on, ada)

    assert [world.purse(who)[1] for who in (ada, bob, cy)] == [0, 0, 120 * TAO]
    assert shown(on)[:2] == ("bidder 3", 10 * TAO)


def test_a_voided_bidder_neither_bids_nor_buys_there_any_more(three):
    on, ada, bob, _ = three
    world.bid(on, bob, 160, key="before")
    void(on, bob)

    with pytest.raises(BidderVoided):
        world.bid(on, bob, 400)
    with pytest.raises(BidderVoided):
        world.take(on, bob)

    assert world.bid(on, bob, 160, key="before").replayed
    assert world.bid(on, ada, 400).is_leading


def test_the_winner_by_a_deposit_has_the_deposit_held_again():
    on = world.auction(start=10, backing=Backing.DEPOSIT, deposit_bps=1_000, pay_within_s=86_400)
    ada, bob = world.person(tao=500), world.person(tao=500)
    world.bid(on, ada, 100)
    world.bid(on, bob, 200)

    void(on, bob)

    assert (world.purse(ada)[1], world.purse(bob)[1]) == (10 * TAO, 0)


def test_an_unpaid_deposit_that_a_void_held_is_forfeited():
    on = world.auction(start=10, backing=Backing.DEPOSIT, deposit_bps=1_000, pay_within_s=86_400)
    ada, bob = world.person(tao=500), world.person(tao=500)
    world.bid(on, ada, 100)
    world.bid(on, bob, 200)
    void(on, bob)
    world.settle(on)
    on.refresh_from_db()

    operations.end_overdue_auction(auction_id=on.id, now=on.due_at)

    assert world.purse(ada) == (490 * TAO, 0)
    on.refresh_from_db()
    assert on.state == Auction.State.UNSOLD  # who was taken out gets no second chance


def test_what_cannot_be_voided_is_refused_and_leaves_no_trace(three):
    on, _, bob, _ = three
    falling, stranger = world.falling(), world.person()

    with pytest.raises(BidsNotVoidable):
        void(falling, bob)
    with pytest.raises(BidderUnknown) as unknown:
        void(on, stranger)
    with pytest.raises(AuctionClosed):
        void(on, bob, now=on.closes_at)
    with pytest.raises(ReasonMissing):
        void(on, bob, reason=" ")
    with pytest.raises(TextRefused):
        void(on, bob, reason="x" * 301)

    assert unknown.value.fields["bidder"] == stranger.id
    assert not BidVoid.objects.exists()
    world.settle(on)
    with pytest.raises(AuctionClosed):
        void(on, bob)


@pytest.mark.parametrize(
    "change",
    [lambda: BidVoid.objects.update(reason="Another."), lambda: BidVoid.objects.all().delete()],
)
def test_a_void_is_a_fact(three, change):
    on, _, bob, _ = three
    void(on, bob)

    with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
        change()


def test_void_bids_stay_in_the_log_and_say_so(three, client):
    on, _, bob, _ = three
    void(on, bob)
    client.force_login(bob)

    lines = queries.bid_history(on.id)
    page = client.get(f"/auctions/{on.id}/").content.decode()
    answer = client.get(f"/api/v1/auctions/{on.id}/bids/").json()["results"]

    assert [line.is_void for line in lines] == [False, True, False]
    assert [line["is_void"] for line in answer] == [False, True, False]
    assert page.count('<span class="chip is-bad">void</span>') == 1
    assert "A stolen card." in page
    assert 'name="max_rao"' not in page
    assert "taken out" in client.get("/bids/").content.decode()
    client.logout()
    assert "A stolen card." not in client.get(f"/auctions/{on.id}/").content.decode()


def test_an_outbid_notice_follows_who_led_by_a_void(three):
    on, ada, bob, cy = three
    User.objects.update(joined_at=NOW - timedelta(days=1))
    void(on, bob)
    world.bid(on, ada, 200, now=NOW + timedelta(seconds=60))

    for s in (0, 61):
        operations.tell_news(source="outbid", now=NOW + timedelta(seconds=s))

    assert Notice.objects.filter(person=cy.id, kind="outbid").exists()


def test_who_was_taken_out_is_told_why_and_hears_no_more_of_the_auction(three):
    on, ada, bob, cy = three
    User.objects.update(joined_at=NOW - timedelta(days=1))
    for at in (NOW - SECOND, NOW):  # the first sweep plants the cursors
        sweep(at)

    void(on, bob, reason="A false name.", now=NOW + SECOND)
    counts = [sweep(NOW + 2 * SECOND), sweep(NOW + 3 * SECOND)]
    world.settle(on)
    sweep(on.closes_at + SECOND)

    assert (counts, told(bob)) == ([2, 0], ["voided"])
    assert told(cy) == ["leading_again", "won"]
    line = queries.notices_of(bob.id, limit=1)[0]
    assert (line.type, line.path) == ("auction.voided", f"/auctions/{on.id}/")
    assert line.sentence.endswith(
        "Nothing of yours is set aside for it any more. The reason given: “A false name”."
    )
    assert world.purse(bob)[1] == 0
    assert told(ada)[-1] == "lost"
