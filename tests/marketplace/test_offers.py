"""Offers: an amount is set aside, answered, and paid with the subnet or set free."""

from datetime import timedelta

import pytest

from ledger import operations as ledger
from ledger.errors import IdempotencyConflict, InsufficientFunds
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations, queries
from marketplace.errors import (
    AccountsLinked,
    NotYourMove,
    OfferAlreadyOpen,
    OfferChanged,
    OfferEnded,
    OfferLapsed,
    OfferUnknown,
    OwnerCannotOffer,
    SubnetInAuction,
)
from marketplace.models import Offer, OfferMove, Sale
from marketplace.offering import Offering
from marketplace.operations import standings
from marketplace.tasks import end_due_offers
from subnets import queries as slots
from subnets.errors import SubnetUnknown, TextRefused
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _house(settings):
    settings.AUCTION_FEE_BPS, settings.AUCTION_ROYALTY_BPS = 250, 0


@pytest.fixture
def owner(db):
    return world.person(tao=1_000)


@pytest.fixture
def netuid(owner):
    return world.subnet(owner)


@pytest.fixture
def ada(db):
    return world.person(tao=100)


def end(act, offer, who, **more):
    return act(offer_id=offer.id, who=who.id, now=NOW, **more)


def test_an_offer_sets_its_amount_aside_and_waits_for_the_owner(ada, owner, netuid):
    offer = world.offer(ada, netuid, 40, message="  It would be\r\nin good hands. ")

    assert (offer.state, offer.owner, offer.amount_rao) == ("owners_turn", owner.id, 40 * TAO)
    assert offer.expires_at == NOW + DAY
    assert world.purse(ada) == (100 * TAO, 40 * TAO)
    (move,) = queries.moves_of(offer.id)
    assert (move.side, move.act, move.message) == ("buyer", "offer", "It would be\nin good hands.")


def test_an_offer_that_cannot_be_paid_leaves_nothing_behind(ada, netuid):
    with pytest.raises(InsufficientFunds) as refusal:
        world.offer(ada, netuid, 101)
    assert refusal.value.fields["available_rao"] == 100 * TAO
    assert not Offer.objects.exists()

    world.offer(ada, netuid, 100)


def test_who_owns_a_subnet_cannot_offer_for_it(ada, owner, netuid):
    with pytest.raises(OwnerCannotOffer) as refusal:
        world.offer(owner, netuid, 40)
    assert refusal.value.fields == {"netuid": netuid}

    world.offer(ada, netuid, 40)


def test_accounts_that_are_linked_do_not_sell_to_each_other(ada, owner, netuid):
    bob, elsewhere = world.person(tao=100), world.subnet(owner)
    made, others = world.offer(ada, netuid, 40), world.offer(bob, netuid, 40)
    operations.link_accounts(
        one=ada.id, other=owner.id, note="one company", linked_by=owner.id, now=NOW
    )

    with pytest.raises(AccountsLinked):
        world.offer(ada, elsewhere, 40)
    with pytest.raises(AccountsLinked):
        world.accept(made, owner, 40)

    world.accept(others, owner, 40)
    assert slots.subnet(netuid).owner == bob.id


def test_a_subnet_that_does_not_exist_has_no_offers(ada, netuid):
    with pytest.raises(SubnetUnknown):
        world.offer(ada, netuid + 1, 40)


def test_a_message_with_what_cannot_be_seen_is_refused(ada, netuid):
    with pytest.raises(TextRefused) as refusal:
        world.offer(ada, netuid, 40, message="good\u202e hands")

    assert refusal.value.fields["name"] == "message"
    assert world.purse(ada) == (100 * TAO, 0)


def test_a_buyer_has_one_open_offer_for_a_subnet(ada, owner, netuid):
    first = world.offer(ada, netuid, 40)
    with pytest.raises(OfferAlreadyOpen) as refusal:
        world.offer(ada, netuid, 41)
    assert refusal.value.fields == {"netuid": netuid, "offer_id": first.id}
    end(operations.withdraw_offer, first, ada)

    world.offer(ada, netuid, 41)
    world.offer(ada, world.subnet(owner), 41)

    assert world.purse(ada) == (100 * TAO, 82 * TAO)


