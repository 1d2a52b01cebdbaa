from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import NotAnAmount
from ledger.money import (
    MAX_RAO,
    MAX_SUPPLY_RAO,
    RAO_PER_TAO,
    apportion,
    format_tao,
    parse_tao,
    share_bps,
)

amounts = st.integers(0, MAX_SUPPLY_RAO)
weights = st.lists(st.integers(0, 2**64), min_size=1, max_size=40).filter(any)


def test_the_supply_fits_a_bigint_and_not_a_javascript_number():
    assert 2**53 < MAX_SUPPLY_RAO <= MAX_RAO


@pytest.mark.parametrize(
    ("text", "rao"),
    [
        ("1", RAO_PER_TAO),
        ("1.5", 1_500_000_000),
        (" 0.000000001 ", 1),
        ("0", 0),
        ("007", 7 * RAO_PER_TAO),
        ("21000000", MAX_SUPPLY_RAO),
    ],
)
def test_tao_is_read_exactly(text, rao):
    assert parse_tao(text) == rao


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", "1 000", "nan", "0x1", "1.0000000001",
        "21000000.000000001", "999999999", "١", "1_0", "1\n2",
    ],
)  # fmt: skip
def test_what_is_no_amount_of_tao_is_refused(text):
    with pytest.raises(NotAnAmount) as refusal:
        parse_tao(text)

    assert refusal.value.fields == {"text": text}
    assert refusal.value.code == "not_an_amount"


def test_a_refusal_quotes_no_more_than_the_beginning():
    with pytest.raises(NotAnAmount) as refusal:
        parse_tao("9" * 5_000)

    assert refusal.value.fields == {"text": "9" * 40}


@pytest.mark.parametrize(
    ("rao", "text"),
    [(0, "0"), (1, "0.000000001"), (10**9, "1"), (1_500_000_000, "1.5"), (-25 * 10**8, "-2.5"), (10**10, "10")],
)  # fmt: skip
def test_tao_is_written_without_loss_and_without_idle_zeros(rao, text):
    assert format_tao(rao) == text


@given(amounts)
def test_writing_and_reading_tao_gives_the_same_rao(rao):
    assert parse_tao(format_tao(rao)) == rao


def test_the_largest_remainders_get_what_is_left_over():
    assert apportion(100, [1, 1, 4]) == [17, 17, 66]
    assert apportion(10, [6, 3, 1]) == [6, 3, 1]


def test_equal_remainders_go_to_the_lower_index():
    assert apportion(1_000, [1, 1, 1]) == [334, 333, 333]
    assert apportion(2, [1, 1, 1, 1]) == [1, 1, 0, 0]


def test_nothing_is_split_into_nothing():
    assert apportion(0, [5, 0, 1]) == [0, 0, 0]


@pytest.mark.parametrize(("total", "weights"), [(1, []), (1, [0, 0]), (1, [2, -1]), (-1, [1])])
def test_a_split_without_sense_is_refused(total, weights):
    with pytest.raises(ValueError, match="weights of zero or more"):
        apportion(total, weights)


@given(amounts, weights)
def test_a_split_sums_to_its_total_and_each_part_is_within_one_of_its_share(total, weights):
    parts = apportion(total, weights)

    weight_sum = sum(weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert total * weight // weight_sum <= part <= -(-total * weight // weight_sum)


@given(amounts, weights)
def test_a_heavier_weight_never_gets_less(total, weights):
    parts = apportion(total, weights)

    by_weight = sorted(zip(weights, parts, strict=True))
    for (lighter, less), (heavier, more) in pairwise(by_weight):
        assert lighter == heavier or less <= more


@given(amounts, st.integers(0, 10_000))
def test_a_share_and_its_rest_are_the_whole(amount_rao, bps):
    share_rao = share_bps(amount_rao, bps)

    assert 0 <= share_rao <= amount_rao
    assert share_rao * 10_000 <= amount_rao * bps < (share_rao + 1) * 10_000


@pytest.mark.parametrize(("amount_rao", "bps"), [(-1, 1), (1, -1), (1, 10_001)])
def test_a_share_outside_its_range_is_refused(amount_rao, bps):
    with pytest.raises(ValueError, match="0 to 10 000 bps"):
        share_bps(amount_rao, bps)
