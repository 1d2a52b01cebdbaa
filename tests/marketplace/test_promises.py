"""The check of offers finds what it looks for."""

import pytest
from django.db import connection

from ledger import operations as ledger
from ledger.chart import FEES, Code, wallet
from ledger.entries import Entry, Move, PlaceHold, VoidHold, hold_id
from ledger.money import RAO_PER_TAO as TAO
from marketplace.promises import faults
from tests.faults import forced
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = [pytest.mark.django_db, pytest.mark.breaks_books]


@pytest.fixture
def owner(db):
    return world.person(tao=1_000)


@pytest.fixture
def ada(db):
    return world.person(tao=100)


@pytest.fixture
def offer(ada, owner):
    made = world.offer(ada, world.subnet(owner), 40)
    assert faults() == []
    return made


def post(step, code):
    ledger.post(Entry(key="a fault", code=code, at=NOW, steps=(step,)))


def test_an_open_offer_without_its_hold_is_found(offer):
    post(VoidHold(offer.hold), Code.OFFER_RELEASED)

    (fault,) = faults()
    assert str(offer.hold) in fault
    assert f"0 rao are held and {40 * TAO} rao are promised" in fault


def test_a_hold_for_no_open_offer_is_found(ada, offer):
    stray = hold_id("a fault")

    post(PlaceHold(stray, wallet(ada.id), TAO), Code.OFFER_PLACED)

    (fault,) = faults()
    assert str(stray) in fault
    assert f"{TAO} rao are held and 0 rao are promised" in fault


def test_an_offer_that_shows_another_figure_than_its_moves_is_found(offer):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE marketplace_offer SET figure_count = 2")

    (fault,) = faults()
    assert f"{offer.id} breaks the rule that an offer shows what its moves say" in fault


def test_an_accepted_offer_without_its_sale_is_found(offer, owner):
    world.accept(offer, owner, 40)
    assert faults() == []

    with forced("DELETE FROM marketplace_sale WHERE kind = 'offer'"):
        sold, paid = faults()

    assert f"{offer.id} breaks the rule that an accepted offer is one sale" in sold
    assert f"rows sum to 0 rao and the ledger moved {40 * TAO} rao" in paid


def test_a_sale_at_another_price_than_was_agreed_is_found(offer, owner):
    world.accept(offer, owner, 40)

    with forced("UPDATE marketplace_sale SET price_rao = price_rao + 1 WHERE kind = 'offer'"):
        sold, paid = faults()

    assert f"{40 * TAO} rao agreed, {40 * TAO + 1} rao sold for" in sold
    assert f"rows sum to {40 * TAO + 1} rao and the ledger moved {40 * TAO} rao" in paid


def test_money_moved_for_no_agreement_is_found(ada, offer):
    post(Move(wallet(ada.id), FEES, TAO), Code.OFFER_SETTLED)

    (fault,) = faults()
    assert f"rows sum to 0 rao and the ledger moved {TAO} rao" in fault
