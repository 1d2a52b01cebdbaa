"""A price is divided without a rao lost."""

from hypothesis import given
from hypothesis import strategies as st

from marketplace import fees


def test_a_fee_and_a_royalty_are_rounded_down():
    split = fees.split(10_001, fee_bps=250, royalty_bps=100)

    assert split == fees.Split(seller_rao=9_651, fee_rao=250, royalty_rao=100)


@given(st.integers(0, 21_000_000 * 10**9), st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_parts_sum_to_the_price_and_the_odd_rao_is_the_sellers(price_rao, one, other):
    fee_bps, both = sorted((one, other))
    split = fees.split(price_rao, fee_bps=fee_bps, royalty_bps=both - fee_bps)

    assert split.seller_rao + split.fee_rao + split.royalty_rao == price_rao
    assert 0 <= price_rao * fee_bps - split.fee_rao * 10_000 < 10_000
    assert 0 <= price_rao * (both - fee_bps) - split.royalty_rao * 10_000 < 10_000
