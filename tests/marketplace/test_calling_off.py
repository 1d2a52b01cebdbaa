"""An operator calls an auction off; staff acts by forms that ask why."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations, queries
from marketplace.errors import AuctionClosed, ReasonMissing
from marketplace.models import Bid, BidVoid, Notice, SecondChance, User
from marketplace.offering import Backing, Format
from marketplace.queries.news import SOURCES
from subnets import queries as slots
from tests import make
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db

OPERATOR = uuid4()


def call_off(on, *, reason="The subnet is under investigation.", now=NOW):
    return operations.call_off_auction(auction_id=on.id, reason=reason, operator=OPERATOR, now=now)


@pytest.fixture
def three():
    """An auction from 10 TAO with bids of 100 by Ada, 150 by Bob and 120 by Cy; Bob leads at 122.5."""
    on = world.auction(start=10)
    people = [world.person(tao=500) for _ in range(3)]
    for who, tao in zip(people, (100, 150, 120), strict=True):
        world.bid(on, who, tao)
    return on, *people


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"format": Format.FIXED},
        {"format": Format.SEALED},
        {"format": Format.DUTCH, "start": 100, "floor_rao": 20 * TAO, "half_life_s": 900},
    ],
    ids=["english", "fixed", "sealed", "dutch"],
)
def test_an_auction_of_any_format_is_called_off_and_the_seller_keeps_the_subnet(terms):
    on = world.auction(**terms)

    call_off(on)

    on.refresh_from_db()
    assert (on.state, on.ended_at, on.called_off_by) == ("cancelled", NOW, OPERATOR)
    assert slots.subnet(on.netuid).owner == on.seller
    assert queries.auction(on.id).called_off_reason == "The subnet is under investigation."


def test_calling_off_frees_every_bidders_money_and_all_read_why(three, client):
    on, _, bob, _ = three

    call_off(on)

    assert world.purse(bob) == (500 * TAO, 0)
    client.force_login(bob)
    assert "under investigation" in client.get(f"/auctions/{on.id}/").content.decode()
    seen = client.get(f"/api/v1/auctions/{on.id}/").json()
    assert seen["called_off_reason"] == "The subnet is under investigation."


def test_calling_off_again_keeps_the_first_reason(three):
    on, *_ = three
    call_off(on)
    version = queries.auction(on.id).version

    call_off(on, reason="Another.")

    seen = queries.auction(on.id)
    assert (seen.version, seen.called_off_reason) == (version, "The subnet is under investigation.")


def test_an_auction_that_ended_is_not_called_off(three):
    on, *_ = three
    with pytest.raises(ReasonMissing):
        call_off(on, reason="")
    world.settle(on)

    with pytest.raises(AuctionClosed):
        call_off(on)

    assert queries.auction(on.id).called_off_reason == ""


def test_an_auction_that_waits_for_payment_is_called_off_with_its_second_chance():
    on = world.auction(start=10, backing=Backing.DEPOSIT, deposit_bps=1_000, pay_within_s=86_400)
    ada, bob = world.person(tao=500), world.person(tao=500)
    world.bid(on, ada, 100)
    world.bid(on, bob, 200)
    world.settle(on)
    on.refresh_from_db()
    operations.end_overdue_auction(auction_id=on.id, now=on.due_at)

    call_off(on, now=on.due_at)

    assert SecondChance.objects.get().state == SecondChance.State.WITHDRAWN
    assert queries.auction(on.id).state == "cancelled"


# The staff's pages ----------------------------------------------------------------------------------


def test_staff_takes_a_bidder_out_by_a_form_that_asks_why(three, client):
    on, bob = world.auction(now=timezone.now()), world.person(tao=100)
    world.bid(on, bob, 40, now=timezone.now())
    client.force_login(make.user(staff=True))
    url = f"/admin/marketplace/auction/{on.id}/void/"

    assert url in client.get(f"/admin/marketplace/auction/{on.id}/change/").content.decode()
    assert f"bidder 1: {bob.id}" in client.get(url).content.decode()
    assert "required" in client.post(url, {"bidder": bob.id}).content.decode()
    assert not BidVoid.objects.exists()
    answer = client.post(url, {"bidder": bob.id, "reason": "A stolen card."})

    assert answer.status_code == 302
    assert BidVoid.objects.get().bidder == bob.id
    assert world.purse(bob) == (100 * TAO, 0)


def test_staff_calls_an_auction_off_by_a_form_that_asks_why(three, client):
    on, *_ = three
    client.force_login(make.user(staff=True))
    url = f"/admin/marketplace/auction/{on.id}/call-off/"

    assert client.get(f"{url}?reason=No").status_code == 200
    assert queries.auction(on.id).state == "open"
    assert client.post(url, {"reason": "A mistake."}).status_code == 302

    assert queries.auction(on.id).called_off_reason == "A mistake."
    assert (
        "No more bids"
        in client.post(
            url.replace("call-off", "void"),
            {"bidder": Bid.objects.first().bidder, "reason": "Late."},
        ).content.decode()
    )


@pytest.mark.parametrize("act", ["void", "call-off"])
def test_staff_without_the_permission_gets_no_further(three, client, act):
    on, _, bob, _ = three
    helper = world.person()
    helper.is_staff = True
    helper.save(update_fields=["is_staff"])
    client.force_login(helper)

    answer = client.post(
        f"/admin/marketplace/auction/{on.id}/{act}/", {"bidder": bob.id, "reason": "Mine."}
    )

    assert answer.status_code == 403
    assert queries.auction(on.id).state == "open"
    assert not BidVoid.objects.exists()


def test_bidders_and_the_seller_are_told_why(three):
    on, *bidders = three
    User.objects.update(joined_at=NOW - timedelta(days=1))  # news from before is nobody's

    def sweep(now):
        for source in SOURCES:
            operations.tell_news(source=source, now=now)

    sweep(NOW - timedelta(seconds=1))
    call_off(on)
    sweep(NOW + timedelta(seconds=1))

    told = Notice.objects.filter(kind="called_off")
    assert {notice.person_id for notice in told} == {on.seller, *(who.pk for who in bidders)}
    assert {notice.data["reason"] for notice in told} == {"The subnet is under investigation."}


def test_the_page_of_an_auction_that_ended_without_a_sale_does_not_speak_of_now(client):
    on, quiet = world.auction(start=10), world.auction(start=10)
    world.bid(on, world.person(tao=100), 50)
    for one in (on, quiet):
        call_off(one)

    told, said = (
        client.get(reverse("auction", args=[one.id])).content.decode() for one in (on, quiet)
    )

    assert "The last price" in told
    assert "<dt>Led at the end</dt>" in told
    assert "Bids started at" in said
    assert "Nobody bid." in said
    for now in ("The price now", "Leader", "obody yet", "The first may be"):
        assert now not in told + said


def test_who_withdraws_what_the_house_called_off_is_told_so(client):
    seller = world.person(tao=100)
    on = world.auction(seller=seller)
    client.force_login(seller)
    call_off(on)

    said = client.post(reverse("cancel_auction", args=[on.id]), follow=True).content.decode()

    assert "The house called this auction off before you withdrew it." in said
    assert "The auction is withdrawn" not in said
