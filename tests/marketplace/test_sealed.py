"""Sealed bids against tests/vectors/proxy_bidding.json, what holds for all of them, and how anybody checks them.

V8 speaks of a bid that was never revealed. Here nobody has to reveal anything: the house opens every bid. What is
left of V8 is a bid that an operator voids: it is not among the maxima, and nothing is forfeited.
"""

import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.money import RAO_PER_TAO as TAO
from marketplace import sealed
from marketplace.bidding import Maximum, Sold, Unsold, UnsoldReason
from marketplace.errors import SealedBidsUnreadable
from marketplace.sealed import Claim, Opening
from marketplace.sealing import Secret, derived_keys, seal, unseal
from tests.marketplace.test_bidding import VECTORS, named

CASES = {case["id"]: case for case in VECTORS["sealed_second_price"]["cases"]}
AUCTION, BID = named("auction"), named("bid")
NONCE = bytes(range(32))


@pytest.mark.parametrize("name", CASES)
def test_a_vector_has_its_outcome(name):
    case = CASES[name]
    voided = case.get("unrevealed", [])
    maxima = [
        Maximum(named(letter), max_rao, sequence)
        for letter, max_rao, sequence in case["bids"]
        if letter not in voided
    ]

    decided = sealed.outcome(start_rao=case["start"], reserve_rao=case["reserve"], maxima=maxima)

    expected = case["expect"]
    if expected["winner"] is None:
        assert decided == Unsold(UnsoldReason(expected["outcome"]), high_bidder=named("A"))
    else:
        assert decided == Sold(named(expected["winner"]), expected["pays"])


def test_without_bids_nothing_is_sold():
    assert sealed.outcome(start_rao=1, reserve_rao=None, maxima=[]) == Unsold(UnsoldReason.NO_BIDS)


AMOUNTS = st.integers(1, 40) | st.integers(1, 10**18)
BIDS = st.lists(AMOUNTS, max_size=6).map(
    lambda amounts: [
        Maximum(uuid.UUID(int=place), max_rao, place)
        for place, max_rao in enumerate(amounts, start=1)
    ]
)
RESERVES = st.none() | AMOUNTS


def decided(start_rao, reserve_rao, maxima):
    return sealed.outcome(start_rao=start_rao, reserve_rao=reserve_rao, maxima=maxima)


@given(AMOUNTS, RESERVES, BIDS)
def test_a_winner_pays_no_more_than_their_maximum_and_no_less_than_anybody_elses(
    start, reserve, maxima
):
    ended = decided(start, reserve, maxima)

    if isinstance(ended, Sold):
        own = next(m.max_rao for m in maxima if m.bidder == ended.winner)
        others = [m.max_rao for m in maxima if m.bidder != ended.winner]
        assert max(start, reserve or 0, *others) == ended.price_rao <= own
    else:
        assert all(m.max_rao < max(start, reserve or 0) for m in maxima)


@given(AMOUNTS, RESERVES, BIDS.filter(bool), AMOUNTS)
def test_stating_what_it_is_worth_is_never_worse_than_any_other_maximum(
    start, reserve, maxima, other_rao
):
    honest, *others = maxima

    def gain(stated_rao):
        ended = decided(start, reserve, [replace(honest, max_rao=stated_rao), *others])
        won = isinstance(ended, Sold) and ended.winner == honest.bidder
        return honest.max_rao - ended.price_rao if won else 0

    assert gain(honest.max_rao) >= gain(other_rao)


@given(AMOUNTS, RESERVES, BIDS.filter(bool), AMOUNTS)
def test_a_winner_who_raises_pays_the_same(start, reserve, maxima, more):
    ended = decided(start, reserve, maxima)
    if isinstance(ended, Unsold):
        return

    raised = [
        replace(m, max_rao=m.max_rao + more) if m.bidder == ended.winner else m for m in maxima
    ]

    assert decided(start, reserve, raised) == ended


@given(AMOUNTS, RESERVES, BIDS.filter(bool), st.randoms(use_true_random=False))
def test_the_order_of_equal_maxima_alone_decides_between_them(start, reserve, maxima, chance):
    shuffled = list(maxima)
    chance.shuffle(shuffled)

    assert decided(start, reserve, shuffled) == decided(start, reserve, maxima)
    equal = [replace(m, max_rao=maxima[0].max_rao) for m in shuffled]
    ended = decided(start, None, equal)
    if isinstance(ended, Sold):
        assert ended == Sold(
            uuid.UUID(int=1), max(start, maxima[0].max_rao if len(equal) > 1 else 0)
        )


