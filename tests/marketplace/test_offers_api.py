"""Offers over REST: who may ask what, and how answers and refusals look."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from ledger.scopes import Scope
from marketplace import operations
from marketplace.models import Offer, Sale
from subnets import queries as slots
from tests.marketplace import world
from tests.marketplace.test_api import post, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(db):
    return world.person(tao=1_000)


@pytest.fixture
def ada(db):
    return world.person(tao=100)


@pytest.fixture
def netuid(owner):
    return world.subnet(owner)


@pytest.fixture
def offer(ada, netuid):
    return world.offer(ada, netuid, 40, now=timezone.now(), message="In good hands.")


def with_key(person, scope):
    """Speak as a program that has somebody's key with one scope."""
    made = operations.create_api_key(
        owner=person.id,
        name="bot",
        scopes=[scope],
        expires_at=timezone.now() + timedelta(days=1),
        now=timezone.now(),
    )
    return Client(headers={"Authorization": f"Bearer {made.text}"})


def figure(tao, **more):
    return {"amount_rao": str(tao * TAO), "valid_s": 86_400, **more}


def test_an_offer_is_made_once_and_speaks_in_strings(ada, netuid):
    client = signed_in(ada)

    first, again = (post(client, "offers/", figure(40, netuid=netuid), key="one") for _ in range(2))

    assert (first.status_code, again.json()) == (201, first.json())
    offer, (move,) = first.json()["offer"], first.json()["moves"]
    assert (offer["side"], offer["state"], offer["acts"]) == ("buyer", "owners_turn", ["withdraw"])
    assert offer["amount_rao"] == offer["held_rao"] == move["amount_rao"] == "40000000000"
    assert Offer.objects.count() == 1


def test_an_offer_needs_an_account_a_key_and_terms(ada, client, netuid):
    body = figure(40, netuid=netuid)

    assert post(client, "offers/", body).json()["code"] == "not_authenticated"
    assert client.get("/api/v1/offers/").json()["code"] == "not_authenticated"
    mine = signed_in(ada)
    assert post(mine, "offers/", body, key="").json()["code"] == "idempotency_key_missing"
    assert post(mine, "offers/", body | {"valid_s": 60}).json()["code"] == "invalid_input"
    assert post(mine, "offers/", body | {"amount_rao": 40}).json()["code"] == "invalid_input"

    assert post(mine, "offers/", body).status_code == 201


def test_an_owner_accepts_the_figure_they_saw_and_no_other(ada, owner, offer):
    client, path = signed_in(owner), f"offers/{offer.id}/accept/"

    without = post(client, path, {})
    other = post(client, path, {"expected_amount_rao": str(41 * TAO)})
    taken = post(client, path, {"expected_amount_rao": str(40 * TAO)}, key="yes")
    again = post(client, path, {"expected_amount_rao": str(40 * TAO)}, key="yes")

    assert (without.status_code, without.json()["code"]) == (400, "invalid_input")
    assert (other.status_code, other.json()["code"]) == (409, "offer_changed")
    assert (other.json()["expected_rao"], other.json()["amount_rao"]) == (
        "41000000000", "40000000000",
    )  # fmt: skip
    assert (taken.status_code, taken.json()["offer"]["state"]) == (200, "accepted")
    assert again.json() == taken.json()
    assert slots.subnet(offer.netuid).owner == ada.id
    assert Sale.objects.filter(kind="offer").count() == 1


