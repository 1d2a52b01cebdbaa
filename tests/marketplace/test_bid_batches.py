"""Bids placed together: the rows they leave are those they would have left one by one."""

from datetime import timedelta
from threading import Thread

import numpy as np
import pytest
from django.db import connection, transaction

from ledger.errors import DomainError, IdempotencyConflict, InsufficientFunds
from ledger.models import Entry
from ledger.money import RAO_PER_TAO as TAO
from ledger.queries import Balance
from marketplace import operations, queries
from marketplace.combining import Turn
from marketplace.errors import AuctionClosed, BidTooLow, SellerCannotBid
from marketplace.models import Auction, Bid
from marketplace.offering import Backing
from marketplace.operations import HouseTerms, bids
from marketplace.queries import asking
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db

SOFT_CLOSE = HouseTerms(soft_close_s=600, soft_close_cap_s=1_800, fee_bps=250)
DEPOSIT = {"backing": Backing.DEPOSIT, "deposit_bps": 1_000, "pay_within_s": 3_600}
SHOWN = [
    field.attname
    for field in Auction._meta.concrete_fields
    if field.attname not in {"id", "netuid", "seller", "key", "lead_bid"}
]


def asked(on, who, tao, key, now=NOW):
    return bids._Asked(on.id, who.id, tao * TAO, key, f"bid:{who.id}:{on.id}:{key}", now, None)


def place(all_asked):
    turn = Turn()
    answers = bids._place_all(all_asked, turn)
    turn.end()
    return answers


def one_by_one(all_asked):
    return [place([one])[0] for one in all_asked]


def outcome(answer, placed):
    """Say what an answer says, with the bid's place in its auction's log for its id."""
    if isinstance(answer, DomainError):
        named = {name: value for name, value in answer.fields.items() if name != "auction_id"}
        return answer.code, named
    said = {name: getattr(answer, name) for name in answer.__slots__ if name != "bid_id"}
    return placed[answer.bid_id], said


def left_by(on, answers, people):
    """Return all that bids leave behind, told without ids."""
    log = list(Bid.objects.filter(auction=on).order_by("sequence"))
    on = Auction.objects.get(pk=on.id)
    return {
        "answers": [outcome(answer, {bid.id: bid.sequence for bid in log}) for answer in answers],
        "log": [
            (b.sequence, b.bidder, b.place, b.max_rao, b.price_rao, b.leader, b.closes_at, b.placed_at)
            for b in log
        ],
        "auction": [getattr(on, name) for name in SHOWN],
        "lead": next((bid.sequence for bid in log if bid.id == on.lead_bid), None),
        "held": [world.purse(who)[1] for who in people],
    }  # fmt: skip


def drawn(on, people, seed):
    """Draw bids of people with much and little money, some with a key of another bid, some after the end."""
    chance = np.random.default_rng(seed)
    return [
        asked(
            on,
            people[int(chance.integers(len(people)))],
            int(chance.integers(8, 80)),
            str(chance.integers(12)),
            NOW + timedelta(seconds=int(at)),
        )
        for at in sorted(chance.integers(2_900, 3_620, 25))
    ]


@pytest.mark.parametrize("seed", range(6))
def test_a_batch_leaves_what_its_bids_leave_one_by_one(seed):
    seller = world.person(tao=20_000)
    people = [seller, *(world.person(tao=tao) for tao in (5, 30, 60, 900, 900))]
    terms = {} if seed % 3 else DEPOSIT
    first, second = (world.auction(seller=seller, house=SOFT_CLOSE, **terms) for _ in range(2))

    single = left_by(first, one_by_one(drawn(first, people, seed)), people)
    operations.call_off_auction(
        auction_id=first.id,
        reason="The next shall find every purse full.",
        operator=seller.id,
        now=NOW,
    )
    batch = left_by(second, place(drawn(second, people, seed)), people)

    assert batch == single
    assert len(single["log"]) > 3


def test_only_who_leads_in_the_end_has_money_set_aside_by_one_entry():
    on, ada, bob, eve = world.auction(), *(world.person(tao=100) for _ in range(3))
    before = Entry.objects.count()

    led, raised, best = place(
        [asked(on, ada, 40, "a"), asked(on, bob, 50, "b"), asked(on, eve, 60, "c")]
    )

    assert [led.is_leading, raised.is_leading, best.is_leading] == [True] * 3
    assert [led.version, raised.version, best.version] == [1, 2, 3]
    assert Entry.objects.count() == before + 1
    assert [world.purse(who)[1] for who in (ada, bob, eve)] == [0, 0, 60 * TAO]
    receipts = [
        queries.receipt(placed.bid_id, bidder=who.id)
        for placed, who in ((led, ada), (raised, bob), (best, eve))
    ]
    assert [receipt.is_leading for receipt in receipts] == [True] * 3
    assert [receipt.hold for receipt in receipts] == [None, None, bids.hold_named(best.bid_id)]


