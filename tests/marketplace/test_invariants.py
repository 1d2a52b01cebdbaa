"""The check of the marketplace finds what it looks for."""

from uuid import uuid4

import pytest
from django.db import connection

from ledger import operations as ledger
from ledger.chart import TREASURY, Code, debt, lien, wallet
from ledger.entries import Entry, Move, PlaceHold, VoidHold, hold_id
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations
from marketplace.invariants import check_books
from marketplace.models import Auction, Bid
from marketplace.operations.bids import hold_named
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.breaks_books]


@pytest.fixture
def led():
    """An auction with two bids, and its leader."""
    on, ada, bob = world.auction(), world.person(tao=100), world.person(tao=100)
    world.bid(on, ada, 40)
    world.bid(on, bob, 60)
    assert check_books() == []
    return on, bob


def post(*steps, code=Code.BID_PLACED):
    ledger.post(Entry(key="a fault", code=code, at=NOW, steps=steps))


def test_a_leader_without_a_hold_is_found(led):
    on, _ = led
    leading = Bid.objects.get(auction=on, sequence=2)

    post(VoidHold(hold_named(leading.id)))

    (fault,) = check_books()
    assert f"bid:{leading.id}" in fault
    assert f"0 rao are held and {60 * TAO} rao are owed" in fault


def test_a_hold_for_no_leading_bid_is_found(led):
    _, bob = led

    post(PlaceHold(hold_id("a fault"), wallet(bob.id), TAO))

    (fault,) = check_books()
    assert f"{TAO} rao are held and 0 rao are owed" in fault


@pytest.mark.parametrize(
    "change",
    ["price_rao = price_rao + 1", "bid_count = 3", "closes_at = closes_at + interval '1 s'"],
)
def test_an_auction_that_shows_more_than_its_bids_is_found(led, change):
    on, _ = led

    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE marketplace_auction SET {change}")

    assert check_books() == [f"marketplace: auction {on.id} does not show what its bids derive"]


def test_an_open_auction_whose_leader_is_another_is_found(led):
    on, _ = led
    ada = Bid.objects.get(auction=on, sequence=1).bidder

    Auction.objects.update(leader=ada, second=None)

    held, owed, kept, shown = sorted(check_books(), key=lambda fault: fault.split("rule that")[-1])
    assert f"0 rao are held and {40 * TAO} rao are owed" in held
    assert f"{60 * TAO} rao are held and 0 rao are owed" in owed
    assert "does not show what its bids derive" in shown
    assert "does not keep the maxima that decide it" in kept


def test_tao_credited_for_no_deposit_is_found(led):
    _, bob = led

    post(Move(TREASURY, wallet(bob.id), TAO), code=Code.CARD_CREDITED)

    (fault,) = check_books()
    assert "card deposits breaks the rule" in fault
    assert f"rows sum to 0 rao and the ledger moved {TAO} rao" in fault


def test_a_lien_that_keeps_what_nothing_claims_is_found(led):
    _, bob = led

    post(Move(TREASURY, lien(bob.id), TAO), Move(lien(bob.id), TREASURY, TAO // 2))

    (fault,) = check_books()
    assert "a lien keeps what open claims on card payments took" in fault
    assert f"{TAO // 2} rao are kept and 0 rao are claimed" in fault


def test_a_debt_that_owes_somebody_is_found(led):
    _, bob = led

    post(Move(TREASURY, debt(bob.id), TAO))

    (fault,) = check_books()
    assert "nobody is owed by a debt" in fault


@pytest.fixture
def voided(led):
    """The same auction once its leader was taken out: the other leads, by the void."""
    on, bob = led
    operations.void_bids(
        auction_id=on.id, bidder=bob.id, reason="A stolen card.", operator=uuid4(), now=NOW
    )
    assert check_books() == []
    on.refresh_from_db()
    return on, bob


def test_a_leader_by_a_void_without_a_hold_is_found(voided):
    on, _ = voided

    post(VoidHold(hold_named(on.lead_bid)))

    (fault,) = check_books()
    assert f"bid:{on.lead_bid}" in fault
    assert f"0 rao are held and {40 * TAO} rao are owed" in fault


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"voided_bidders": []}, "who was taken out of an auction bids there no more"),
        ({"version": 2}, "has a version that is neither a bid nor a void"),
        ({"lead_bid": uuid4()}, "does not keep the maxima that decide it"),
        ({"price_rao": 60 * TAO}, "does not show what its bids derive"),
    ],
)
def test_an_auction_that_does_not_show_its_voids_is_found(voided, change, found):
    on, _ = voided

    Auction.objects.update(**change)

    assert any(str(on.id) in fault and found in fault for fault in check_books())


def test_a_bid_of_somebody_who_was_taken_out_is_found(voided):
    on, bob = voided

    Bid.objects.create(
        auction=on, bidder=bob.id, key="a fault", sequence=4, place=2, max_rao=TAO,
        price_rao=on.price_rao, leader=on.leader, closes_at=on.closes_at, placed_at=NOW,
    )  # fmt: skip

    assert any("bids there no more" in fault for fault in check_books())
