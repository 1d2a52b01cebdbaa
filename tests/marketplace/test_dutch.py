"""Falling prices against the `dutch` vectors, against exact arithmetic, and in every shape."""

import json
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.errors import PriceAboveLimit
from ledger.money import MAX_SUPPLY_RAO
from marketplace import dutch
from marketplace.dutch import Exponential, Halving, Level, Linear, Stepped, Tag
from marketplace.errors import AuctionClosed, AuctionNotOpenYet

FILE = Path(__file__).parents[1] / "vectors" / "proxy_bidding.json"
VECTORS = json.loads(FILE.read_text())["dutch"]
OPENS = datetime(2026, 1, 1, tzinfo=UTC)
DAY_S = 86_400
# ENS counts in 10**-18 of a dollar, in which every premium of its vectors is a whole number.
USD = 10**18


def tag(curve: dutch.Curve, *, duration_s: int) -> Tag:
    return Tag(curve=curve, opens_at=OPENS, closes_at=OPENS + timedelta(seconds=duration_s))


@pytest.mark.parametrize("duration_s", [3_600, 7_200, 86_400])
def test_a_price_falls_half_as_fast_after_every_half_life_however_long_it_has(duration_s):
    """The house's words to buyers: half of the *way* a half-life would be wrong but for long auctions."""
    fall = Exponential(10**15, 10**6, half_life_s=1_800, duration_s=duration_s)

    def fallen(begin_s):
        return fall.price_rao(begin_s) - fall.price_rao(begin_s + 600)

    assert abs(fallen(0) - 2 * fallen(1_800)) <= 3
    assert fall.price_rao(duration_s) == 10**6


@pytest.mark.parametrize("case", VECTORS["linear_ceil"]["cases"], ids=lambda case: case["t"])
def test_a_straight_fall_is_rounded_up_and_closes(case):
    given_ = VECTORS["linear_ceil"]
    line = Linear(given_["start"], given_["end"], given_["duration"])
    now = OPENS + timedelta(seconds=case["t"])
    on = tag(line, duration_s=given_["duration"])

    if case.get("code") == "closed":
        with pytest.raises(AuctionClosed):
            dutch.check_take(on, max_price_rao=given_["start"], now=now)
        return

    assert dutch.check_take(on, max_price_rao=given_["start"], now=now) == case["price"]


@pytest.mark.parametrize("case", VECTORS["stepped"]["cases"], ids=lambda case: case["t"])
def test_a_stair_stops_at_its_floor(case):
    given_ = VECTORS["stepped"]
    stair = Stepped(given_["start"], given_["step"], given_["every_s"], given_["floor"])

    assert stair.price_rao(case["t"]) == case["price"]


@pytest.mark.parametrize(
    "case", VECTORS["exponential_ens"]["cases"], ids=lambda case: f"day {case['day']}"
)
def test_the_curve_of_ens_is_met_to_its_last_digit(case):
    curve = Halving(10**8 * USD, half_life_s=DAY_S, duration_s=21 * DAY_S)

    assert curve.price_rao(case["day"] * DAY_S) == Fraction(case["premium_usd_exact"]) * USD


@st.composite
def falls(draw):
    start_rao = draw(st.integers(2, MAX_SUPPLY_RAO))
    floor_rao = draw(st.integers(1, start_rao - 1))
    half_life_s = draw(st.integers(1, 30 * DAY_S))
    return Exponential(start_rao, floor_rao, half_life_s, draw(st.integers(10, 30 * DAY_S)))


@given(falls(), st.data())
def test_a_price_begins_at_its_start_ends_at_its_floor_and_never_rises(fall, data):
    earlier = data.draw(st.integers(0, fall.duration_s - 1))

    assert fall.price_rao(0) == fall.start_rao
    assert fall.price_rao(fall.duration_s) == fall.price_rao(10**9) == fall.floor_rao
    assert (
        fall.start_rao >= fall.price_rao(earlier) >= fall.price_rao(earlier + 1) >= fall.floor_rao
    )


@given(falls(), st.data())
def test_a_price_is_the_real_curve_rounded_up_to_the_rao(fall, data):
    elapsed_s = data.draw(st.integers(0, fall.duration_s))

    with localcontext(prec=80):
        at, end = (
            Decimal(2) ** (Decimal(-s) / fall.half_life_s) for s in (elapsed_s, fall.duration_s)
        )
        exact = (fall.start_rao - fall.floor_rao) * (at - end) / (1 - end)
    # Where the real price is a whole number of rao, 80 digits may fall on either side of it.
    off = fall.price_rao(elapsed_s) - fall.floor_rao - exact
    assert -(Decimal(10) ** -15) < off < 1 + Decimal(10) ** -15


def test_a_premium_halves_with_every_half_life():
    fall = Exponential(1_000_000_000, 0, half_life_s=3_600, duration_s=40 * 3_600)

    assert [fall.price_rao(hour * 3_600) for hour in range(4)] == [
        1_000_000_000, 500_000_000, 250_000_000, 125_000_000,
    ]  # fmt: skip
    assert fall.price_rao(1_800) == int(
        Decimal(10**9 / 2**0.5).to_integral_value(rounding=ROUND_CEILING)
    )


def test_a_limit_is_kept_and_named():
    on = tag(Level(500), duration_s=60)

    assert dutch.check_take(on, max_price_rao=500, now=OPENS) == 500
    with pytest.raises(PriceAboveLimit) as refusal:
        dutch.check_take(on, max_price_rao=499, now=OPENS)

    assert refusal.value.fields == {"price_rao": 500, "max_price_rao": 499}


def test_nothing_is_taken_before_the_opening():
    on = tag(Level(500), duration_s=60)

    with pytest.raises(AuctionNotOpenYet):
        dutch.check_take(on, max_price_rao=500, now=OPENS - timedelta(microseconds=1))


def test_points_run_from_opening_to_close():
    on = tag(Exponential(1_000, 100, 10, 60), duration_s=60)

    points = list(on.points(count=7))

    assert points[0] == (OPENS, 1_000)
    assert points[-1] == (OPENS + timedelta(seconds=60), 100)
    assert len(points) == 7
