"""Endings that meet at the same instant: one of them counts, the books balance, nobody waits for ever."""

from datetime import timedelta
from uuid import uuid4

import pytest

from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations
from marketplace.errors import NotAwaitingPayment, OfferEnded, SubnetInAuction
from marketplace.models import Auction, Offer, Sale, Strike
from marketplace.offering import Backing
from subnets import queries as slots
from tests.ledger.make import together
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 3  # which of two threads comes first is chance


def unpaid(seller, winner):
    """An auction that Winner has to pay 10 TAO for, with a deposit of 10 set aside."""
    terms = {"backing": Backing.DEPOSIT, "deposit_bps": 1_000, "pay_within_s": 3_600}
    on = world.auction(seller=seller, start=10, **terms)
    world.bid(on, winner, 100)
    world.settle(on)
    on.refresh_from_db()
    return on


def test_a_winner_pays_at_the_last_moment_or_loses_the_deposit_never_both():
    seller, ada = world.person(tao=10_000), world.person(tao=1_000)
    for _ in range(ROUNDS):
        on, before = unpaid(seller, ada), world.purse(ada)[0]
        last_moment = on.due_at - timedelta(microseconds=1)

        paid, swept = together(
            [
                lambda: operations.pay_auction(
                    auction_id=on.id,  # noqa: B023  run at once
                    buyer=ada.id,
                    key=uuid4().hex,
                    now=last_moment,  # noqa: B023  run at once
                ),
                lambda: operations.end_overdue_auction(auction_id=on.id, now=on.due_at),  # noqa: B023  run at once
            ]
        )

        on.refresh_from_db()
        is_paid = isinstance(paid, Sale)
        assert isinstance(swept, Auction)
        assert is_paid or isinstance(paid, NotAwaitingPayment)
        assert on.state == ("settled" if is_paid else "unsold")
        assert Strike.objects.filter(auction=on).exists() is not is_paid
        assert slots.subnet(on.netuid).owner == (ada.id if is_paid else seller.id)
        assert world.purse(ada) == (before - 10 * TAO, 0)  # the price, or a deposit as high


def test_a_subnet_is_sold_by_its_auction_and_not_by_an_offer_at_the_same_moment():
    seller, ada, bob = (world.person(tao=10_000) for _ in range(3))
    for _ in range(ROUNDS):
        on = world.auction(seller=seller, start=10)
        world.bid(on, ada, 30)
        offer, before = world.offer(bob, on.netuid, 40), world.purse(bob)[0]

        settled, accepted = together(
            [
                lambda: world.settle(on),  # noqa: B023  run at once
                lambda: world.accept(offer, seller, 40, now=on.closes_at),  # noqa: B023  run at once
            ]
        )

        assert isinstance(settled, Sale)
        assert type(accepted) in {SubnetInAuction, OfferEnded}
        assert slots.subnet(on.netuid).owner == ada.id
        offer.refresh_from_db()
        assert offer.state == "superseded"
        assert world.purse(bob) == (before, 0)


def test_an_offer_is_accepted_or_declined_never_both():
    owner, ada = world.person(tao=10_000), world.person(tao=1_000)
    for _ in range(ROUNDS):
        netuid, before = world.subnet(owner), world.purse(ada)[0]
        offer = world.offer(ada, netuid, 40)

        sold, declined = together(
            [
                lambda: world.accept(offer, owner, 40),  # noqa: B023  run at once
                lambda: operations.decline_offer(offer_id=offer.id, who=owner.id, now=NOW),  # noqa: B023  run at once
            ]
        )

        is_sold = isinstance(sold, Sale)
        assert {type(sold), type(declined)} in ({Sale, OfferEnded}, {OfferEnded, Offer})
        assert slots.subnet(netuid).owner == (ada.id if is_sold else owner.id)
        assert world.purse(ada) == (before - 40 * TAO * is_sold, 0)