def test_one_key_twice_in_a_batch_is_one_bid():
    on, ada, bob = world.auction(), world.person(tao=100), world.person(tao=100)

    first, again, other, beaten = place(
        [
            asked(on, ada, 40, "one"),
            asked(on, ada, 40, "one"),
            asked(on, ada, 45, "one"),
            asked(on, bob, 20, "one"),
        ]
    )

    assert (again.bid_id, first.replayed, again.replayed) == (first.bid_id, False, True)
    assert (type(other), other.fields["field"]) == (IdempotencyConflict, "max_rao")
    assert (beaten.is_leading, beaten.replayed) == (False, False)
    assert Bid.objects.count() == 2
    assert place([asked(on, ada, 40, "one"), asked(on, bob, 20, "one")])[0].replayed


def test_refusals_in_a_batch_are_each_their_own():
    seller = world.person(tao=1_000)
    on = world.auction(seller=seller, duration_s=3_600, house=HouseTerms(0, 0, 250))
    ada, bob, poor = world.person(tao=100), world.person(tao=100), world.person(tao=5)

    answers = place(
        [
            asked(on, poor, 30, "a"),
            asked(on, seller, 40, "b"),
            asked(on, ada, 40, "c"),
            asked(on, bob, 10, "d"),
            asked(on, bob, 60, "e", NOW + world.HOUR),
            asked(on, bob, 50, "f"),
        ]
    )

    assert [type(answer) for answer in answers] == [
        InsufficientFunds,
        SellerCannotBid,
        bids.Placed,
        BidTooLow,
        AuctionClosed,
        bids.Placed,
    ]
    assert answers[0].fields == {"needed_rao": 30 * TAO, "available_rao": 5 * TAO}
    assert [bid.bidder for bid in Bid.objects.order_by("sequence")] == [ada.id, bob.id]
    assert world.purse(bob) == (100 * TAO, 50 * TAO)


def test_a_batch_that_the_ledger_refuses_is_decided_one_by_one(monkeypatch):
    on, ada, poor = world.auction(), world.person(tao=100), world.person(tao=5)
    rich = Balance(posted_rao=1_000 * TAO)
    # As if the money had been there when it was looked at, and went elsewhere before it was set aside.
    monkeypatch.setattr(
        asking.books, "asked_balances", lambda wallets: lambda: dict.fromkeys(wallets, rich)
    )

    placed, refused = place([asked(on, ada, 40, "a"), asked(on, poor, 50, "b")])

    assert (placed.is_leading, placed.version) == (True, 1)
    assert (type(refused), refused.fields["available_rao"]) == (InsufficientFunds, 5 * TAO)
    assert Bid.objects.get().id == placed.bid_id
    monkeypatch.undo()
    assert world.purse(ada) == (100 * TAO, 40 * TAO)


@pytest.mark.django_db(transaction=True)
def test_who_waits_for_the_row_is_placed_with_all_who_wait():
    on, people = world.auction(), [world.person(tao=1_000) for _ in range(12)]
    before, answers = Entry.objects.count(), {}

    def bid(who, tao):
        answers[who.id] = world.bid(on, who, tao)
        connection.close()

    with transaction.atomic():
        queries.lock_auction(on.id)
        threads = [
            Thread(target=bid, args=(who, 20 + 5 * place)) for place, who in enumerate(people)
        ]
        for asking_count, thread in enumerate(threads, 1):
            thread.start()
            # Whoever leads has left the line.
            lines = bids._waiting._lines
            while asking_count > len(lines) + sum(map(len, lines.values())):
                thread.join(0.001)
    for thread in threads:
        thread.join()

    assert [answers[who.id].version for who in people] == list(range(1, 13))
    assert all(answer.is_leading for answer in answers.values())
    # The first of them waited for the row alone; all others were placed together.
    assert Entry.objects.count() == before + 2
    assert [world.purse(who)[1] for who in people] == [0] * 11 + [75 * TAO]
    assert bids._waiting._lines == {}
