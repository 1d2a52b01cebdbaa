"""Sealed bids from placing to opening: covered, unread by anybody, decided and paid in one step."""

import logging
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ledger import operations as ledger
from ledger import queries as books
from ledger.errors import IdempotencyConflict, InsufficientFunds
from ledger.money import RAO_PER_TAO as TAO
from marketplace import live, operations, queries, sealed
from marketplace.errors import (
    AccountsLinked,
    AuctionClosed,
    AuctionNotOpenYet,
    AuctionStillOpen,
    BidTooLow,
    CoverBelowMaximum,
    SealedBidNotRaised,
    SealedBidsFull,
    SealedBidsUnreadable,
    SellerCannotBid,
    WrongFormat,
)
from marketplace.models import SealedBid, SealedOpening
from marketplace.offering import Format
from subnets import operations as subnets
from subnets import queries as slots
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db


def sealed_auction(**terms):
    return world.auction(format=Format.SEALED, **terms)


@pytest.fixture
def on(db):
    return sealed_auction(start=10)


@pytest.fixture
def ada(db):
    return world.person(tao=1_000)


@pytest.fixture
def bob(db):
    return world.person(tao=1_000)


# Placing -------------------------------------------------------------------------------------------


def test_a_sealed_bid_is_covered_by_more_than_its_maximum(on, ada):
    placed = world.seal(on, ada, 130)

    assert (placed.sequence, placed.alias, placed.max_rao) == (1, "bidder 1", 130 * TAO)
    assert placed.cover_rao == 200 * TAO
    assert world.purse(ada) == (1_000 * TAO, 200 * TAO)
    assert placed.commitment == sealed.commitment(
        auction=on.id,
        sequence=1,
        alias="bidder 1",
        max_rao=130 * TAO,
        nonce=bytes.fromhex(placed.nonce),
    )


def test_a_bidder_may_cover_more_and_nobody_less_than_the_maximum(on, ada):
    assert world.seal(on, ada, 130, cover=777).cover_rao == 777 * TAO

    with pytest.raises(CoverBelowMaximum) as refusal:
        world.seal(on, ada, 150, cover=149)
    assert refusal.value.fields == {"maximum_rao": 150 * TAO, "cover_rao": 149 * TAO}
    with pytest.raises(InsufficientFunds) as short:
        world.seal(on, ada, 150, cover=1_001)
    assert short.value.fields == {"needed_rao": 1_001 * TAO, "available_rao": 1_000 * TAO}
    assert world.purse(ada)[1] == 777 * TAO


def test_a_cover_ends_where_the_wallet_does(on):
    poor = world.person(tao=150)

    assert world.seal(on, poor, 130).cover_rao == 150 * TAO
    with pytest.raises(InsufficientFunds):
        world.seal(on, poor, 151)


def test_raising_replaces_the_earlier_cover_and_lowering_is_refused(on, ada):
    world.seal(on, ada, 450)

    again = world.seal(on, ada, 800)

    assert (again.sequence, again.alias) == (2, "bidder 1")
    assert world.purse(ada) == (1_000 * TAO, 1_000 * TAO)
    for tao in (800, 100):
        with pytest.raises(SealedBidNotRaised) as refusal:
            world.seal(on, ada, tao)
        assert refusal.value.fields == {"maximum_rao": 800 * TAO, "amount_rao": tao * TAO}


def test_the_same_key_places_one_sealed_bid(on, ada):
    first = world.seal(on, ada, 130, key="one")

    again = world.seal(on, ada, 130, key="one", now=NOW + timedelta(minutes=1))

    assert again.replayed
    assert (again.bid_id, again.nonce) == (first.bid_id, first.nonce)
    for other in ({"tao": 131}, {"tao": 130, "cover": 200}):
        with pytest.raises(IdempotencyConflict):
            world.seal(on, ada, key="one", **other)
    with pytest.raises(IdempotencyConflict):
        world.seal(sealed_auction(), ada, 130, key="one")
    assert SealedBid.objects.count() == 1


