"""The seller's desk: the steps of a sale, each refused where it stands, and the files."""

import csv
import io
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from ledger import spoken
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations
from marketplace import queries as market
from marketplace.offering import Backing, Format
from marketplace.pages.exports import ExportThrottle, cell
from tests.marketplace import world
from tests.marketplace.reading import names_must_exist, open_auction, read  # noqa: F401

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def rows_of(client, on):
    """Return the rows of the file of an auction's bids."""
    answer = client.get(reverse("bids_file", args=[on.id]))
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


@pytest.fixture
def desk(client):
    """Return a signed-in owner's client and the number of their subnet."""
    owner = world.person(tao=100)
    client.force_login(owner)
    return client, world.subnet(owner)


def sent(desk, step, **typed):
    """Send a step; return the step that is asked for next."""
    client, netuid = desk
    answer = client.post(f"{reverse('sell_subnet', args=[netuid])}?step={step}", typed)
    assert answer.status_code == 302
    return answer["Location"].partition("step=")[2]


def live_auction(netuid):
    return next(iter(market.auctions(netuid=netuid, state="open")), None)


def page(desk, step):
    return read(desk[0], "sell_subnet", desk[1], step=step)


STEPS = {
    "english": (
        {"start_rao": "10", "reserve_rao": "20", "reserve_policy": "jump_to_max", "buy_now_rao": "90"},
        {"duration_s": "3600", "backing": "full", "deposit_bps": "1000", "pay_within_s": "86400"},
        {"buy_now_rao": 90 * TAO, "reserve_rao": 20 * TAO, "reserve_policy": "jump_to_max"},
    ),
    "sealed": (
        {"start_rao": "10", "reserve_rao": ""},
        {"duration_s": "3600"},
        {"reserve_rao": None, "backing": "full"},
    ),
    "dutch": (
        {"start_rao": "10", "floor_rao": "2", "half_life_s": "3600"},
        {"duration_s": "3600"},
        {"floor_rao": 2 * TAO, "half_life_s": 3600},
    ),
    "fixed": ({"start_rao": "10"}, {"duration_s": "3600"}, {"floor_rao": None}),
}  # fmt: skip


@pytest.mark.parametrize("kind", STEPS)
def test_a_seller_walks_the_steps_of_every_format_and_opens(desk, kind):
    prices, terms, kept = STEPS[kind]
    client, netuid = desk

    assert sent(desk, "format", format=kind) == "prices"
    assert sent(desk, "prices", format=kind, **prices) == "terms"
    assert sent(desk, "terms", format=kind, **terms) == "words"
    assert sent(desk, "words", statement="Runs on\nten machines.") == "review"
    review = page(desk, "review")
    assert ("at its price" if kind == "fixed" else "at the start price") in review
    assert "9.7500" in review  # what is left of 10 TAO after the fee of 2.5 %
    assert live_auction(netuid) is None
    place = f"{reverse('sell_subnet', args=[netuid])}?step=review"
    assert "This field is required" in client.post(place, {}).content.decode()
    answer = client.post(place, {"is_agreed": "on"}, follow=True)

    assert "The auction is open" in answer.content.decode()
    row = market.lock_auction(live_auction(netuid).id)
    assert (row.format, row.start_rao) == (kind, 10 * TAO)
    assert {name: getattr(row, name) for name in kept} == kept
    assert row.statement == "Runs on\nten machines."
    assert (row.deposit_bps, row.pay_within_s) == (None, None)


