"""The marketplace over REST: who may ask what, and how answers and refusals look."""

from itertools import count
from uuid import UUID, uuid4

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from compute.queries import Energy
from ledger.money import RAO_PER_TAO as TAO
from marketplace.api import limits
from marketplace.models import Auction, Bid, Sale
from subnets.api.authentication import receiver
from tests.marketplace import world

pytestmark = pytest.mark.django_db

numbers = count()


@pytest.fixture
def ada(db):
    return world.person(tao=100)


@pytest.fixture
def on(db):
    return world.auction(now=timezone.now())


def signed_in(user):
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def post(client, path, body, *, key=None):
    headers = {} if key == "" else {"Idempotency-Key": key or f"request {next(numbers)}"}
    return client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


def bid(client, on, tao, **options):
    return post(client, f"auctions/{on.id}/bids/", {"max_rao": str(tao * TAO)}, **options)


def test_a_leading_bid_is_201_and_speaks_in_strings(ada, on):
    answer = bid(signed_in(ada), on, 40)

    assert answer.status_code == 201
    body = answer.json()
    assert (body["is_leading"], body["price_rao"], body["min_next_rao"], body["version"]) == (
        True, "10000000000", "10500000000", 1,
    )  # fmt: skip
    assert set(body) == {
        "bid_id",
        "is_leading",
        "price_rao",
        "min_next_rao",
        "closes_at",
        "version",
    }


def test_a_bid_beaten_at_once_is_200(ada, on):
    bid(signed_in(world.person(tao=100)), on, 60)

    answer = bid(signed_in(ada), on, 40)

    assert (answer.status_code, answer.json()["is_leading"]) == (200, False)


def test_the_same_key_gets_the_same_answer(ada, on):
    client = signed_in(ada)

    first, again = (bid(client, on, 40, key="one") for _ in range(2))

    assert (again.status_code, again.json()) == (201, first.json())
    assert Bid.objects.count() == 1


def test_the_same_key_for_another_bid_is_a_problem(ada, on):
    client = signed_in(ada)
    bid(client, on, 40, key="one")

    answer = bid(client, on, 50, key="one")

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert (answer.json()["key"], answer.json()["field"]) == ("one", "max_rao")


def test_a_bid_without_a_key_is_a_problem(ada, on):
    answer = bid(signed_in(ada), on, 40, key="")

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "idempotency_key_missing"
    assert Bid.objects.count() == 0


def test_a_low_bid_says_what_is_needed(ada, on):
    bid(signed_in(world.person(tao=100)), on, 60)

    answer = bid(signed_in(ada), on, 10)

    assert answer.status_code == 409
    assert (answer.json()["code"], answer.json()["minimum_rao"]) == ("bid_too_low", "10500000000")


def test_a_bid_without_money_is_402(ada, on):
    answer = bid(signed_in(ada), on, 101)

    assert (answer.status_code, answer.json()["code"]) == (402, "insufficient_funds")


@pytest.mark.parametrize("max_rao", [40_000_000_000, "1.5", "-1", "0", "", None, str(2**63)])
def test_rao_that_is_no_string_of_digits_is_refused(ada, on, max_rao):
    answer = post(signed_in(ada), f"auctions/{on.id}/bids/", {"max_rao": max_rao})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/max_rao"


@pytest.mark.parametrize(
    "path",
    ["auctions/", "auctions/{on}/bids/", "auctions/{on}/cancel/", "slots/", "deposits/"],
)
def test_a_visitor_writes_nothing(client, on, path):
    answer = post(client, path.format(on=on.id), {"max_rao": "1"})

    assert answer.status_code in {401, 403}
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["wallet/", "wallet/statement/", f"deposits/{UUID(int=7)}/"])
def test_a_visitor_has_no_wallet(client, db, path):
    assert client.get(f"/api/v1/{path}").status_code in {401, 403}


def test_a_post_from_another_site_is_refused(ada, on):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")

    answer = bid(client, on, 40)

    assert answer.status_code == 403
    assert Bid.objects.count() == 0


