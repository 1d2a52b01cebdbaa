"""Receipts: what a bid agreed, for its bidder's eyes, with a digest anybody can make again."""

import hashlib

import pytest

from ledger.models import Hold
from ledger.money import RAO_PER_TAO as TAO
from marketplace import queries
from marketplace.errors import BidUnknown
from tests.marketplace import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def bidders():
    on, ada, bob = world.auction(start=10), world.person(tao=100), world.person(tao=100)
    return ada, world.bid(on, ada, 40, key="my words"), bob, world.bid(on, bob, 20)


def test_a_receipt_says_what_was_agreed_and_under_what_it_is_held(bidders):
    ada, placed, bob, beaten = bidders

    led = queries.receipt(placed.bid_id, bidder=ada.id)
    lost = queries.receipt(beaten.bid_id, bidder=bob.id)

    assert (led.max_rao, led.price_rao, led.is_leading) == (40 * TAO, 10 * TAO, True)
    assert (led.key, led.sequence, led.version) == ("my words", 1, placed.version)
    assert Hold.objects.get(pk=led.hold).amount_rao == 40 * TAO
    assert (lost.is_leading, lost.hold, lost.price_rao) == (False, None, beaten.price_rao)
    assert led.digest == hashlib.sha256(led.text.encode()).hexdigest() != lost.digest


def test_a_receipt_is_shown_to_its_bidder_alone(client, bidders):
    ada, placed, bob, _ = bidders
    page, api = f"/bids/{placed.bid_id}/", f"/api/v1/bids/{placed.bid_id}/"

    with pytest.raises(BidUnknown) as refusal:
        queries.receipt(placed.bid_id, bidder=bob.id)
    assert refusal.value.fields == {"bid_id": placed.bid_id}
    client.force_login(bob)
    assert [client.get(path).status_code for path in (page, api)] == [404, 404]
    client.force_login(ada)

    digest = client.get(api).json()["digest"]
    assert digest in client.get(page).content.decode()
    assert page in client.get("/bids/").content.decode()


def test_without_a_bid_the_list_says_what_to_do(client):
    client.force_login(world.person())

    assert "You have not bid yet" in client.get("/bids/").content.decode()
