"""Pages of subnets that have a price: what they show, and the two steps of buying."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from marketplace import queries
from marketplace.offering import Format
from subnets import queries as slots
from tests.marketplace import world
from tests.marketplace.reading import names_must_exist  # noqa: F401

pytestmark = pytest.mark.django_db


def text(answer):
    """Return a page's words as they are read."""
    plain = re.sub(r"<[^>]+>", " ", answer.content.decode())
    assert "¿" not in plain
    return " ".join(plain.split())


def on_sale(**terms):
    """Offer a subnet now, by the clock that pages read."""
    return world.auction(now=timezone.now(), **terms)


def falling(**terms):
    return world.falling(now=timezone.now(), **terms)


def page_of(on):
    return reverse("auction", args=[on.id])


def test_a_falling_price_shows_its_curve_its_floor_and_what_it_will_be(client):
    on = falling(duration_s=7_200)

    page = text(client.get(page_of(on)))

    assert "Falling price" in page
    assert "20 TAO at the end" in page
    assert "it will be" in page
    assert "The price from opening to close" in page
    assert "Lowest bid" not in page
    assert "Sign in to buy" in page


def test_a_buyer_reviews_the_price_and_owns_the_subnet(client):
    ada, on = world.person(tao=200), on_sale(format=Format.FIXED, start=50)
    client.force_login(ada)
    review = reverse("take_review", args=[on.id])
    assert "Buy at 50 TAO" in text(client.get(page_of(on)))

    answer = client.post(review, {"step": "review", "max_price_rao": "50"})
    assert answer["Location"] == review
    page = client.get(review)
    assert "Left after the purchase 150" in text(page)
    key = page.context["key"]
    for _ in range(2):  # sent twice, it buys once
        client.post(review, {"step": "place", "max_price_rao": "50", "key": key})

    assert slots.subnet(on.netuid).owner == ada.id
    assert world.purse(ada) == (150 * TAO, 0)
    seen = text(client.get(page_of(on)))
    assert "You bought it." in seen
    assert f"Subnet {on.netuid} is yours, for 50 TAO." in seen


def test_who_cannot_pay_is_told_before_the_review(client):
    on = on_sale(format=Format.FIXED, start=50)
    client.force_login(world.person(tao=49))

    answer = client.post(
        reverse("take_review", args=[on.id]),
        {"step": "review", "max_price_rao": "50"},
        follow=True,
    )

    assert answer.redirect_chain[-1][0] == page_of(on)
    assert "49" in text(answer)
    assert queries.auction(on.id).state == "open"


def test_an_english_auction_with_buy_now_offers_both(client):
    on = on_sale(buy_now_rao=60 * TAO)
    client.force_login(world.person(tao=100))

    page = text(client.get(page_of(on)))

    assert "Buy at 60 TAO" in page
    assert "Review the bid" in page


def test_an_auction_that_opens_later_says_so_and_takes_nothing(client):
    on = on_sale(opens_at=timezone.now() + timedelta(hours=3))
    client.force_login(world.person(tao=100))

    page = text(client.get(page_of(on)))

    assert "Opens in" in page
    assert "No bids are taken yet" in page
    assert "Review the bid" not in page


def test_lists_name_the_format(client):
    falling()

    page = text(client.get(reverse("auctions")))

    assert "falling price" in page
    assert "Falls to 20" in page
