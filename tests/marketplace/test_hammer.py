"""Second chances against tests/vectors/proxy_bidding.json, and what holds for all deposits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace import bidding, hammer
from marketplace.bidding import Maximum, Play, Sold
from tests.marketplace.test_bidding import TABLES, VECTORS, at, named
from tests.marketplace.test_bidding_properties import EVENTS, TERMS, played

CASES = {case["id"]: case for case in VECTORS["second_chance"]["cases"]}


@pytest.mark.parametrize("name", CASES)
def test_a_vector_has_its_second_chance(name):
    case = CASES[name]
    play = Play(
        terms=bidding.Terms(
            start_rao=case["start"],
            reserve_rao=case["reserve"],
            increments=TABLES[case["table"]],
            opens_at=at(0),
            closes_at=at(3600),
        ),
        maxima=tuple(
            Maximum(named(letter), max_rao, sequence)
            for letter, max_rao, sequence in case["maxima"]
        ),
        closes_at=at(3600),
    )
    won = bidding.outcome(play, now=at(3600))
    assert won == Sold(named(case["winner"]), case["winner_price"])

    offer = hammer.next_offer(play, passed_over=[named(case["default"])])

    expected = case["expect"]
    if expected["offer_to"] is None:
        assert offer is None
    else:
        assert offer == Sold(named(expected["offer_to"]), expected["offer_price"])


@given(TERMS, EVENTS)
def test_chances_go_down_the_maxima_and_end(terms, events):
    play = ([bidding.opening(terms)] + [after for *_, after in played(terms, events)])[-1]
    own = {maximum.bidder: maximum.max_rao for maximum in play.maxima}
    passed_over, prices = [], []

    while offer := hammer.next_offer(play, passed_over=passed_over):
        assert offer.winner not in passed_over
        assert (terms.reserve_rao or 0) <= offer.price_rao <= own[offer.winner]
        passed_over.append(offer.winner)
        prices.append(offer.price_rao)

    assert [own[bidder] for bidder in passed_over] == sorted(
        (own[bidder] for bidder in passed_over), reverse=True
    )
    assert len(passed_over) <= len(own)


@given(st.integers(1, 10**18), st.integers(1, 10_000))
def test_a_deposit_is_its_share_rounded_up_and_never_more_than_the_maximum(max_rao, bps):
    deposit = hammer.deposit_rao(max_rao, deposit_bps=bps)

    assert 0 < deposit <= max_rao
    assert (deposit - 1) * 10_000 < max_rao * bps <= deposit * 10_000
