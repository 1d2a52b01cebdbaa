"""Rows of weights: upscaling and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subnets import weights
from subnets.errors import WeightsRefused
from tests.subnets.vector_files import cases, kinds_of

ONE = 1 << 32


def fixed_point(value):
    """Read a decimal of a vector as I32F32, to the nearest."""
    return min(round(value * ONE), 2**63 - 1)


@pytest.mark.parametrize("case", cases("math_helpers", "max_upscale_to_u16"))
def test_rows_are_upscaled_as_the_chain_does(case):
    values = [fixed_point(value) for value in case["inputs"]["vector"]]

    assert weights.max_upscale_to_u16(values) == case["expected"]


@pytest.mark.parametrize("case", cases("math_helpers", "max_weight_limit_ok"))
def test_the_largest_part_of_a_row_is_held_against_the_limit(case):
    inputs = case["inputs"]

    verdict = weights.is_max_limited(inputs["weights_u16"], limit_u16=inputs["max_weight_limit"])

    assert verdict is case["expected"]


@pytest.mark.parametrize("case", cases("weights_rules", "check_length"))
def test_a_row_needs_the_least_number_of_weights(case):
    inputs = case["inputs"]

    verdict = weights.is_long_enough(
        inputs["uid"],
        uids=inputs["uids"],
        n=inputs["n"],
        min_allowed_weights=inputs["min_allowed"],
    )

    assert verdict is case["expected"]


@pytest.mark.parametrize("case", cases("weights_rules", "is_self_weight"))
def test_a_lone_self_weight_is_recognised(case):
    verdict = weights.is_self_weight(case["inputs"]["uid"], uids=case["inputs"]["uids"])

    assert verdict is case["expected"]


@pytest.mark.parametrize("case", cases("weights_rules", "check_len_uids_within_allowed"))
def test_a_row_may_weigh_every_neuron(case):
    assert case["expected"] is True
    uids, n = case["inputs"]["uids"], case["inputs"]["n"]

    row = weights.checked_row(0, uids=uids, values=[1] * n, n=n, min_allowed_weights=1)

    assert list(row) == uids


@pytest.mark.parametrize("case", cases("weights_rules", "max_weight_limit"))
def test_no_weight_is_too_large(case):
    assert case["expected"] == weights.MAX_WEIGHT_LIMIT


@pytest.mark.parametrize("case", cases("weights_rules", "set_weights"))
def test_a_row_of_unequal_lengths_is_refused(case):
    assert case["expected"] == {"error": "WeightVecNotEqualSize"}

    with pytest.raises(WeightsRefused) as refusal:
        weights.checked_row(1, **case["inputs"], n=10, min_allowed_weights=1)

    assert refusal.value.fields == {"reason": "unequal_length"}


@pytest.mark.parametrize("case", cases("weights_rules", "version key"))
def test_weights_of_an_older_version_do_not_count(case):
    verdict = weights.is_version_accepted(
        case["inputs"]["validator_key"], network_key=case["inputs"]["network_key"]
    )

    assert verdict is case["expected"]


# Weights are derived from sealed scores by the owner's rule, so nobody commits and reveals a vector.
NOT_HERE = {"commit-reveal"}


def test_every_kind_of_weights_vector_is_tested_or_named_as_not_here():
    assert kinds_of("weights_rules") == NOT_HERE | {
        "check_length",
        "is_self_weight",
        "check_len_uids_within_allowed",
        "max_weight_limit",
        "set_weights",
        "version key",
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"uids": [2, 2], "values": [1, 1]}, "duplicate_uid"),
        ({"uids": [2, 4], "values": [1, 1]}, "unknown_uid"),
        ({"uids": [-1, 2], "values": [1, 1]}, "unknown_uid"),
        ({"uids": [1, 2], "values": [1, 65_536]}, "not_u16"),
        ({"uids": [1], "values": [1]}, "too_few"),
    ],
)
def test_a_malformed_row_is_refused(changes, reason):
    good = {"uids": [1, 2], "values": [30_000, 15_000], "n": 4, "min_allowed_weights": 2}
    assert weights.checked_row(0, **good) == {1: 65_535, 2: 32_768}

    with pytest.raises(WeightsRefused) as refusal:
        weights.checked_row(0, **good | changes)

    assert refusal.value.fields == {"reason": reason}


def test_a_lone_self_weight_passes_whatever_the_least_number_is():
    row = weights.checked_row(3, uids=[3], values=[7], n=10, min_allowed_weights=8)

    assert row == {3: 65_535}


@given(st.lists(st.integers(0, 65_535), min_size=1, max_size=64))
def test_upscaling_keeps_the_order_and_lifts_the_largest_to_the_top(values):
    stored = list(weights.upscaled(dict(enumerate(values))).values())

    assert max(stored) == (65_535 if any(values) else 0)
    assert [b for _, b in sorted(zip(values, stored, strict=True))] == sorted(stored)
