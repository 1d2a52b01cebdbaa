"""Pages where TAO changes hands: each step is refused where it cannot lead to the last one."""

import html
import re

import pytest
from django.urls import reverse
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from marketplace.models import Bid
from subnets import queries as slots
from tests.marketplace import world
from tests.marketplace.reading import names_must_exist, open_auction, read  # noqa: F401

pytestmark = pytest.mark.django_db


def test_a_bid_is_reviewed_then_placed(client):
    sale, ada = open_auction(start=10), world.person(tao=100)
    client.force_login(ada)
    page = reverse("auction", args=[sale.id])

    asked = client.post(page, {"step": "review", "max_rao": "12.5"})
    assert asked["Location"] == reverse("bid_review", args=[sale.id])
    review = read(client, "bid_review", sale.id)
    assert read(client, "bid_review", sale.id).count("12.5") == review.count("12.5")
    assert "Place the bid" in review
    assert Bid.objects.count() == 0
    key = re.search(r'name="key" value="([^"]+)"', review)[1]
    sent = {"step": "place", "max_rao": "12.5", "key": key}
    placed = client.post(page, sent, follow=True).content.decode()

    assert "You lead. The price is 10 TAO." in placed
    assert world.purse(ada) == (100 * TAO, 12_500_000_000)
    client.post(page, sent)
    assert Bid.objects.count() == 1
    assert client.get(asked["Location"])["Location"] == page


def test_a_form_that_counted_with_another_figure_says_so_without_a_word_of_keys(client):
    sale = open_auction(start=10)
    client.force_login(world.person(tao=100))
    page = reverse("auction", args=[sale.id])
    client.post(page, {"step": "place", "max_rao": "12", "key": "k"})

    said = client.post(page, {"step": "place", "max_rao": "13", "key": "k"}, follow=True)

    text = said.content.decode()
    assert "This form was sent before, with other words or figures, and that stands." in text
    assert "page:bid:" not in text
    assert Bid.objects.get().max_rao == 12 * TAO


@pytest.mark.parametrize(("tao", "why"), [("31", "3 times the price"), ("25", "50 % of what")])
def test_an_amount_that_looks_like_a_slip_is_asked_for_again(client, tao, why):
    sale = open_auction(start=10)
    client.force_login(world.person(tao=100 if tao == "31" else 40))
    page = reverse("auction", args=[sale.id])
    sent = {"step": "place", "max_rao": tao, "key": "k"}

    asked = client.post(page, sent, follow=True).content.decode()
    assert why in asked
    assert "optional" not in asked
    slip = client.post(page, sent | {"repeat_rao": "3"}, follow=True).content.decode()
    assert "differ" in slip
    assert 'name="key" value="k"' in slip
    assert Bid.objects.count() == 0
    client.post(page, sent | {"repeat_rao": tao})

    assert Bid.objects.get().max_rao == int(tao) * TAO


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("9", "The lowest bid taken now is 10 TAO"),
        ("-1", "not an amount of TAO"),
        ("0", "above zero"),
        ("1e3", "not an amount of TAO"),
        ("", "This field is required"),
        ("101", "101 TAO are needed and 100 TAO are available"),
    ],
)
@pytest.mark.parametrize("step", ["review", "place"])
def test_a_bid_that_cannot_be_is_refused_in_words_at_either_step(client, step, typed, sentence):
    sale = open_auction(start=10)
    client.force_login(world.person(tao=100))
    page = reverse("auction", args=[sale.id])
    sent = {"step": step, "max_rao": typed, "repeat_rao": typed, "key": "k"}

    answer = client.post(page, sent, follow=True)

    assert answer.redirect_chain == [(f"{page}#bid", 302)]
    assert sentence in answer.content.decode()
    assert sentence not in read(client, "auction", sale.id)
    assert Bid.objects.count() == 0


@pytest.mark.parametrize("is_settled", [False, True])
@pytest.mark.parametrize("step", ["review", "place"])
def test_a_bid_after_the_end_is_told_so_at_either_step(client, step, is_settled):
    sale = world.auction(start=10, duration_s=60, now=timezone.now() - world.HOUR)
    if is_settled:
        world.settle(sale)
    client.force_login(world.person(tao=100))
    sent = {"step": step, "max_rao": "12", "key": "k"}

    answer = client.post(reverse("auction", args=[sale.id]), sent, follow=True)

    assert "This auction closed at" in answer.content.decode()


@pytest.mark.parametrize("step", ["review", "place"])
def test_money_one_does_not_have_is_refused_in_tao_at_either_step(client, step):
    sale, ada = open_auction(start=10), world.person(tao=5)
    client.force_login(ada)

    answer = client.post(
        reverse("auction", args=[sale.id]),
        {"step": step, "max_rao": "10", "repeat_rao": "10", "key": "k"},
        follow=True,
    )

    assert "10 TAO are needed and 5 TAO are available" in answer.content.decode()
    assert world.purse(ada) == (5 * TAO, 0)