def test_anybody_reads_an_auction_and_no_secret_of_it(client, ada):
    on = world.auction(start=10, reserve=50, now=timezone.now())
    bid(signed_in(ada), on, 40)

    body = client.get(f"/api/v1/auctions/{on.id}/").json()
    log = client.get(f"/api/v1/auctions/{on.id}/bids/").json()
    listed = client.get("/api/v1/auctions/?state=open&sort=highest&limit=5").json()["results"]

    assert (body["price_rao"], body["leader_alias"], body["has_reserve"]) == (
        "10000000000", "bidder 1", True,
    )  # fmt: skip
    assert [auction["id"] for auction in listed] == [str(on.id)]
    assert [line["alias"] for line in log["results"]] == ["bidder 1"]
    said = f"{body} {log} {listed}"
    assert str(40 * TAO) not in said
    assert str(50 * TAO) not in said
    assert str(ada.id) not in said


def test_an_unknown_auction_is_404(client, db):
    for path in (f"auctions/{uuid4()}/", f"auctions/{uuid4()}/bids/"):
        answer = client.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "auction_unknown")


def test_a_list_asked_for_wrongly_says_which_word_is_wrong(client, db):
    answer = client.get("/api/v1/auctions/?sort=luck")

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/sort")


def test_an_owner_opens_and_withdraws_an_auction(ada):
    client, netuid = signed_in(ada), world.subnet(ada)
    body = {"netuid": netuid, "start_rao": str(10 * TAO), "duration_s": 600}

    opened = post(client, "auctions/", body)
    closed = post(client, f"auctions/{opened.json()['id']}/cancel/", {})

    assert (opened.status_code, opened.json()["state"]) == (201, "open")
    assert opened.json()["has_reserve"] is False
    assert (closed.status_code, closed.json()["state"]) == (200, "cancelled")


def test_nobody_opens_an_auction_for_a_subnet_of_others(ada):
    netuid = world.subnet(world.person(tao=100))
    body = {"netuid": netuid, "start_rao": str(10 * TAO), "duration_s": 600}

    answer = post(signed_in(ada), "auctions/", body)

    assert (answer.status_code, answer.json()["code"]) == (403, "not_the_owner")
    assert Auction.objects.count() == 0


def test_a_slot_is_bought_once_per_key(ada):
    client = signed_in(ada)
    body = {
        "name": "Useful",
        "summary": "Multiplies.",
        "blueprint": "matmul",
        "max_cost_rao": str(90 * TAO),
    }

    first, again = (post(client, "slots/", body, key="one") for _ in range(2))

    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    sale = Sale.objects.get()
    assert first.json() == {"netuid": sale.netuid, "cost_rao": str(sale.price_rao)}


def test_a_wallet_tells_what_is_held(ada, on):
    client = signed_in(ada)
    bid(client, on, 40)

    assert client.get("/api/v1/wallet/").json() == {
        "posted_rao": str(100 * TAO),
        "held_rao": str(40 * TAO),
        "available_rao": str(60 * TAO),
        "withdrawable_rao": str(60 * TAO),
        "restricted_rao": "0",
        "restricted_until": None,
        "kept_rao": "0",
        "owed_rao": "0",
    }


def test_a_statement_is_read_page_by_page(ada):
    client = signed_in(ada)
    for _ in range(2):
        world.slot(ada)

    first = client.get("/api/v1/wallet/statement/?limit=2").json()
    rest = client.get(first["next"]).json()

    lines = first["results"] + rest["results"]
    assert [line["code"] for line in lines] == ["subnet:slot:bought"] * 2 + ["treasury:grant:made"]
    assert lines[0]["change_rao"].startswith("-")
    assert lines[0]["balance_rao"] == str(world.purse(ada)[0])
    assert rest["next"] is None


def test_a_deposit_opens_a_page_that_its_owner_alone_can_ask_about(ada, far_end):
    far_end.clock = timezone.now().timestamp
    client = signed_in(ada)

    opened = post(client, "deposits/", {"amount_cents": 2_500})

    assert opened.status_code == 201
    assert opened.json()["checkout_url"].startswith(far_end.url)
    path = f"/api/v1/deposits/{opened.json()['id']}/"
    assert client.get(path).json() == opened.json()
    assert signed_in(world.person()).get(path).status_code == 404


