"""Lists in pages: nothing is lost or shown twice, filters are kept, and a cursor fits its own list alone."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from marketplace import queries
from marketplace.models import Sale
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db


def pages(client, path):
    """Follow `next` from a first page to the last; return the pages."""
    found = [client.get(f"/api/v1/{path}")]
    while found[-1].json()["next"]:
        assert found[-1].headers["Link"] == f'<{found[-1].json()["next"]}>; rel="next"'
        found.append(client.get(found[-1].json()["next"]))
        assert len(found) < 20
    assert "Link" not in found[-1].headers
    return [page.json()["results"] for page in found]


@pytest.fixture
def five(db):
    """Five auctions, two of them with bids, of which three open at the same instant."""
    ada = world.person(tao=1_000)
    opened = [
        world.auction(start=10 + number, now=NOW + timedelta(minutes=number // 3))
        for number in range(5)
    ]
    for auction in opened[:2]:
        world.bid(auction, ada, 40, now=NOW + timedelta(minutes=5))
    return opened


@pytest.mark.parametrize("sort", sorted(queries.SORTS))
def test_pages_hold_what_the_whole_list_holds_in_its_order(client, five, sort):
    whole = client.get(f"/api/v1/auctions/?sort={sort}").json()["results"]

    read = pages(client, f"auctions/?sort={sort}&limit=2")

    assert [len(page) for page in read] == [2, 2, 1]
    assert [row["id"] for page in read for row in page] == [row["id"] for row in whole]


def test_a_row_that_comes_meanwhile_moves_no_page(client, five):
    first = client.get("/api/v1/auctions/?sort=newest&limit=3").json()
    world.auction(now=NOW + timedelta(hours=1))

    second = client.get(first["next"]).json()

    shown = [row["id"] for row in first["results"] + second["results"]]
    assert set(shown) == {str(auction.id) for auction in five}
    assert len(shown) == 5


def test_filters_are_kept_from_page_to_page(client, five):
    netuid = five[0].netuid

    first = client.get("/api/v1/auctions/?state=open&limit=1").json()

    assert parse_qs(urlsplit(first["next"]).query)["state"] == ["open"]
    (page,) = pages(client, f"auctions/?netuid={netuid}&limit=1")
    assert [row["id"] for row in page] == [str(five[0].id)]


@pytest.mark.parametrize(
    "path", ["auctions/?limit=2&state=open&cursor={}", "sales/?cursor={}", "auctions/?cursor={}x"]
)
def test_a_cursor_of_another_list_is_refused(client, five, path):
    first = client.get("/api/v1/auctions/?limit=2").json()
    cursor = parse_qs(urlsplit(first["next"]).query)["cursor"][0]

    answer = client.get(f"/api/v1/{path.format(cursor)}")

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")


@pytest.mark.parametrize("limit", ["0", "101", "many"])
def test_a_page_has_1_to_100_rows(client, db, limit):
    answer = client.get(f"/api/v1/sales/?limit={limit}")

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/limit")


def test_sales_are_told_without_the_buyer(client, five):
    sold = world.settle(five[0])

    read = pages(client, "sales/?limit=2")

    rows = [row for page in read for row in page]
    assert len(rows) == Sale.objects.count()
    (row,) = [row for row in rows if row["id"] == str(sold.id)]
    assert (row["price_rao"], row["netuid"]) == (str(sold.price_rao), five[0].netuid)
    assert str(sold.buyer) not in str(rows)
    assert {row["netuid"] for row in client.get("/api/v1/sales/?netuid=2").json()["results"]} <= {2}


def test_bids_come_in_pages(client, five):
    bob = world.person(tao=1_000)
    for tao in (50, 60, 70):
        world.bid(five[0], bob, tao, now=NOW + timedelta(minutes=6))

    read = pages(client, f"auctions/{five[0].id}/bids/?limit=3")

    assert [[row["sequence"] for row in page] for page in read] == [[4, 3, 2], [1]]


@pytest.mark.parametrize("count", [1, 20])
def test_a_page_of_sales_takes_one_statement(client, count, django_assert_num_queries):
    for number in range(count):
        world.slot(world.person(tao=10_000), now=NOW + timedelta(days=30 * number))

    with django_assert_num_queries(1):
        assert len(client.get("/api/v1/sales/?limit=20").json()["results"]) == count


# Entity tags -------------------------------------------------------------------------------------


def again(client, path, answer):
    return client.get(path, headers={"If-None-Match": answer.headers["ETag"]})


def test_who_has_the_newest_version_is_told_so_by_one_narrow_statement(
    client, five, django_assert_num_queries
):
    path = f"/api/v1/auctions/{five[0].id}/"
    first = client.get(path)

    with django_assert_num_queries(1):
        same = again(client, path, first)
    world.bid(five[0], world.person(tao=1_000), 60, now=NOW + timedelta(minutes=7))
    changed = again(client, path, first)

    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["ETag"] == first.headers["ETag"]
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert changed.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize(
    "path", ["auctions/", "sales/", "auctions/{}/bids/", "auctions/?limit=2&sort=highest"]
)
def test_a_list_that_did_not_change_is_not_sent_again(client, five, path):
    path = f"/api/v1/{path.format(five[0].id)}"
    first = client.get(path)

    same = again(client, path, first)
    world.bid(five[0], world.person(tao=1_000), 60, now=NOW + timedelta(minutes=7))
    world.subnet(world.person(tao=1_000))
    changed = again(client, path, first)

    assert same.status_code == 304
    assert changed.status_code == 200


def test_a_tag_of_bids_is_one_persons(five, client):
    path = f"/api/v1/auctions/{five[0].id}/bids/"
    first = client.get(path)
    client.force_login(
        world.person(), backend="allauth.account.auth_backends.AuthenticationBackend"
    )

    assert again(client, path, first).status_code == 200


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(None, 200), ("{}", 200), ("*", 200), ('"nonsense", {}', 200), ('"9-x"', 412), ("W/{}", 412)],
)
def test_an_auction_is_withdrawn_as_it_was_seen(sent, expected):
    seller = world.person(tao=1_000)
    auction = world.auction(seller=seller, now=timezone.now())
    client = Client()
    client.force_login(seller, backend="allauth.account.auth_backends.AuthenticationBackend")
    path = f"/api/v1/auctions/{auction.id}/"
    etag = client.get(path).headers["ETag"]

    answer = client.post(f"{path}cancel/", headers={"If-Match": sent.format(etag)} if sent else {})

    auction.refresh_from_db()
    assert answer.status_code == expected
    assert auction.state == ("cancelled" if expected == 200 else "open")
    if expected == 412:
        assert (answer.json()["code"], answer.json()["version"]) == ("precondition_failed", "0")
