"""Pages of offers: an amount is reviewed before it is promised, and both sides find what they may answer."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations
from marketplace.models import Offer
from marketplace.offering import Offering
from subnets import queries as slots
from tests.marketplace import world
from tests.marketplace.reading import names_must_exist, read  # noqa: F401

pytestmark = pytest.mark.django_db

DAY_S = 86_400


@pytest.fixture
def owner(db):
    return world.person(tao=1_000)


@pytest.fixture
def ada(db):
    return world.person(tao=100)


@pytest.fixture
def netuid(owner):
    return world.subnet(owner, name="Useful Work")


@pytest.fixture
def offer(ada, netuid):
    return world.offer(ada, netuid, 40, now=timezone.now(), message="In good <hands>.")


def key_in(page):
    return re.search(r'name="key" value="([^"]+)"', page)[1]


def answer(client, offer, act, **more):
    sent = {"act": act, "key": "k"} | more
    return client.post(reverse("offer", args=[offer.id]), sent, follow=True).content.decode()


def test_an_offer_is_reviewed_then_made(client, ada, netuid):
    client.force_login(ada)
    assert "Make an offer" in read(client, "subnet", netuid)
    page = reverse("make_offer", args=[netuid])
    typed = {"amount_rao": "40", "valid_s": DAY_S, "message": "In good hands."}
    assert "Available in your wallet" in read(client, "make_offer", netuid)

    asked = client.post(page, typed | {"step": "review"})
    assert asked["Location"] == reverse("offer_review", args=[netuid])
    review = read(client, "offer_review", netuid)
    assert "Set aside in your wallet" in review
    assert "In good hands." in review
    assert not Offer.objects.exists()
    sent = typed | {"step": "place", "key": key_in(review)}
    placed = client.post(page, sent, follow=True).content.decode()

    assert "Your offer stands. 40 TAO is set aside until" in placed
    client.post(page, sent)
    assert Offer.objects.count() == 1
    assert world.purse(ada) == (100 * TAO, 40 * TAO)
    assert client.get(page)["Location"] == reverse("offer", args=[Offer.objects.get().id])


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"amount_rao": "101"}, "100 TAO are available"),
        ({"amount_rao": "much"}, "is not an amount"),
        ({"valid_s": "60"}, "Select a valid choice"),
        ({"message": "good\u202e hands"}, "cannot be seen"),
    ],
)
def test_what_cannot_be_offered_is_said_at_the_form(client, ada, netuid, changed, why):
    client.force_login(ada)
    typed = {"step": "review", "amount_rao": "40", "valid_s": DAY_S, "message": ""}

    page = client.post(reverse("make_offer", args=[netuid]), typed | changed, follow=True)

    assert why in page.content.decode()
    assert not Offer.objects.exists()


def test_an_owner_cannot_offer_and_a_visitor_signs_in_first(client, owner, netuid):
    assert "/accounts/login/" in client.get(reverse("make_offer", args=[netuid]))["Location"]
    client.force_login(owner)

    assert "is yours" in read(client, "make_offer", netuid, status=403)
    assert "Make an offer" not in read(client, "subnet", netuid)


def test_both_sides_find_the_offer_and_others_do_not(client, ada, owner, offer):
    client.force_login(ada)
    assert "Waits for the owner" in read(client, "offers")
    assert "Withdraw the offer" in read(client, "offer", offer.id)
    client.force_login(owner)
    assert "Waits for your answer" in read(client, "offers")
    page = read(client, "offer", offer.id)
    assert "In good &lt;hands&gt;." in page
    assert "Sell for 40 TAO" in page
    client.force_login(world.person())

    empty = read(client, "offers")
    assert "Nobody has made you an offer" in empty
    assert "You have offered nothing yet" in empty
    read(client, "offer", offer.id, status=404)
    assert client.post(reverse("offer", args=[offer.id]), {"act": "decline"}).status_code == 404


def test_an_owner_sells_what_they_saw_once_they_agree(client, ada, owner, offer):
    client.force_login(owner)
    seen = {"expected_rao": 40 * TAO}

    assert "Tick that you understand" in answer(client, offer, "accept", **seen)
    other = answer(client, offer, "accept", is_agreed="on", expected_rao=41 * TAO)
    assert "40 TAO is on the table now" in other
    assert slots.subnet(offer.netuid).owner == owner.id
    sold = answer(client, offer, "accept", is_agreed="on", **seen)

    assert "Sold. 39 TAO is in your wallet" in sold
    assert slots.subnet(offer.netuid).owner == ada.id
    client.force_login(ada)
    assert "It is yours" in read(client, "offer", offer.id)
    assert "Offer accepted" in read(client, "subnet", offer.netuid)
    assert "Offer accepted" in read(client, "auctions")
    assert "Offer accepted" in read(client, "wallet")


def test_a_counter_is_shown_to_the_buyer_who_buys(client, ada, owner, offer):
    client.force_login(owner)
    too_low = answer(client, offer, "counter", amount_rao="40", valid_s=DAY_S, message="")
    assert "a counter asks for more than was offered" in too_low
    unread = answer(client, offer, "counter", amount_rao="", valid_s=DAY_S, message="")
    assert "This field is required" in unread
    asked = answer(client, offer, "counter", amount_rao="60", valid_s=DAY_S, message="More.")
    assert "You asked for 60 TAO." in asked
    assert "You may still break off" in asked
    client.force_login(ada)

    page = read(client, "offer", offer.id)
    assert "The owner asks for" in page
    assert "More." in page
    bought = answer(client, offer, "accept", is_agreed="on", expected_rao=60 * TAO)

    assert f"Subnet {offer.netuid} is yours, for 60 TAO." in bought
    assert world.purse(ada) == (40 * TAO, 0)


def test_a_buyer_answers_with_another_amount_or_takes_it_back(client, ada, owner, offer):
    world.counter(offer, owner, 200, now=timezone.now())
    client.force_login(ada)
    assert "You have too little for this figure" in read(client, "offer", offer.id)

    more = answer(client, offer, "counter", amount_rao="50", valid_s=DAY_S, message="")
    assert "You countered. 50 TAO is set aside" in more
    back = answer(client, offer, "withdraw")

    assert "Withdrawn. Your money is free." in back
    assert "It has ended" in back
    assert world.purse(ada) == (100 * TAO, 0)
    assert "has ended" in answer(client, offer, "decline")


def test_an_owner_with_an_auction_is_told_to_withdraw_it_first(client, owner, offer):
    operations.open_auction(
        netuid=offer.netuid,
        seller=owner.id,
        asked=Offering(start_rao=TAO, duration_s=3_600),
        key="sell",
        now=timezone.now(),
    )
    client.force_login(owner)

    page = read(client, "offer", offer.id)

    assert "Withdraw the auction first" in page
    assert "Sell for" not in page
    assert "Withdraw the auction first" not in answer(client, offer, "decline")


def test_the_page_of_offers_asks_as_often_for_one_as_for_twenty(client, owner, netuid):
    def statement_count():
        with CaptureQueriesContext(connection) as asked:
            read(client, "offers")
        return len(asked)

    world.offer(world.person(tao=1), netuid, 1, now=timezone.now())
    client.force_login(owner)
    read(client, "offers")
    for_one = statement_count()
    for _ in range(19):
        world.offer(world.person(tao=1), netuid, 1, now=timezone.now())

    assert statement_count() == for_one


def test_the_owner_is_not_told_what_they_would_get_of_an_offer_that_ended(client, owner, offer):
    client.force_login(owner)
    assert "You would get" in read(client, "offer", offer.id)

    operations.end_offer(offer_id=offer.id, now=offer.expires_at)

    assert "You would get" not in read(client, "offer", offer.id)