def test_a_seller_who_bids_is_refused_before_the_review(client):
    owner = world.person(tao=1_000)
    sale = open_auction(seller=owner)
    client.force_login(owner)
    page = reverse("auction", args=[sale.id])

    answer = client.post(page, {"step": "review", "max_rao": "20"})

    assert answer["Location"] == f"{page}#bid"
    assert "You cannot bid or buy in your own auction" in str(client.session["kept_forms"])


def test_a_leader_is_told_before_the_review_that_a_maximum_only_rises(client):
    sale, ada = open_auction(start=10), world.person(tao=100)
    world.bid(sale, ada, 20, now=timezone.now())
    client.force_login(ada)
    page = reverse("auction", args=[sale.id])

    lower = client.post(page, {"step": "review", "max_rao": "15"}, follow=True)
    higher = client.post(page, {"step": "review", "max_rao": "25"}, follow=True)

    assert "You lead with a maximum of 20 TAO" in lower.content.decode()
    assert "Place the bid" in higher.content.decode()
    assert (world.purse(ada), Bid.objects.count()) == ((100 * TAO, 20 * TAO), 1)


def test_what_one_can_spend_comes_with_every_change_of_an_auction(client):
    sale, ada = open_auction(start=10), world.person(tao=100)
    world.bid(sale, ada, 20, now=timezone.now())
    client.force_login(ada)
    assert 'data-available="80.0000"' in read(client, "auction_live", sale.id)

    world.bid(sale, world.person(tao=100), 40, now=timezone.now())

    assert 'data-available="100.0000"' in read(client, "auction_live", sale.id)


def test_a_visitor_who_bids_is_asked_to_sign_in(client):
    sale = open_auction()

    answer = client.post(reverse("auction", args=[sale.id]), {"step": "review", "max_rao": "20"})

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


def test_nobody_reads_anothers_maximum(client):
    sale, ada, ben = open_auction(start=10), world.person(tao=999), world.person(tao=999)
    world.bid(sale, ada, 477, now=timezone.now())
    world.bid(sale, ben, 20, now=timezone.now())
    client.force_login(ben)

    text = read(client, "auction", sale.id)
    fragment = read(client, "auction_live", sale.id)

    # As a page would write it: the digits alone also stand in ids and tokens by chance.
    for shown in ("477<", "477.", "477 TAO", "477000000000"):
        assert shown not in text + fragment
    assert "You have been outbid" in text
    assert ada.email not in text
    assert str(ada.id) not in text


def test_the_leader_is_told_so_and_the_winner_too(client):
    sale, ada = open_auction(start=10), world.person(tao=100)
    world.bid(sale, ada, 20, now=timezone.now())
    client.force_login(ada)
    assert "You lead" in read(client, "auction", sale.id)
    assert "leading" in read(client, "wallet")

    world.settle(sale)

    assert "You won" in read(client, "auction", sale.id)
    assert slots.subnet(sale.netuid).owner == ada.id


def test_a_slot_is_reviewed_then_bought(client):
    ada = world.person(tao=100)
    client.force_login(ada)
    assert "A slot costs now" in read(client, "buy_slot")
    sent = {"name": "Mine", "summary": "Works.", "blueprint": "matmul", "max_cost_rao": "50"}

    review = client.post(reverse("buy_slot"), sent)
    assert review["Location"] == reverse("slot_review")
    assert "Confirm the purchase" in read(client, "slot_review")
    assert slots.subnets_of(ada.id) == []
    bought = client.post(reverse("buy_slot"), sent | {"step": "place", "key": "k"}, follow=True)

    assert "is yours" in bought.content.decode()
    assert [row.name for row in slots.subnets_of(ada.id)] == ["Mine"]


@pytest.mark.parametrize("step", ["review", "place"])
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"max_cost_rao": "0.5"}, "above your limit of 0.5 TAO"),
        ({"name": "subnet оne"}, "mixes Cyrillic and Latin letters"),
        ({"name": "Mine\u202e"}, "cannot be seen"),
        ({"summary": "a\u200bb"}, "cannot be seen"),
        ({"name": "TAKEN"}, "Another subnet is called"),
        ({"name": ""}, "required"),
    ],
)
def test_a_slot_that_cannot_be_bought_is_refused_at_either_step(client, step, changed, sentence):
    ada = world.person(tao=100)
    world.subnet(world.person(tao=100), name="Taken")
    client.force_login(ada)
    sent = {"name": "Mine", "summary": "Works.", "blueprint": "matmul", "max_cost_rao": "50"}

    sent |= changed | {"step": step, "key": "k"}
    answer = client.post(reverse("buy_slot"), sent, follow=True)

    assert answer.redirect_chain == [(reverse("buy_slot") + "#words", 302)]
    assert sentence in html.unescape(answer.content.decode())
    assert 'value="embeddings" selected' not in answer.content.decode()
    assert world.purse(ada) == (100 * TAO, 0)