def test_the_same_key_makes_one_offer(ada, netuid):
    first, again = (world.offer(ada, netuid, 40, key="one") for _ in range(2))
    for other in ({"tao": 41}, {"tao": 40, "valid_s": 7_200}, {"tao": 40, "message": "please"}):
        with pytest.raises(IdempotencyConflict):
            world.offer(ada, netuid, key="one", **other)

    assert again.id == first.id
    assert OfferMove.objects.count() == 1
    assert world.purse(ada) == (100 * TAO, 40 * TAO)


def test_an_accepted_offer_is_paid_from_what_was_set_aside(ada, owner, netuid):
    before, fees_before = world.purse(owner)[0], world.fees()
    offer = world.offer(ada, netuid, 40)

    sale = world.accept(offer, owner, 40)

    assert (sale.kind, sale.offer_id, sale.price_rao, sale.fee_rao) == (
        "offer",
        offer.id,
        40 * TAO,
        TAO,
    )
    assert slots.subnet(netuid).owner == ada.id
    assert world.purse(ada) == (60 * TAO, 0)
    assert world.purse(owner)[0] == before + 39 * TAO
    assert world.fees() == fees_before + TAO
    assert queries.offer(offer.id, viewer=ada.id).state == "accepted"


def test_accepting_again_with_the_key_returns_the_sale_and_without_it_is_refused(
    ada, owner, netuid
):
    offer = world.offer(ada, netuid, 40)

    sale = world.accept(offer, owner, 40, key="yes")

    assert world.accept(offer, owner, 40, key="yes").id == sale.id
    with pytest.raises(IdempotencyConflict):
        world.accept(offer, owner, 41, key="yes")
    with pytest.raises(OfferEnded):
        world.accept(offer, owner, 40, key="yes again")


def test_who_agrees_to_another_figure_sells_nothing(ada, owner, netuid):
    offer = world.offer(ada, netuid, 40)
    with pytest.raises(OfferChanged) as refusal:
        world.accept(offer, owner, 41)
    assert refusal.value.fields == {"expected_rao": 41 * TAO, "amount_rao": 40 * TAO}
    assert slots.subnet(netuid).owner == owner.id

    world.accept(offer, owner, 40)


def test_an_accepted_counter_takes_the_difference_too(ada, owner, netuid):
    before = world.purse(owner)[0]
    offer = world.offer(ada, netuid, 40)
    world.counter(offer, owner, 60)
    assert world.purse(ada) == (100 * TAO, 40 * TAO)

    sale = world.accept(offer, ada, 60)

    assert (sale.price_rao, sale.fee_rao) == (60 * TAO, 1_500_000_000)
    assert world.purse(ada) == (40 * TAO, 0)
    assert world.purse(owner)[0] == before + 60 * TAO - sale.fee_rao
    assert slots.subnet(netuid).owner == ada.id


