"""What holds for every sequence of bids and voids.

Amounts are small and lumpy, so ties, clamps and table edges are common; times run over the end, so
soft closes, caps and refusals are too.
"""

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import DomainError
from marketplace import bidding
from marketplace.bidding import (
    Play,
    ReserveUnmetPolicy,
    SelfRaisePolicy,
    SoftClose,
    SoftCloseMode,
    Sold,
    Terms,
    UnsoldReason,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "proxy_bidding.json").read_text())
CENTS = tuple((row["from"], row["step"]) for row in VECTORS["increment_tables"]["ebay_usd_cents"])
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
A, B, C = (uuid.uuid5(uuid.NAMESPACE_OID, letter) for letter in "ABC")


def at(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


AMOUNTS = st.one_of(st.integers(1, 60_000), st.sampled_from([1000, 2500, 10_000, 20_000, 25_000]))
SOFT_CLOSES = st.none() | st.builds(
    SoftClose,
    mode=st.sampled_from(SoftCloseMode),
    window_s=st.integers(0, 600),
    extend_s=st.integers(0, 900),
    cap_s=st.none() | st.integers(0, 1200),
)
TERMS = st.builds(
    Terms,
    start_rao=st.integers(1, 12_000),
    reserve_rao=st.none() | st.integers(1, 40_000),
    increments=st.just(CENTS),
    opens_at=st.just(at(0)),
    closes_at=st.just(at(2000)),
    soft_close=SOFT_CLOSES,
    self_raise_policy=st.sampled_from(SelfRaisePolicy),
    reserve_unmet_policy=st.sampled_from(ReserveUnmetPolicy),
)
BIDS = st.tuples(st.just("bid"), st.sampled_from([A, B, C]), AMOUNTS, st.integers(0, 300))
VOIDS = st.tuples(st.just("void"), st.sampled_from([A, B, C]), st.just(0), st.integers(0, 300))
EVENTS = st.lists(st.one_of(BIDS, BIDS, BIDS, BIDS, VOIDS), max_size=25)


def played(terms: Terms, events):
    """Yield (event, t, before, after) for each event that stands; gaps between events add up to t."""
    play, t = bidding.opening(terms), 0
    for sequence, event in enumerate(events, start=1):
        kind, bidder, amount, gap = event
        before, t = play, t + gap
        if kind == "void":
            play = bidding.void(play, bidder=bidder)
        else:
            try:
                play = bidding.check_bid(
                    play, bidder=bidder, max_rao=amount, sequence=sequence, now=at(t)
                ).play
            except DomainError:
                continue
        yield event, t, before, play


@given(TERMS, EVENTS)
def test_the_price_lies_between_every_other_maximum_and_the_leaders(terms, events):
    for _, _, _, play in played(terms, events):
        standing = bidding.standing(play)
        if standing.price_rao is None:
            assert not play.maxima
            continue
        of = {maximum.bidder: maximum.max_rao for maximum in play.maxima}
        assert terms.start_rao <= standing.price_rao <= of[standing.leader] == max(of.values())
        assert all(standing.price_rao >= of[other] for other in of if other != standing.leader)
        assert standing.min_next_rao > standing.price_rao


@given(TERMS, EVENTS)
def test_the_price_falls_only_by_a_void(terms, events):
    for event, _, before, after in played(terms, events):
        if event[0] == "bid":
            was, now = bidding.standing(before).price_rao, bidding.standing(after).price_rao
            assert (was or 0) <= now


@given(TERMS, EVENTS)
def test_the_end_never_moves_earlier_nor_past_the_cap(terms, events):
    for _, _, before, after in played(terms, events):
        assert before.closes_at <= after.closes_at
        if terms.soft_close is None:
            assert after.closes_at == terms.closes_at
        elif terms.soft_close.cap_s is not None:
            assert after.closes_at - terms.closes_at <= timedelta(seconds=terms.soft_close.cap_s)


@given(TERMS, EVENTS)
def test_an_end_moves_only_with_the_price_or_the_leader_and_inside_the_window(terms, events):
    for _, t, before, after in played(terms, events):
        if after.closes_at > before.closes_at:
            was, now = bidding.standing(before), bidding.standing(after)
            assert (was.leader, was.price_rao) != (now.leader, now.price_rao)
            assert at(t) >= before.closes_at - timedelta(seconds=terms.soft_close.window_s)


@given(TERMS, EVENTS, st.randoms(use_true_random=False))
def test_the_standing_follows_from_the_live_maxima_in_any_order(terms, events, shuffler):
    terms = replace(terms, self_raise_policy=SelfRaisePolicy.RECOMPUTE)
    for _, _, _, play in played(terms, events):
        shuffled = list(play.maxima)
        shuffler.shuffle(shuffled)

        derived = bidding.standing(Play(terms, tuple(shuffled), play.closes_at))

        assert derived == bidding.standing(play)


@given(TERMS, EVENTS)
def test_replaying_only_the_bids_that_stood_gives_the_same_auction(terms, events):
    stood = list(played(terms, events))
    last = stood[-1][-1] if stood else bidding.opening(terms)
    play, t = bidding.opening(terms), 0

    log = []
    for event, when, _, _ in stood:
        log.append((*event[:3], when - t))
        t = when
    again = list(played(terms, log))
    play = again[-1][-1] if again else play

    assert len(again) == len(stood)
    assert bidding.standing(play) == bidding.standing(last)


@given(TERMS, EVENTS)
def test_of_equal_maxima_the_earlier_leads(terms, events):
    for _, _, _, play in played(terms, events):
        if not play.maxima:
            continue
        highest = max(maximum.max_rao for maximum in play.maxima)
        ties = [maximum for maximum in play.maxima if maximum.max_rao == highest]
        assert bidding.standing(play).leader == min(ties, key=lambda m: m.sequence).bidder


@given(TERMS, EVENTS)
def test_a_winner_pays_no_more_than_their_maximum_and_no_less_than_the_reserve(terms, events):
    plays = [after for *_, after in played(terms, events)]
    play = plays[-1] if plays else bidding.opening(terms)

    outcome = bidding.outcome(play, now=play.closes_at)

    highest = max((maximum.max_rao for maximum in play.maxima), default=0)
    if isinstance(outcome, Sold):
        assert (terms.reserve_rao or terms.start_rao) <= outcome.price_rao <= highest
    elif outcome.reason is UnsoldReason.RESERVE_NOT_MET:
        assert highest < terms.reserve_rao
    else:
        assert not play.maxima


D = uuid.uuid5(uuid.NAMESPACE_OID, "D")
FOUR = st.lists(st.tuples(st.sampled_from([A, B, C, D]), AMOUNTS, st.integers(0, 300)), max_size=30)


def answer(play, asked):
    """Check a bid; return the refusal's words where it is refused."""
    try:
        return bidding.check_bid(play, **asked)
    except DomainError as refusal:
        return f"{refusal.code}: {refusal}"


@given(TERMS, FOUR)
def test_the_two_foremost_maxima_decide_as_all_of_them_do(terms, bids):
    whole = few = bidding.opening(terms)
    t = 0
    for sequence, (bidder, amount, gap) in enumerate(bids, start=1):
        t += gap
        asked = {"bidder": bidder, "max_rao": amount, "sequence": sequence, "now": at(t)}
        accepted, reduced = answer(whole, asked), answer(few, asked)
        if isinstance(accepted, str):
            assert reduced == accepted
            continue

        whole, few = accepted.play, bidding.foremost(reduced.play)
        assert (reduced.before, reduced.standing) == (accepted.before, accepted.standing)
        assert few == bidding.foremost(whole)
