"""Subnets with their figures and offers over REST: found, filtered and sorted as on their page."""

import pytest
from django.core.cache import cache
from django.test import Client

from ledger.money import RAO_PER_TAO as TAO
from tests.marketplace import world
from tests.marketplace.reading import open_auction

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_figures():
    cache.clear()


def listed(**asked):
    answer = Client().get("/api/v1/listings/", asked)
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def test_a_listing_has_the_figures_of_its_subnet_and_what_is_asked():
    on = open_auction(start=50)

    (one,) = listed()

    assert (one["netuid"], one["price_rao"]) == (on.netuid, str(50 * TAO))
    assert one["ask"]["auction_id"] == str(on.id)
    assert (one["ask"]["format"], one["ask"]["is_open"], one["ask"]["due_at"]) == (
        "english",
        True,
        None,
    )
    assert (one["emission_day_rao"], one["yield_tenths"]) == ("0", None)


def test_listings_are_filtered_and_sorted_as_on_the_page():
    dear, cheap = open_auction(start=50), open_auction(start=20)
    plain = world.subnet(world.person(tao=10_000), name="Not for sale")

    assert [one["netuid"] for one in listed(sale="any", sort="price")] == [
        cheap.netuid,
        dear.netuid,
    ]
    assert [one["netuid"] for one in listed(sale="any", price_max_rao=str(30 * TAO))] == [
        cheap.netuid
    ]
    assert [one["netuid"] for one in listed(q="Not for sale")][:1] == [plain]
    assert listed(sale="fixed") == []


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"sort": "luck"}, "/sort"),
        ({"sale": "barter"}, "/sale"),
        ({"price_min_rao": "1.5"}, "/price_min_rao"),
        ({"miners_min": "-1"}, "/miners_min"),
        ({"q": "x" * 101}, "/q"),
    ],
)
def test_a_filter_that_makes_no_sense_is_named(asked, pointer):
    answer = Client().get("/api/v1/listings/", asked)

    assert answer.status_code == 400
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


def test_listings_take_as_many_statements_for_many_as_for_one(django_assert_max_num_queries):
    open_auction()
    with django_assert_max_num_queries(12) as few:
        listed()
    owner = world.person(tao=100_000)
    for place in range(9):
        world.subnet(owner, name=f"More {place}")
    cache.clear()

    with django_assert_max_num_queries(len(few)):
        assert len(listed()) == 10


def test_unchanged_listings_are_not_sent_again():
    open_auction()
    known = {"If-None-Match": Client().get("/api/v1/listings/").headers["ETag"]}

    assert Client().get("/api/v1/listings/", headers=known).status_code == 304