def test_who_may_not_bid_is_refused(on, ada, bob):
    seller = world.User.objects.get(pk=on.seller)
    operations.link_accounts(
        one=bob.id, other=on.seller, note="one card", linked_by=ada.id, now=NOW
    )

    with pytest.raises(SellerCannotBid):
        world.seal(on, seller, 20)
    with pytest.raises(AccountsLinked):
        world.seal(on, bob, 20)
    with pytest.raises(BidTooLow) as refusal:
        world.seal(on, ada, 9)
    assert refusal.value.fields == {"minimum_rao": 10 * TAO, "amount_rao": 9 * TAO}
    with pytest.raises(AuctionClosed):
        world.seal(on, ada, 20, now=on.closes_at)
    with pytest.raises(AuctionNotOpenYet):
        world.seal(sealed_auction(opens_at=NOW + world.HOUR), ada, 20)
    world.seal(on, ada, 20, now=on.closes_at - timedelta(microseconds=1))


def test_each_format_takes_its_own_bids(on, ada):
    with pytest.raises(WrongFormat) as refusal:
        world.bid(on, ada, 20)
    assert refusal.value.fields == {"format": "sealed"}
    with pytest.raises(WrongFormat):
        world.seal(world.auction(), ada, 20)


def test_bidders_and_bids_of_each_are_bounded(on, ada, bob, monkeypatch):
    monkeypatch.setattr(sealed, "BIDDERS_MAX", 1)
    monkeypatch.setattr(sealed, "BIDS_PER_BIDDER_MAX", 2)
    world.seal(on, ada, 20)

    with pytest.raises(SealedBidsFull):
        world.seal(on, bob, 20)
    world.seal(on, ada, 21)
    with pytest.raises(SealedBidsFull) as refusal:
        world.seal(on, ada, 22)
    assert refusal.value.fields == {"bidders_max": 1, "bids_max": 2}


# Secrecy -------------------------------------------------------------------------------------------


def test_nothing_but_counts_and_commitments_is_told_before_the_end(
    on, ada, bob, caplog, django_assert_num_queries
):
    caplog.set_level(logging.DEBUG)
    with CaptureQueriesContext(connection) as written:
        first = world.seal(on, ada, 123.456789)
        world.seal(on, bob, 300)

    seen = queries.auction(on.id)
    assert (seen.price_rao, seen.leader_alias, seen.min_next_rao) == (None, None, 10 * TAO)
    assert (seen.bid_count, seen.closes_at) == (2, on.closes_at)
    with django_assert_num_queries(1):
        lines = queries.sealed_lines(on.id, bob.id)
    assert [(line.alias, line.max_rao, line.nonce) for line in lines] == [(None, None, None)] * 2
    assert [line.is_yours for line in lines] == [False, True]
    assert queries.bid_history(on.id, bob.id) == []
    assert queries.highest_openings(on.id, bob.id, limit=9) == []
    assert queries.my_sealed_bid(on.id, bob.id).max_rao == 300 * TAO
    assert queries.my_sealed_bid(on.id, world.person().id) is None
    everything = [
        str(live.auction_message(seen)),
        *(str(line) for line in lines),
        str(queries.bids_of(bob.id)),
        str(queries.sealed_bids_of(bob.id)),
        str(books.statement(on.seller)),
        str(books.statement(ada.id)),
        caplog.text,
        str([query["sql"] for query in written.captured_queries]),
    ]
    for text in everything:
        assert "123456789" not in text
        assert first.nonce not in text


def test_a_maximum_cannot_be_read_from_the_database_without_the_key(on, ada, settings):
    world.seal(on, ada, 130)
    row = SealedBid.objects.get()

    assert (130 * TAO).to_bytes(8) not in bytes(row.ciphertext)
    settings.SEALED_BIDS_KEYS = ["another secret"]
    with pytest.raises(SealedBidsUnreadable):
        queries.my_sealed_bid(on.id, ada.id)
    with pytest.raises(SealedBidsUnreadable):
        world.settle(on)
    on.refresh_from_db()
    assert on.state == "open"
    assert world.purse(ada)[1] == 200 * TAO


def test_keys_rotate_while_bids_are_sealed(on, ada, bob, settings):
    settings.SEALED_BIDS_KEYS = ["old"]
    world.seal(on, ada, 130)
    settings.SEALED_BIDS_KEYS = ["new", "old"]
    world.seal(on, bob, 300)

    assert world.settle(on).price_rao == 130 * TAO

    settings.SEALED_BIDS_KEYS = ["newest"]
    assert queries.my_sealed_bid(on.id, ada.id).max_rao == 130 * TAO


# The end -------------------------------------------------------------------------------------------


