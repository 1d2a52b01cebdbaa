"""How a price is divided."""

import pytest

from compute import pricing


@pytest.mark.parametrize("price_rao", [1, 7, 49, 2_000, 1_048_500, 10**15 + 1])
def test_the_parts_of_a_price_sum_to_it(price_rao):
    parts = pricing.shares(price_rao)

    assert parts.miner_rao + parts.owner_rao + parts.fee_rao == price_rao


def test_the_miner_gets_eighty_of_a_hundred_the_owner_eighteen_the_market_two():
    assert pricing.shares(100) == pricing.Shares(miner_rao=80, owner_rao=18, fee_rao=2)


def test_a_single_rao_goes_to_the_work():
    assert pricing.shares(1) == pricing.Shares(miner_rao=1, owner_rao=0, fee_rao=0)
