"""Many at once: no rao is lost or made, and only the leader's maximum is held."""

from datetime import timedelta

import pytest
from django.db import transaction

from ledger.errors import IdempotencyConflict
from ledger.money import RAO_PER_TAO as TAO
from marketplace import bidding, queries
from marketplace.errors import AuctionAlreadyOpen, AuctionClosed, BidTooLow, MaximumNotRaised
from marketplace.models import Auction, Bid, Sale
from marketplace.offering import Offering
from marketplace.operations import HouseTerms, Placed, open_auction
from marketplace.tasks import settle_due_auctions
from subnets import queries as slots
from tests.ledger.make import together
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db(transaction=True)

BIDDERS = 50


def test_fifty_bids_at_once_hold_the_highest_maximum_alone():
    on = world.auction(start=10)
    people = [world.person(tao=1_000) for _ in range(BIDDERS)]

    # Maxima in no order: 17 is prime to 50, so each of 20, 26 … 314 TAO is bid once. They lie further
    # apart than a step, so that the highest is never refused as too low a raise.
    maxima = [20 + 6 * (17 * place % BIDDERS) for place in range(BIDDERS)]
    answers = together(
        [
            lambda who=who, tao=tao: world.bid(on, who, tao)
            for who, tao in zip(people, maxima, strict=True)
        ]
    )

    assert {type(answer) for answer in answers} <= {Placed, BidTooLow}
    on.refresh_from_db()
    winner = people[maxima.index(314)]
    assert (on.leader, on.bid_count) == (winner.id, Bid.objects.count())
    assert on.bid_count == sum(isinstance(answer, Placed) for answer in answers)
    # The runner-up's bid may have come too late to stand; the price is what the log derives.
    assert on.price_rao == bidding.standing(queries.play_of(on)).price_rao
    assert world.purse(winner) == (1_000 * TAO, 314 * TAO)
    others = [world.purse(who) for who in people if who is not winner]
    assert others == [(1_000 * TAO, 0)] * (BIDDERS - 1)
    assert sorted(Bid.objects.values_list("sequence", flat=True)) == list(
        range(1, on.bid_count + 1)
    )


def test_one_bid_sent_by_many_counts_once():
    on, ada = world.auction(), world.person(tao=1_000)

    answers = together([lambda: world.bid(on, ada, 40, key="one")] * 10)

    assert {answer.bid_id for answer in answers} == {Bid.objects.get().id}
    assert sum(not answer.replayed for answer in answers) == 1
    assert world.purse(ada) == (1_000 * TAO, 40 * TAO)


def test_who_comes_too_late_or_again_waits_for_nobody():
    on, ada, bob = world.auction(), world.person(tao=1_000), world.person(tao=1_000)
    first = world.bid(on, ada, 40, key="one")
    world.bid(on, bob, 50)

    with transaction.atomic():
        queries.lock_auction(on.id)
        late, lower, again, other = together(
            [
                lambda: world.bid(on, ada, 41),
                lambda: world.bid(on, bob, 45),
                lambda: world.bid(on, ada, 40, key="one"),
                lambda: world.bid(on, ada, 39, key="one"),
            ]
        )

    assert (type(late), late.fields["minimum_rao"]) == (BidTooLow, minimum(on))
    assert (type(lower), lower.fields["maximum_rao"]) == (MaximumNotRaised, 50 * TAO)
    assert (again.bid_id, again.replayed) == (first.bid_id, True)
    assert (type(other), other.fields["field"]) == (IdempotencyConflict, "max_rao")


def minimum(on):
    on.refresh_from_db()
    return queries.min_next_rao(on, price_rao=on.price_rao)


def test_one_purse_cannot_lead_two_auctions_with_the_same_money():
    first, second, ada = world.auction(), world.auction(), world.person(tao=100)

    answers = together([lambda on=on: world.bid(on, ada, 80) for on in (first, second)])

    assert sorted(type(answer).__name__ for answer in answers) == ["InsufficientFunds", "Placed"]
    assert world.purse(ada) == (100 * TAO, 80 * TAO)