def test_the_highest_wins_at_the_second_highest_and_everybody_else_is_free(on, ada, bob):
    cleo = world.person(tao=1_000)
    world.seal(on, ada, 130)
    world.seal(on, bob, 300, cover=900)
    world.seal(on, cleo, 60)
    world.seal(on, cleo, 70)
    seller_rao = books.balance(world.wallet(on.seller)).posted_rao

    sale = world.settle(on)

    assert (sale.buyer, sale.price_rao) == (bob.id, 130 * TAO)
    assert sale.fee_rao == 130 * TAO * 250 // 10_000
    assert world.purse(bob) == (870 * TAO, 0)
    assert world.purse(ada) == world.purse(cleo) == (1_000 * TAO, 0)
    assert (
        books.balance(world.wallet(on.seller)).posted_rao == seller_rao + 130 * TAO - sale.fee_rao
    )
    assert slots.subnet(on.netuid).owner == bob.id
    seen = queries.auction(on.id)
    assert (seen.state, seen.price_rao, seen.leader_alias) == ("settled", 130 * TAO, "bidder 2")
    assert world.settle(on).id == sale.id


def test_after_the_end_anybody_can_check_it(on, ada, bob):
    kept = {}
    for who, tao in ((ada, 130), (bob, 300), (ada, 200)):
        world.seal(on, who, tao)
        kept = {line.sequence: line.commitment for line in queries.sealed_lines(on.id)}

    world.settle(on)

    on.refresh_from_db()
    assert sealed.verify(queries.sealed_claim(on), kept=kept) == []
    lines = queries.sealed_lines(on.id)
    assert [(line.alias, line.max_rao) for line in lines] == [
        ("bidder 1", 130 * TAO),
        ("bidder 2", 300 * TAO),
        ("bidder 1", 200 * TAO),
    ]
    assert [line.alias for line in queries.highest_openings(on.id, None, limit=9)] == [
        "bidder 2",
        "bidder 1",
    ]


def test_equal_maxima_go_to_the_earlier_at_that_amount(on, ada, bob):
    world.seal(on, bob, 100)
    world.seal(on, ada, 100)

    sale = world.settle(on)

    assert (sale.buyer, sale.price_rao) == (bob.id, 100 * TAO)


def test_below_the_reserve_nothing_is_sold_and_all_is_opened(ada):
    on = sealed_auction(start=10, reserve=200)
    world.seal(on, ada, 130)

    assert world.settle(on) is None

    seen = queries.auction(on.id)
    assert (seen.state, seen.price_rao, seen.leader_alias) == ("unsold", None, None)
    assert world.purse(ada) == (1_000 * TAO, 0)
    assert SealedOpening.objects.get().max_rao == 130 * TAO


def test_an_auction_is_not_unsealed_before_its_end(on, ada):
    world.seal(on, ada, 130)

    with pytest.raises(AuctionStillOpen):
        world.settle(on, now=on.closes_at - timedelta(seconds=1))

    assert SealedOpening.objects.count() == 0


def test_a_late_sealed_bid_moves_no_end(on, ada):
    world.seal(on, ada, 130, now=on.closes_at - timedelta(seconds=1))

    assert queries.auction(on.id).closes_at == on.closes_at


def test_a_seller_with_nothing_to_sell_frees_everybody_and_opens_nothing(on, ada, bob):
    world.seal(on, ada, 130)
    world.seal(on, bob, 300)
    subnets.transfer_ownership(
        netuid=on.netuid, seller=on.seller, buyer=uuid4(), price_rao=1, now=NOW
    )

    assert world.settle(on) is None

    seen = queries.auction(on.id)
    assert (seen.state, seen.leader_alias) == ("cancelled", None)
    assert world.purse(ada) == world.purse(bob) == (1_000 * TAO, 0)
    assert SealedOpening.objects.count() == 0


def test_many_covers_are_released_by_one_entry(on, monkeypatch):
    people = [world.person(tao=100) for _ in range(6)]
    for tao, who in enumerate(people, start=11):
        world.seal(on, who, tao)
    posted = []
    post = ledger.post
    monkeypatch.setattr(ledger, "post", lambda entry: posted.append(entry) or post(entry))

    assert world.settle(on).price_rao == 15 * TAO

    (entry,) = posted
    assert len(entry.steps) == 6
    assert {world.purse(who)[1] for who in people} == {0}