@pytest.mark.parametrize(
    ("step", "typed", "sentence"),
    [
        ("prices", {"start_rao": "10", "reserve_rao": "9"}, "reserve cannot lie below the start"),
        ("prices", {"start_rao": "10", "buy_now_rao": "10"}, "Buy-now lies above the start price"),
        ("prices", {"start_rao": "-1"}, "not an amount of TAO"),
        ("terms", {"duration_s": "1", "backing": "full"}, "Select a valid choice"),
        (
            "terms",
            {"duration_s": "3600", "backing": "full", "opens_at": "2020-01-01T00:00"},
            "This moment has passed",
        ),
    ],
)
def test_what_cannot_be_is_refused_at_its_step_and_kept(desk, step, typed, sentence):
    sent(desk, "format", format="english")

    assert sent(desk, step, format="english", **typed) == step

    assert sentence in page(desk, step)
    assert sent(desk, "words", statement="") == "review"
    answer = desk[0].get(reverse("sell_subnet", args=[desk[1]]), {"step": "review"})
    assert answer.status_code == 302
    assert live_auction(desk[1]) is None


@pytest.mark.parametrize("step", ["format", "prices", "review"])
def test_who_sells_what_is_for_sale_already_is_led_to_it_before_anything_is_typed(client, step):
    ada = world.person(tao=100)
    sale = open_auction(seller=ada)
    client.force_login(ada)

    said = read(client, "sell_subnet", sale.netuid, step=step, status=409)

    assert "is for sale already" in said
    assert reverse("auction", args=[sale.id]) in said
    assert "Continue" not in said


def test_who_sells_what_is_sold_and_not_paid_for_is_told_until_when(client):
    ada, now = world.person(tao=100), timezone.now()
    sale = world.auction(
        seller=ada,
        backing=Backing.DEPOSIT,
        deposit_bps=1_000,
        pay_within_s=86_400,
        now=now - 2 * HOUR,
    )
    world.bid(sale, world.person(tao=100), 20, now=now - 2 * HOUR)
    operations.settle_auction(auction_id=sale.id, now=now)
    client.force_login(ada)

    said = read(client, "sell_subnet", sale.netuid, status=409)

    assert "is sold already" in said
    assert f"pay by {spoken.instant(now + 24 * HOUR, seconds=True)}" in said


@pytest.mark.parametrize("is_for_sale", [True, False])
def test_who_sells_anothers_subnet_is_led_to_what_they_can_do(client, is_for_sale):
    ada = world.person(tao=100)
    sale = open_auction(seller=ada) if is_for_sale else None
    netuid = sale.netuid if sale else world.subnet(ada)
    client.force_login(world.person())

    said = read(client, "sell_subnet", netuid, status=403)

    assert "is not yours" in said
    way = reverse("auction", args=[sale.id]) if sale else reverse("make_offer", args=[netuid])
    assert way in said
    place = reverse("sell_subnet", args=[netuid])
    assert client.post(place, {"format": "english"}).status_code == 403


def test_an_offer_sent_twice_leads_to_the_auction_it_opened(desk):
    client, netuid = desk
    for step, typed in {
        "format": {},
        "prices": {"start_rao": "10"},
        "terms": {"duration_s": "3600"},
        "words": {},
    }.items():
        sent(desk, step, format="fixed", **typed)
    place = f"{reverse('sell_subnet', args=[netuid])}?step=review"

    first = client.post(place, {"is_agreed": "on"})
    again = client.post(place, {"is_agreed": "on"}, follow=True).content.decode()

    assert first["Location"] in again
    assert "is for sale already" in again


def test_a_step_of_another_format_is_asked_for_again(desk):
    sent(desk, "format", format="english")
    sent(desk, "prices", format="english", start_rao="10", buy_now_rao="50")
    sent(desk, "format", format="dutch")

    assert "Lowest price" in page(desk, "prices")
    assert "Buy-now" not in page(desk, "prices")
    first = desk[0].get(reverse("sell_subnet", args=[desk[1]]), {"step": "nonsense"})
    assert first["Location"] == reverse("sell_subnet", args=[desk[1]])


