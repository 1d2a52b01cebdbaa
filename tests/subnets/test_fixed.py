"""The chain's arithmetic in words: exact at every size that consensus meets."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from subnets import bonds, fixed
from tests.subnets import slow_yuma
from tests.subnets.epochs import reals
from tests.subnets.vector_files import cases

ONE = fixed.ONE

proportion = st.one_of(st.integers(0, ONE), st.sampled_from([0, 1, ONE - 1, ONE]))


@given(st.lists(st.tuples(proportion, st.integers(0, (1 << 63) - 1)), min_size=1))
def test_products_floor_at_every_size(pairs):
    left, right = (fixed.words(side) for side in zip(*pairs, strict=True))

    assert fixed.products(left, right).tolist() == [a * b >> 32 for a, b in pairs]


@given(st.lists(st.tuples(st.integers(-(1 << 52), 1 << 52), proportion), min_size=1))
def test_scaling_floors_on_both_sides_of_zero(pairs):
    for value, by in pairs:
        assert fixed.scaled(np.array([value]), by).tolist() == [value * by >> 32]


size = st.integers(0, (1 << 48) - 1)


@given(st.lists(st.tuples(size, size), min_size=1))
def test_quotients_floor_at_every_size(pairs):
    pairs = [(min(a, b << 31), b) for a, b in pairs]
    numerators, denominators = (fixed.words(side) for side in zip(*pairs, strict=True))

    expected = [slow_yuma.div(a, b) for a, b in pairs]
    assert fixed.quotients(numerators, denominators).tolist() == expected


@given(st.lists(st.integers(ONE, 1 << 62) | st.integers(32, 62).map(lambda k: 1 << k)))
def test_reciprocals_floor_at_every_size(values):
    assert fixed.reciprocals(fixed.words(values)).tolist() == [(1 << 64) // v for v in values]


@given(st.lists(st.integers(0, fixed.U16_MAX)))
def test_u16_proportions_are_read_alike_one_by_one_and_together(values):
    read = fixed.proportions(fixed.words(values)).tolist()

    assert read == [fixed.from_u16(value) for value in values]
    assert [fixed.to_u16(value) for value in read] == [max(0, v - (v % 65_535 > 0)) for v in values]


argument = st.one_of(
    st.integers(-25 * ONE, 25 * ONE),
    st.integers(-2 * ONE, 2 * ONE),
    st.sampled_from([k * ONE + d for k in (-20, -11, -1, 0, 1, 10, 20) for d in (-1, 0, 1)]),
)


@given(st.lists(argument))
def test_the_exponential_is_the_chains_to_the_last_bit(arguments):
    found = fixed.exponentials(np.array(arguments, dtype=np.int64)).tolist()

    assert found == [slow_yuma.exp(value) for value in arguments]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (0, ONE),
        (ONE, int(Decimal(1).exp() * 2**23) << 9),  # a constant of 23 bits, not the series
        (-ONE, 1_580_030_169),  # one over the series, a unit above floor(e**-1 * 2**32)
        (2 * ONE, 31_735_754_285),  # the series, 8 units below floor(e**2 * 2**32)
    ],
)
def test_the_exponential_of_small_numbers(argument, expected):
    assert fixed.exponentials(np.array([argument])).tolist() == [expected]


def test_the_exponential_breaks_off_after_31_powers_as_the_chains_does():
    (found,) = fixed.exponentials(np.array([20 * ONE])).tolist()

    series = sum(Decimal(20) ** k / math.factorial(k) for k in range(32))
    assert 0 < float(series) - found / ONE < 0.0001  # what the floors take away
    assert found / ONE < 0.992 * math.exp(20)


def test_the_exponential_is_clamped():
    far = fixed.exponentials(np.array([21 * ONE, 20 * ONE, -100 * ONE, -20 * ONE])).tolist()

    assert far[0] == far[1]
    assert far[2] == far[3] == (1 << 64) // far[0]


@pytest.mark.parametrize("case", cases("math_helpers", "sigmoid_safe"))
def test_the_exponential_gives_the_chains_sigmoid(case):
    inputs = case["inputs"]
    assert inputs["exp_argument_clamp"] == [-20, 20]
    assert inputs["kappa"] == 0.5

    sigmoid = bonds.sigmoids(
        fixed.words([round(x * ONE) for x in inputs["x"]]), exponent_slope=-inputs["rho"] * ONE
    )

    assert reals(sigmoid.tolist()) == pytest.approx(case["expected"], abs=case["tolerance"])


def test_words_refuse_what_does_not_fit():
    with pytest.raises(OverflowError):
        fixed.words([-1])
    with pytest.raises(OverflowError):
        fixed.words([1 << 64])