def test_a_counter_is_answered_with_a_counter_and_a_no(ada, owner, offer):
    path = f"offers/{offer.id}/"

    asked = post(signed_in(owner), f"{path}counter/", figure(60, message="More."))
    seen = signed_in(ada).get(f"/api/v1/{path}").json()
    promised = post(signed_in(ada), f"{path}counter/", figure(50))
    ended = post(signed_in(owner), f"{path}decline/", {"message": "No."})

    assert asked.json()["offer"]["acts"] == ["decline"]
    assert seen["offer"]["acts"] == ["accept", "counter", "decline", "withdraw"]
    assert (seen["offer"]["amount_rao"], seen["offer"]["held_rao"]) == (
        "60000000000",
        "40000000000",
    )
    assert promised.json()["offer"]["held_rao"] == "50000000000"
    assert (ended.json()["offer"]["state"], ended.json()["offer"]["held_rao"]) == ("declined", "0")
    said = [(move["side"], move["act"], move["message"]) for move in ended.json()["moves"]]
    assert said == [
        ("buyer", "offer", "In good hands."),
        ("owner", "counter", "More."),
        ("buyer", "counter", ""),
        ("owner", "decline", "No."),
    ]
    assert world.purse(ada) == (100 * TAO, 0)


def test_an_offer_is_withdrawn_without_a_key(ada, offer):
    answer = post(signed_in(ada), f"offers/{offer.id}/withdraw/", {}, key="")

    assert (answer.status_code, answer.json()["offer"]["state"]) == (200, "withdrawn")


def test_others_offers_are_not_found(offer):
    eve, path = signed_in(world.person(tao=100)), f"offers/{offer.id}/"
    tries = {
        "accept/": {"expected_amount_rao": str(40 * TAO)},
        "counter/": figure(50),
        "decline/": {},
        "withdraw/": {},
    }

    answers = [post(eve, path + act, body) for act, body in tries.items()]
    answers.append(eve.get(f"/api/v1/{path}"))

    assert {(one.status_code, one.json()["code"]) for one in answers} == {(404, "offer_unknown")}
    assert eve.get("/api/v1/offers/").json() == {"results": [], "next": None}


@pytest.mark.parametrize(("scope", "status"), [(Scope.SELL, 200), (Scope.BID, 403)])
def test_an_owners_key_answers_with_the_scope_to_sell(owner, offer, scope, status):
    answer = post(
        with_key(owner, scope), f"offers/{offer.id}/accept/", {"expected_amount_rao": str(40 * TAO)}
    )

    assert answer.status_code == status
    assert answer.json().get("scope") == (None if status == 200 else "sell")
    assert Sale.objects.filter(kind="offer").exists() is (status == 200)


@pytest.mark.parametrize(("scope", "status"), [(Scope.BID, 200), (Scope.SELL, 403)])
def test_a_buyers_key_answers_with_the_scope_to_bid(ada, owner, offer, scope, status):
    world.counter(offer, owner, 60, now=timezone.now())

    answer = post(
        with_key(ada, scope), f"offers/{offer.id}/accept/", {"expected_amount_rao": str(60 * TAO)}
    )

    assert answer.status_code == status
    assert answer.json().get("scope") == (None if status == 200 else "bid")


def test_a_list_of_offers_comes_in_pages_and_by_side(ada, owner, netuid):
    now = timezone.now()
    made = [
        world.offer(who, netuid, 1, now=now + timedelta(seconds=number))
        for number, who in enumerate([ada, *(world.person(tao=5) for _ in range(2))])
    ]
    client = signed_in(owner)

    first = client.get("/api/v1/offers/", {"limit": 2, "side": "owner"}).json()
    second = client.get(first["next"]).json()

    listed = [row["id"] for row in first["results"] + second["results"]]
    assert listed == [str(offer.id) for offer in reversed(made)]
    assert second["next"] is None
    assert client.get("/api/v1/offers/", {"side": "buyer"}).json()["results"] == []
    assert len(signed_in(ada).get("/api/v1/offers/").json()["results"]) == 1


@pytest.mark.parametrize("count", [1, 20])
def test_a_list_of_offers_asks_as_often_for_one_as_for_twenty(
    owner, netuid, count, django_assert_num_queries
):
    for _ in range(count):
        world.offer(world.person(tao=1), netuid, 1)
    client = signed_in(owner)

    with django_assert_num_queries(3):  # the session, the person, the list
        assert len(client.get("/api/v1/offers/").json()["results"]) == count