def test_crossing_leads_do_not_deadlock():
    first, second = world.auction(), world.auction()
    ada, bob = world.person(tao=10_000), world.person(tao=10_000)
    world.bid(first, ada, 20)
    world.bid(second, bob, 20)

    def cross(here, there, tao):
        """Each takes the lead from the other, at the same moment."""
        return together(
            [lambda: world.bid(first, here, tao), lambda: world.bid(second, there, tao)]
        )

    for step in range(1, 6):
        here, there = (ada, bob) if step % 2 == 0 else (bob, ada)
        answers = cross(here, there, 20 + 100 * step)
        assert [type(answer) for answer in answers] == [Placed, Placed]

    assert world.purse(ada)[1] == world.purse(bob)[1] == 520 * TAO


def test_two_workers_settling_at_once_pay_once():
    seller, ada = world.person(tao=1_000), world.person(tao=1_000)
    on = world.auction(seller=seller)
    before = world.purse(seller)[0]
    world.bid(on, ada, 40)

    sales = together([lambda: world.settle(Auction.objects.get(pk=on.id))] * 8)

    assert {sale.id for sale in sales} == {Sale.objects.get(kind="auction").id}
    assert world.purse(seller)[0] == before + 10 * TAO - sales[0].fee_rao
    assert world.purse(ada) == (990 * TAO, 0)


def test_bids_and_the_settlement_agree_on_who_won():
    seller = world.person(tao=1_000)
    # Without an extension the end stands, and the bids race the settlement for the lock.
    on = world.auction(seller=seller, duration_s=3_600, house=HouseTerms(0, 0, 250))
    people = [world.person(tao=1_000) for _ in range(8)]
    last = NOW + world.HOUR - timedelta(seconds=1)

    answers = together(
        [
            *[
                lambda who=who, tao=tao: world.bid(on, who, tao, now=last)
                for tao, who in enumerate(people, 20)
            ],
            lambda: world.settle(on, now=NOW + world.HOUR),
        ]
    )

    assert {type(answer) for answer in answers[:-1]} <= {Placed, BidTooLow, AuctionClosed}
    on.refresh_from_db()
    sale = Sale.objects.filter(auction=on).first()
    assert (on.state, on.leader) == (("settled", sale.buyer) if sale else ("unsold", None))
    assert slots.subnet(on.netuid).owner == (sale.buyer if sale else seller.id)
    assert [world.purse(who)[1] for who in people] == [0] * 8


def test_a_subnet_is_put_up_once_by_many():
    seller = world.person(tao=1_000)
    netuid = world.subnet(seller)

    def offer(key):
        return open_auction(
            netuid=netuid,
            seller=seller.id,
            asked=Offering(start_rao=TAO, reserve_rao=None, duration_s=60),
            key=key,
            now=NOW,
        )

    answers = together([lambda key=key: offer(key) for key in "abcdef"])

    assert sorted({type(answer) for answer in answers}, key=str) == [AuctionAlreadyOpen, Auction]
    assert Auction.objects.count() == 1


def test_a_resale_at_the_moment_of_settlement_neither_deadlocks_nor_sells_twice():
    seller, ada = world.person(tao=1_000), world.person(tao=1_000)
    on = world.auction(seller=seller)
    world.bid(on, ada, 40)
    end = NOW + world.HOUR

    def offer(who):
        return open_auction(
            netuid=on.netuid,
            seller=who.id,
            asked=Offering(start_rao=TAO, reserve_rao=None, duration_s=60),
            key=f"resale of {who.id}",
            now=end,
        )

    answers = together(
        [lambda: world.settle(on, now=end), lambda: offer(seller), lambda: offer(ada)]
    )

    assert isinstance(answers[0], Sale)
    live = Auction.objects.filter(state="open")
    assert [auction.seller for auction in live] in ([], [ada.id])


def test_the_sweep_settles_what_is_due_and_leaves_the_rest():
    past = NOW - timedelta(days=1)
    due, later = world.auction(duration_s=60, now=past), world.auction(duration_s=30 * 86_400)
    ada = world.person(tao=100)
    world.bid(due, ada, 40, now=past)

    settle_due_auctions()

    assert queries.auction(due.id).state == "settled"
    assert queries.auction(later.id).state == "open"
