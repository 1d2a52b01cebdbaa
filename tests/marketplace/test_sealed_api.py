"""Sealed bids, payment and second chances over REST."""

import pytest
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations
from marketplace.offering import Backing, Format
from tests.marketplace import world
from tests.marketplace.test_api import post, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(db):
    return world.person(tao=1_000)


@pytest.fixture
def on(db):
    return world.auction(format=Format.SEALED, now=timezone.now())


def sealed_bids(client, on, **asked):
    return client.get(f"/api/v1/auctions/{on.id}/sealed-bids/", asked).json()


def test_a_sealed_bid_is_answered_with_what_its_bidder_needs_to_check_it(ada, on):
    path, asked = f"auctions/{on.id}/sealed-bids/", {"max_rao": str(130 * TAO)}
    client = signed_in(ada)

    answer = post(client, path, asked, key="one")

    assert answer.status_code == 201
    body = answer.json()
    assert (body["max_rao"], body["cover_rao"]) == (str(130 * TAO), str(200 * TAO))
    assert len(body["commitment"]) == len(body["nonce"]) == 64
    assert post(client, path, asked, key="one").json() == body
    refused = post(client, path, {"max_rao": str(131 * TAO), "cover_rao": "1"})
    assert (refused.status_code, refused.json()["code"]) == (422, "cover_below_maximum")
    assert post(client, path, {"max_rao": 5}).status_code == 400


def test_everybody_reads_commitments_before_and_openings_after_the_end(ada, on, client):
    for who, tao in ((ada, 130), (world.person(tao=1_000), 300)):
        world.seal(on, who, tao, now=timezone.now())

    before = sealed_bids(client, on)
    mine = sealed_bids(signed_in(ada), on, limit=1)
    rest = signed_in(ada).get(mine["next"]).json()
    world.settle(on)
    after = sealed_bids(client, on)

    assert [line["is_yours"] for line in mine["results"]] == [True]
    assert [line["sequence"] for line in mine["results"] + rest["results"]] == [1, 2]
    assert {line["max_rao"] for line in before["results"]} == {None}
    assert (before["winner_alias"], before["price_rao"], before["next"]) == (None,) * 3
    assert [line["commitment"] for line in after["results"]] == [
        line["commitment"] for line in before["results"]
    ]
    assert [line["max_rao"] for line in after["results"]] == [str(130 * TAO), str(300 * TAO)]
    assert (after["winner_alias"], after["price_rao"]) == ("bidder 2", str(130 * TAO))


def test_the_reserve_is_told_after_the_end_alone(ada, client):
    on = world.auction(format=Format.SEALED, reserve=200, now=timezone.now())
    world.seal(on, ada, 130, now=timezone.now())

    assert sealed_bids(client, on)["reserve_rao"] is None
    world.settle(on)
    assert sealed_bids(client, on)["reserve_rao"] == str(200 * TAO)


def test_a_winner_pays_and_a_second_chance_is_declined(ada):
    bob, now = world.person(tao=1_000), timezone.now()
    terms = {"backing": Backing.DEPOSIT, "deposit_bps": 1_000, "pay_within_s": 3_600}
    on = world.auction(duration_s=3_600, now=now - world.HOUR, **terms)
    for who, tao in ((bob, 100), (ada, 150)):
        world.bid(on, who, tao, now=now - world.HOUR)
    world.settle(on)
    other = post(signed_in(bob), f"auctions/{on.id}/pay/", {})
    assert (other.status_code, other.json()["code"]) == (403, "not_yours_to_pay")

    paid = post(signed_in(ada), f"auctions/{on.id}/pay/", {})

    assert (paid.status_code, paid.json()) == (
        201, {"netuid": on.netuid, "price_rao": "102500000000"},
    )  # fmt: skip
    lost = world.auction(duration_s=3_600, now=now - 3 * world.HOUR, **terms)
    for who, tao in ((bob, 100), (ada, 150)):
        world.bid(lost, who, tao, now=now - 3 * world.HOUR)
    world.settle(lost)
    operations.end_overdue_auction(auction_id=lost.id, now=now)
    answer = post(signed_in(bob), f"auctions/{lost.id}/decline/", {})
    assert (answer.status_code, answer.json()["state"]) == (200, "declined")
    lost.refresh_from_db()
    assert lost.state == "unsold"
