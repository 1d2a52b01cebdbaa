"""The demo's auctions and offers: every state of theirs stands somewhere, and seeding again adds none."""

from contextlib import ExitStack

import pytest

from launch import seeding
from launch.visitor import Visitor
from marketplace import operations, queries
from marketplace.models import Auction, Offer, User
from tests.marketplace import world

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a long password"


def test_the_demo_shows_offers_and_a_sale_that_waits_for_payment(live_server, tmp_path):
    for name in ("ada", "ben", "cleo", "dan", "you"):
        world.person(tao=25_000, email=f"{name}@example.com")
    with ExitStack() as stack:
        people = {}

        def person(name):
            if name not in people:
                who = Visitor(live_server.url, email=f"{name}@example.com", password=PASSWORD)
                people[name] = stack.enter_context(who)
            return people[name]

        for _ in range(2):
            for step in (
                seeding.buy_slots(person),
                seeding.open_auctions(person, tmp_path),
                seeding.make_offers(person, tmp_path),
            ):
                list(step)

    sold = Auction.objects.get(backing="deposit")
    operations.settle_auction(auction_id=sold.id, now=sold.closes_at)
    sold.refresh_from_db()
    assert (sold.state, Auction.objects.count()) == ("awaiting", 3)
    assert sorted(Offer.objects.values_list("state", flat=True)) == [
        "buyers_turn",
        "declined",
        "owners_turn",
    ]
    you = User.objects.get(email="you@example.com")
    (mine,) = queries.offers_of(you.id)
    assert "accept" in mine.acts