def test_a_sale_is_scheduled(desk):
    opens_at = (timezone.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    sent(desk, "format", format="fixed")
    sent(desk, "prices", format="fixed", start_rao="10")
    sent(desk, "terms", format="fixed", duration_s="3600", opens_at=f"{opens_at:%Y-%m-%dT%H:%M}")
    sent(desk, "words", statement="")
    assert "Schedule the auction" in page(desk, "review")

    desk[0].post(f"{reverse('sell_subnet', args=[desk[1]])}?step=review", {"is_agreed": "on"})

    seen = live_auction(desk[1])
    assert (seen.opens_at, seen.closes_at) == (opens_at, opens_at + timedelta(hours=1))


def test_the_desk_shows_what_is_owned_and_sold(desk, django_assert_num_queries):
    client, netuid = desk
    assert "Sell</a>" in read(client, "desk")
    stranger = world.person(tao=1_000)
    client.force_login(stranger)
    assert "You own no subnet yet" in read(client, "desk")

    sold = open_auction(seller=stranger)
    world.bid(sold, world.person(tao=100), 20, now=timezone.now())
    world.settle(sold)
    text = read(client, "desk")

    assert "Ended auctions" in text
    assert "sold" in text
    assert netuid != sold.netuid


def test_files_hold_ones_own_sales_and_the_bids_of_ones_own_auction(client):
    seller, buyer = world.person(tao=1_000), world.person(tao=100)
    sold = open_auction(seller=seller)
    world.bid(sold, buyer, 20, now=timezone.now())
    world.settle(sold)
    client.force_login(seller)

    rows = list(csv.DictReader(io.StringIO(client.get(reverse("sales_file")).content.decode())))
    bids = client.get(reverse("bids_file", args=[sold.id]))

    assert [(row["you"], row["price_rao"]) for row in rows][:1] == [("sold", str(10 * TAO))]
    assert bids["Content-Disposition"] == f'attachment; filename="bids-{sold.netuid}.csv"'
    assert "bidder 1" in bids.content.decode()
    client.force_login(buyer)
    assert client.get(reverse("bids_file", args=[sold.id])).status_code == 403


def test_a_file_of_bids_says_which_an_operator_took_out(client):
    seller, out, left = (world.person(tao=100) for _ in range(3))
    on = open_auction(seller=seller)
    world.bid(on, left, 20, now=timezone.now())
    world.bid(on, out, 30, now=timezone.now())
    operations.void_bids(
        auction_id=on.id, bidder=out.pk, reason="a shill", operator=seller.pk, now=timezone.now()
    )
    client.force_login(seller)

    rows = rows_of(client, on)

    assert [(row["bidder"], row["is_void"]) for row in rows] == [
        ("bidder 2", "true"),
        ("bidder 1", "false"),
    ]


def test_a_file_of_sealed_bids_has_commitments_and_after_the_end_maxima(client):
    seller, ada = world.person(tao=100), world.person(tao=100)
    on = open_auction(seller=seller, format=Format.SEALED)
    world.seal(on, ada, 30, now=timezone.now())
    client.force_login(seller)

    (before,) = rows_of(client, on)
    world.settle(on)
    (after,) = rows_of(client, on)

    assert (before["bidder"], before["max_rao"], before["nonce"]) == ("", "", "")
    assert (after["bidder"], after["max_rao"]) == ("bidder 1", str(30 * TAO))
    assert before["commitment"] == after["commitment"] != ""


def test_files_are_handed_out_at_a_persons_pace(client, monkeypatch):
    monkeypatch.setattr(ExportThrottle, "usual_rate", "2/min")
    client.force_login(world.person())

    answers = [client.get(reverse("sales_file")) for _ in range(3)]
    client.force_login(world.person())

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "Try again in" in answers[2].content.decode()
    assert int(answers[2]["Retry-After"]) <= 60
    assert answers[2]["RateLimit"].startswith('"export";r=0')
    assert client.get(reverse("sales_file")).status_code == 200


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_cell_is_never_a_formula(text):
    assert cell(text) == f"'{text}"
    assert cell(-1) == "-1"
