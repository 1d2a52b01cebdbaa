"""The check of sealed bids, deposits and second chances finds what it looks for."""

import pytest
from django.db import connection

from ledger import operations as ledger
from ledger.chart import FEES, FORFEITS, Code, wallet
from ledger.entries import Entry, Move, PlaceHold, VoidHold, hold_id
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations
from marketplace.invariants import check_books
from marketplace.models import Bid, SealedBid
from marketplace.offering import Backing, Format
from marketplace.operations.bids import hold_named
from marketplace.operations.sealed import cover_of
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.breaks_books]


def post(*steps, code):
    ledger.post(Entry(key="a fault", code=code, at=NOW, steps=steps))


def write(table, change):
    with connection.cursor() as cursor:
        # Deferred checks that still wait would keep the table from being altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(f"UPDATE {table} SET {change}")
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@pytest.fixture
def covered():
    """A sealed auction with three bids of two bidders."""
    on, ada, bob = world.auction(format=Format.SEALED), world.person(tao=500), world.person(tao=500)
    for who, tao in ((ada, 40), (bob, 90), (ada, 130)):
        world.seal(on, who, tao)
    assert check_books() == []
    return on, ada


@pytest.fixture
def awaited():
    """An auction whose winner has to pay: Bob, at 52.5, with a deposit of 6."""
    terms = {"backing": Backing.DEPOSIT, "deposit_bps": 1_000, "pay_within_s": 3_600}
    on, ada, bob = world.auction(**terms), world.person(tao=100), world.person(tao=100)
    world.bid(on, ada, 50)
    world.bid(on, bob, 60)
    world.settle(on)
    on.refresh_from_db()
    assert check_books() == []
    return on, bob


@pytest.fixture
def defaulted(awaited):
    """The same auction once Bob did not pay: Ada has the second chance."""
    on, _ = awaited
    operations.end_overdue_auction(auction_id=on.id, now=on.due_at)
    assert check_books() == []
    return on


def test_a_sealed_bid_without_a_cover_is_found(covered):
    newest = SealedBid.objects.get(sequence=3)

    post(VoidHold(cover_of(newest)), code=Code.BID_RELEASED)

    (fault,) = check_books()
    assert f"sealed:{newest.id}" in fault
    assert f"0 rao are held and {200 * TAO} rao are to cover it" in fault


def test_a_cover_of_no_sealed_bid_is_found(covered):
    _, ada = covered

    post(PlaceHold(hold_id("a fault"), wallet(ada.id), TAO), code=Code.SEALED_BID_PLACED)

    (fault,) = check_books()
    assert f"{TAO} rao are held and 0 rao are to cover it" in fault


@pytest.mark.parametrize(
    "change", ["bid_count = 2", "leader = seller, price_rao = 1", "format = 'english'"]
)
def test_a_sealed_auction_that_shows_more_or_less_is_found(covered, change):
    write("marketplace_auction", change)

    (fault,) = check_books()
    assert "shows how many bid, and opens them at its end" in fault


@pytest.mark.parametrize(
    ("table", "change", "fault"),
    [
        ("marketplace_sealedopening", "max_rao = max_rao + 1", "does not fit its commitment"),
        ("marketplace_sealedbid", "commitment = repeat('0', 64)", "does not fit its commitment"),
        ("marketplace_auction", "price_rao = price_rao + 1", "do not follow from the maxima"),
    ],
)
def test_an_outcome_that_does_not_follow_from_the_openings_is_found(covered, table, change, fault):
    on, _ = covered
    world.settle(on)
    assert check_books() == []

    write(table, change)

    assert any(fault in found for found in check_books())


def test_a_winner_without_a_deposit_is_found(awaited):
    post(VoidHold(hold_named(Bid.objects.get(sequence=2).id)), code=Code.BID_RELEASED)

    (fault,) = check_books()
    assert f"0 rao are held and {6 * TAO} rao are owed" in fault


def test_an_awaiting_auction_that_shows_another_price_is_found(awaited):
    on, _ = awaited

    write("marketplace_auction", "price_rao = price_rao + 1")

    assert check_books() == [f"marketplace: auction {on.id} does not show what its bids derive"]


def test_a_deposit_that_stays_on_its_way_is_found(defaulted):
    post(Move(FEES, FORFEITS, 1), code=Code.DEPOSIT_FORFEITED)

    (fault,) = check_books()
    assert "a forfeited deposit goes to the seller less the fee" in fault


@pytest.mark.parametrize("change", ["forfeited_rao = forfeited_rao + 1", "fee_rao = 0"])
def test_a_strike_that_says_another_amount_is_found(defaulted, change):
    write("marketplace_strike", change)

    (fault,) = check_books()
    assert "a forfeited deposit goes to the seller less the fee" in fault


@pytest.mark.parametrize(
    "change",
    [
        "price_rao = price_rao + 1",
        "expires_at = expires_at + interval '1 s'",
        "state = 'expired', ended_at = expires_at",
    ],
)
def test_a_second_chance_unlike_its_auction_is_found(defaulted, change):
    write("marketplace_secondchance", change)

    assert any("for one second chance" in fault for fault in check_books())