def test_the_network_says_whom_to_sign_for_and_whether_the_books_are_in_order(client, on, ada):
    bid(signed_in(ada), on, 40)

    body = client.get("/api/v1/network/").json()

    assert body["receiver"] == receiver()
    assert (body["subnet_count"], body["free_slot_count"], body["auctions_open_count"]) == (
        1,
        127,
        1,
    )
    assert (body["is_balanced"], body["issued_rao"]) == (True, str(1_000_000 * TAO))
    assert body["sales_volume_rao"] == str(Sale.objects.get().price_rao)


def test_the_network_says_no_figure_of_energy_that_nobody_measured(client, on):
    body = client.get("/api/v1/network/").json()

    assert (body["energy_days"], body["energy_machine_count"]) == (7, 0)
    assert (body["energy_kwh"], body["jobs_verified_per_kwh"]) == (None, None)


def test_the_network_says_what_machines_used_and_what_came_of_it(client, on):
    cache.set("energy-figures", Energy(1_800_000_000, 2, 30), 60)

    body = client.get("/api/v1/network/").json()

    assert body["energy_machine_count"] == 2
    assert (body["energy_kwh"], body["jobs_verified_per_kwh"]) == (0.5, 60.0)


def test_the_network_is_read_from_the_cache_within_a_second(client, on, django_assert_num_queries):
    client.get("/api/v1/network/")

    with django_assert_num_queries(0):
        assert client.get("/api/v1/network/").status_code == 200


def test_a_network_without_genesis_is_503(client, db):
    answer = client.get("/api/v1/network/")

    assert (answer.status_code, answer.json()["code"]) == (503, "network_not_founded")


def test_too_many_bids_are_slowed_down_and_reading_is_not(ada, on, monkeypatch):
    monkeypatch.setattr(limits.BidThrottle, "usual_rate", "2/min")
    client = signed_in(ada)

    answers = [bid(client, on, tao) for tao in (40, 50, 60)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert int(answers[2]["Retry-After"]) > 0
    assert client.get(f"/api/v1/auctions/{on.id}/bids/").status_code == 200


def test_somebody_elses_bids_do_not_use_up_mine(ada, on, monkeypatch):
    monkeypatch.setattr(limits.BidThrottle, "usual_rate", "1/min")
    bid(signed_in(ada), on, 40)

    assert bid(signed_in(world.person(tao=100)), on, 60).status_code == 201


def test_a_seller_opens_a_falling_price_and_a_buyer_takes_it(ada):
    seller = world.person(tao=100)
    body = {
        "netuid": world.subnet(seller), "start_rao": str(50 * TAO), "duration_s": 3_600,
        "format": "dutch", "floor_rao": str(5 * TAO), "half_life_s": 600,
    }  # fmt: skip

    opened = post(signed_in(seller), "auctions/", body)

    assert opened.status_code == 201
    shown = opened.json()
    assert (shown["format"], shown["floor_rao"], shown["half_life_s"]) == (
        "dutch", str(5 * TAO), 600,
    )  # fmt: skip
    assert (shown["min_next_rao"], shown["backing"], shown["royalty_bps"]) == (None, "full", 0)
    path = f"auctions/{shown['id']}/take/"
    refused = post(signed_in(ada), path, {"max_price_rao": str(5 * TAO)})
    assert (refused.status_code, refused.json()["code"]) == (409, "price_above_limit")
    taken = post(signed_in(ada), path, {"max_price_rao": shown["price_rao"]})
    assert taken.status_code == 201
    assert 5 * TAO < int(taken.json()["price_rao"]) <= 50 * TAO


def test_terms_are_refused_with_the_reason(ada):
    seller = world.person(tao=100)
    body = {"netuid": world.subnet(seller), "start_rao": str(TAO), "duration_s": 3_600}

    answer = post(signed_in(seller), "auctions/", body | {"format": "fixed", "buy_now_rao": "9"})

    assert (answer.status_code, answer.json()["code"]) == (422, "auction_terms_invalid")
    assert "buy-now" in answer.json()["reason"]
