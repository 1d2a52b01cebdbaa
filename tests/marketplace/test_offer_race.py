"""Offers that are answered at the same instant: one answer counts, the books balance, nobody waits for ever."""

import pytest

from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations
from marketplace.errors import OfferEnded, SubnetInAuction
from marketplace.models import Auction, Offer, Sale
from marketplace.offering import Offering
from subnets import queries as slots
from subnets.errors import NotTheOwner
from tests.ledger.make import together
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 4  # which of two threads comes first is chance


@pytest.fixture
def owner(transactional_db):
    return world.person(tao=10_000)


def withdraw(offer, who):
    return operations.withdraw_offer(offer_id=offer.id, who=who.id, now=NOW)


def put_up(netuid, owner):
    return operations.open_auction(
        netuid=netuid,
        seller=owner.id,
        asked=Offering(start_rao=TAO, duration_s=3_600),
        key=f"sell {netuid}",
        now=NOW,
        house=world.HOUSE,
    )


def test_an_offer_is_accepted_or_withdrawn_never_both(owner):
    ada = world.person(tao=1_000)
    for _ in range(ROUNDS):
        netuid, before = world.subnet(owner), world.purse(ada)[0]
        offer = world.offer(ada, netuid, 40)

        sold, taken_back = together(
            [lambda: world.accept(offer, owner, 40), lambda: withdraw(offer, ada)]  # noqa: B023  run at once
        )

        is_sold = isinstance(sold, Sale)
        assert {type(sold), type(taken_back)} in ({Sale, OfferEnded}, {OfferEnded, Offer})
        assert slots.subnet(netuid).owner == (ada.id if is_sold else owner.id)
        assert world.purse(ada) == (before - 40 * TAO * is_sold, 0)


def test_of_two_offers_one_is_accepted_and_the_other_set_free(owner):
    people = [world.person(tao=1_000) for _ in range(2)]
    netuid = world.subnet(owner)
    offers = [world.offer(who, netuid, 40) for who in people]

    answers = together([lambda offer=offer: world.accept(offer, owner, 40) for offer in offers])

    assert sorted(type(answer).__name__ for answer in answers) == ["OfferEnded", "Sale"]
    (sale,) = Sale.objects.filter(kind="offer")
    assert slots.subnet(netuid).owner == sale.buyer
    assert sorted(world.purse(who) for who in people) == [(960 * TAO, 0), (1_000 * TAO, 0)]


def test_a_subnet_is_sold_or_put_up_never_both(owner):
    ada = world.person(tao=1_000)
    for _ in range(ROUNDS):
        netuid = world.subnet(owner)
        offer = world.offer(ada, netuid, 40)

        sold, put = together(
            [lambda: world.accept(offer, owner, 40), lambda: put_up(netuid, owner)]  # noqa: B023  run at once
        )

        assert (type(sold), type(put)) in ((Sale, NotTheOwner), (SubnetInAuction, Auction))
        assert slots.subnet(netuid).owner == (ada.id if isinstance(sold, Sale) else owner.id)


def test_sales_that_release_each_others_buyers_do_not_deadlock(owner):
    ada, bob = world.person(tao=10_000), world.person(tao=10_000)
    for _ in range(ROUNDS):
        first, second = world.subnet(owner), world.subnet(owner)
        to_ada, to_bob = world.offer(ada, first, 40), world.offer(bob, second, 40)
        world.offer(bob, first, 30)
        world.offer(ada, second, 30)

        answers = together(
            [lambda: world.accept(to_ada, owner, 40), lambda: world.accept(to_bob, owner, 40)]  # noqa: B023  run at once
        )

        assert [type(answer) for answer in answers] == [Sale, Sale]
    assert (world.purse(ada)[1], world.purse(bob)[1]) == (0, 0)


def test_one_buyer_sends_two_offers_at_once_and_one_stands(owner):
    ada, netuid = world.person(tao=1_000), world.subnet(owner)

    answers = together([lambda tao=tao: world.offer(ada, netuid, tao) for tao in (40, 50)])

    assert sorted(type(answer).__name__ for answer in answers) == ["Offer", "OfferAlreadyOpen"]
    assert world.purse(ada)[1] == Offer.objects.get().promised_rao