def test_a_resale_pays_its_royalty_from_the_hold_and_from_the_wallet(ada, owner, netuid, settings):
    settings.AUCTION_ROYALTY_BPS = 100
    bob, cleo = world.person(tao=100), world.person(tao=100)
    assert world.accept(world.offer(ada, netuid, 40), owner, 40).royalty_rao == 0
    before = world.purse(owner)[0]

    resold = world.accept(world.offer(bob, netuid, 50), ada, 50)
    asked = world.offer(cleo, netuid, 50)
    world.counter(asked, bob, 60)
    sold_on = world.accept(asked, cleo, 60)

    assert (resold.royalty_rao, sold_on.royalty_rao) == (TAO // 2, 6 * TAO // 10)
    assert world.purse(owner)[0] == before + TAO // 2 + 6 * TAO // 10
    assert world.purse(cleo) == (40 * TAO, 0)


def test_a_counter_beyond_the_buyers_money_is_not_accepted(ada, owner, netuid):
    offer = world.offer(ada, netuid, 40)
    world.counter(offer, owner, 101)

    with pytest.raises(InsufficientFunds):
        world.accept(offer, ada, 101)

    assert slots.subnet(netuid).owner == owner.id
    assert world.purse(ada) == (100 * TAO, 40 * TAO)
    assert queries.offer(offer.id, viewer=ada.id).state == "buyers_turn"


def test_a_buyer_who_counters_has_the_new_amount_set_aside_instead(ada, owner, netuid):
    offer = world.offer(ada, netuid, 80)
    world.counter(offer, owner, 120)

    world.counter(offer, ada, 90, key="more")
    world.counter(offer, ada, 90, key="more")

    assert world.purse(ada) == (100 * TAO, 90 * TAO)
    said = [(move.side, move.amount_rao // TAO) for move in queries.moves_of(offer.id)]
    assert said == [("buyer", 80), ("owner", 120), ("buyer", 90)]
    world.accept(offer, owner, 90)
    assert world.purse(ada) == (10 * TAO, 0)


@pytest.mark.parametrize("who", ["ada", "owner"])
def test_who_is_not_asked_cannot_answer(ada, owner, netuid, who):
    offer = world.offer(ada, netuid, 40)
    if who == "owner":
        world.counter(offer, owner, 60)
    asker = {"ada": ada, "owner": owner}[who]

    with pytest.raises(NotYourMove):
        world.accept(offer, asker, 60 if who == "owner" else 40)
    with pytest.raises(NotYourMove):
        world.counter(offer, asker, 70)

    assert slots.subnet(netuid).owner == owner.id


@pytest.mark.parametrize(
    ("act", "by_owner", "state"),
    [
        (operations.decline_offer, True, "declined"),
        (operations.withdraw_offer, False, "withdrawn"),
    ],
)
def test_an_offer_that_ends_without_a_sale_frees_the_money_at_once(
    ada, owner, netuid, act, by_owner, state
):
    offer = world.offer(ada, netuid, 40)
    who, other = (owner, ada) if by_owner else (ada, owner)
    with pytest.raises(NotYourMove):
        end(act, offer, other)

    ended = end(act, offer, who, message="No.")

    assert (ended.state, ended.ended_at) == (state, NOW)
    assert world.purse(ada) == (100 * TAO, 0)
    assert end(act, offer, who).ended_at == NOW
    assert [move.message for move in queries.moves_of(offer.id)] == ["", "No."]
    with pytest.raises(OfferEnded):
        world.accept(offer, owner, 40)


def test_others_do_not_learn_of_an_offer(ada, netuid):
    offer, eve = world.offer(ada, netuid, 40), world.person()

    with pytest.raises(OfferUnknown):
        queries.offer(offer.id, viewer=eve.id)
    with pytest.raises(OfferUnknown):
        end(operations.decline_offer, offer, eve)
    with pytest.raises(OfferUnknown):
        world.accept(offer, eve, 40)

    assert queries.offers_of(eve.id) == []


def test_an_offer_is_refused_by_the_clock_before_the_sweep_comes(ada, owner, netuid):
    offer = world.offer(ada, netuid, 40)
    with pytest.raises(OfferLapsed) as refusal:
        world.accept(offer, owner, 40, now=NOW + DAY)
    assert refusal.value.fields == {"expires_at": NOW + DAY}

    world.accept(offer, owner, 40, now=NOW + DAY - timedelta(microseconds=1))


def test_the_sweep_frees_what_has_lapsed_and_leaves_the_rest(ada, owner, netuid):
    lapsed = world.offer(ada, netuid, 40, valid_s=3_600, now=NOW - 7 * DAY)
    countered = world.offer(ada, world.subnet(owner), 20, valid_s=30 * 86_400, now=NOW - 7 * DAY)
    world.counter(countered, owner, 30, valid_s=3_600, now=NOW - 7 * DAY)
    standing = world.offer(ada, world.subnet(owner), 10, valid_s=30 * 86_400)

    end_due_offers()
    end_due_offers()

    states = {offer.id: offer.state for offer in Offer.objects.all()}
    assert states == {lapsed.id: "expired", countered.id: "expired", standing.id: "owners_turn"}
    assert world.purse(ada) == (100 * TAO, 10 * TAO)


def test_the_ledger_frees_a_promise_whose_sweep_was_away(ada, netuid):
    offer = world.offer(ada, netuid, 40)
    ledger.expire_due_holds(now=NOW + DAY, limit=10)
    assert world.purse(ada) == (100 * TAO, 40 * TAO)
    ledger.expire_due_holds(now=NOW + DAY + world.HOUR, limit=10)
    assert world.purse(ada) == (100 * TAO, 0)

    ended = operations.end_offer(offer_id=offer.id, now=NOW + DAY + world.HOUR)

    assert ended.state == "expired"


def test_a_subnet_in_an_auction_is_not_sold_by_an_offer(ada, owner, netuid):
    offer = world.offer(ada, netuid, 40)
    auction = operations.open_auction(
        netuid=netuid,
        seller=owner.id,
        asked=Offering(start_rao=TAO, duration_s=3_600),
        key="sell",
        now=NOW,
        house=world.HOUSE,
    )
    with pytest.raises(SubnetInAuction) as refusal:
        world.accept(offer, owner, 40)
    assert refusal.value.fields == {"netuid": netuid}
    operations.cancel_auction(auction_id=auction.id, seller=owner.id, now=NOW)

    world.accept(offer, owner, 40)


def test_a_sale_by_auction_releases_the_open_offers(ada, netuid, owner):
    bob = world.person(tao=100)
    auction = world.auction(seller=owner)
    offer, elsewhere = world.offer(ada, auction.netuid, 40), world.offer(ada, netuid, 20)
    world.offer(bob, auction.netuid, 5)
    world.bid(auction, bob, 50)

    world.settle(auction)

    assert queries.offer(offer.id, viewer=ada.id).state == "superseded"
    assert queries.offer(elsewhere.id, viewer=ada.id).state == "owners_turn"
    assert world.purse(ada) == (100 * TAO, 20 * TAO)
    assert world.purse(bob) == (90 * TAO, 0)


def test_one_accepted_offer_releases_the_others_and_the_sweep_what_is_left(
    ada, owner, netuid, monkeypatch
):
    monkeypatch.setattr(standings, "SUPERSEDED_AT_ONCE", 1)
    others = [world.person(tao=50) for _ in range(2)]
    won = world.offer(ada, netuid, 40)
    for who in others:
        world.offer(who, netuid, 40, valid_s=30 * 86_400)

    world.accept(won, owner, 40)

    states = sorted(Offer.objects.exclude(pk=won.pk).values_list("state", flat=True))
    assert states == ["owners_turn", "superseded"]
    left = Offer.objects.get(state="owners_turn")
    with pytest.raises(OfferEnded):
        world.accept(left, owner, 40)
    end_due_offers()
    assert {world.purse(who) for who in others} == {(50 * TAO, 0)}
    assert set(Offer.objects.exclude(pk=won.pk).values_list("state", flat=True)) == {"superseded"}
    assert Sale.objects.filter(kind="offer").count() == 1


def test_an_offer_to_the_owner_before_is_not_the_next_owners(ada, owner, netuid):
    bob = world.person(tao=100)
    world.accept(world.offer(bob, netuid, 40), owner, 40)

    world.offer(ada, netuid, 50)

    assert [view.amount_rao for view in queries.offers_of(bob.id, side="owner")] == [50 * TAO]
    assert [view.state for view in queries.offers_of(owner.id, side="owner")] == ["accepted"]


@pytest.mark.parametrize("count", [1, 20])
def test_a_list_of_offers_takes_one_statement(ada, netuid, count, django_assert_num_queries):
    for _ in range(count):
        end(operations.withdraw_offer, world.offer(ada, netuid, 1), ada)

    with django_assert_num_queries(1):
        assert len(queries.offers_of(ada.id)) == count
