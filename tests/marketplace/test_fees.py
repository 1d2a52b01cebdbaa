"""A price is divided without a rao lost."""

from hypothesis import given
from hypothesis import strategies as st

from marketplace import fees


def test_a_fee_is_rounded_down():
    assert fees.split(10_001, fee_bps=250) == fees.Split(seller_rao=9_751, fee_rao=250)


@given(st.integers(0, 21_000_000 * 10**9), st.integers(0, 10_000))
def test_fee_and_proceeds_sum_to_the_price_and_the_odd_rao_is_the_sellers(price_rao, fee_bps):
    split = fees.split(price_rao, fee_bps=fee_bps)

    assert split.seller_rao + split.fee_rao == price_rao
    assert 0 <= price_rao * fee_bps - split.fee_rao * 10_000 < 10_000