@given(st.integers(1, 10**16), st.integers(0, 10**17))
def test_a_cover_is_a_coarse_step_or_all_there_is_and_never_below_the_maximum(max_rao, available):
    cover = sealed.default_cover(max_rao, available_rao=available)

    assert cover >= max_rao
    if cover not in (available, max_rao):
        assert str(cover).rstrip("0") in {"1", "2", "5"}
        assert cover < max_rao * 5 / 2 or cover == TAO
        assert cover <= available


@pytest.mark.parametrize(
    ("max_tao", "cover_tao"),
    [(0.3, 1), (1, 1), (1.1, 2), (5, 5), (5.1, 10), (130, 200), (201, 500)],
)
def test_a_cover_rounds_up_to_one_two_or_five(max_tao, cover_tao):
    asked = round(max_tao * TAO)

    assert sealed.default_cover(asked, available_rao=10**6 * TAO) == cover_tao * TAO


# What is published ---------------------------------------------------------------------------------


def opening(sequence, alias, max_rao):
    bound = sealed.commitment(
        auction=AUCTION, sequence=sequence, alias=alias, max_rao=max_rao, nonce=NONCE
    )
    return Opening(sequence, alias, max_rao, NONCE, bound)


OPENINGS = (opening(1, "bidder 1", 50), opening(2, "bidder 2", 90), opening(3, "bidder 1", 70))
TRUE = Claim(AUCTION, 10, 60, OPENINGS, winner="bidder 2", price_rao=70)
KEPT = {o.sequence: o.commitment for o in OPENINGS}


def test_the_formula_of_a_commitment_stands():
    # As docs/api.md words it, computed here by hand: it may never change for bids that were made.
    assert OPENINGS[0].commitment == (
        "92e74ce6d468b06ee2fe38447f945a0bffe3f7b41255a88b65d3dd9618df6f9a"
    )


def test_a_true_claim_verifies():
    assert sealed.verify(TRUE) == []
    assert sealed.verify(TRUE, kept=KEPT) == []
    unsold = replace(TRUE, reserve_rao=100, winner=None, price_rao=None)
    assert sealed.verify(unsold) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"price_rao": 71}, "do not follow"),
        ({"winner": "bidder 1"}, "do not follow"),
        ({"winner": None, "price_rao": None}, "do not follow"),
        ({"reserve_rao": 91}, "do not follow"),
        ({"openings": (*OPENINGS[:2], replace(OPENINGS[2], max_rao=60))}, "Bid 3 does not fit"),
        ({"openings": (*OPENINGS[:2], replace(OPENINGS[2], alias="bidder 3"))}, "Bid 3 does not"),
        ({"openings": OPENINGS[:2], "price_rao": 60}, "Bid 3 was committed to"),
        ({"openings": OPENINGS[1:]}, "not numbered"),
        ({"auction": BID}, "Bid 1 does not fit"),
    ],
)
def test_a_changed_claim_is_found(change, fault):
    assert fault in " ".join(sealed.verify(replace(TRUE, **change), kept=KEPT))


# What is kept --------------------------------------------------------------------------------------

OLD, NEW = derived_keys(("old secret", "new secret"))
SECRET = Secret(max_rao=123, nonce=NONCE)
IV = b"twelve bytes"


def sealed_with(*keys):
    return seal(SECRET, keys=keys, iv=IV, auction=AUCTION, bid=BID)


def test_a_seal_opens_to_what_was_sealed_and_has_one_length():
    great = seal(replace(SECRET, max_rao=2**63 - 1), keys=[NEW], iv=IV, auction=AUCTION, bid=BID)

    assert unseal(sealed_with(NEW), keys=[NEW], auction=AUCTION, bid=BID) == SECRET
    assert len(great) == len(sealed_with(NEW))
    assert NONCE not in sealed_with(NEW)


def test_a_seal_of_an_older_key_opens_while_that_key_is_listed():
    sealed_before = sealed_with(OLD)

    assert unseal(sealed_before, keys=[NEW, OLD], auction=AUCTION, bid=BID) == SECRET
    with pytest.raises(SealedBidsUnreadable) as refusal:
        unseal(sealed_before, keys=[NEW], auction=AUCTION, bid=BID)
    assert refusal.value.fields == {"auction_id": AUCTION}


@pytest.mark.parametrize("place", [0, 5, 20, 70])
def test_a_changed_seal_does_not_open(place):
    changed = bytearray(sealed_with(NEW))
    changed[place] ^= 1

    with pytest.raises(SealedBidsUnreadable):
        unseal(bytes(changed), keys=[NEW], auction=AUCTION, bid=BID)


def test_a_seal_opens_in_its_own_row_alone():
    with pytest.raises(SealedBidsUnreadable):
        unseal(sealed_with(NEW), keys=[NEW], auction=AUCTION, bid=AUCTION)
    with pytest.raises(SealedBidsUnreadable):
        unseal(sealed_with(NEW), keys=[NEW], auction=BID, bid=BID)
