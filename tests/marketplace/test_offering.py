"""What a seller may ask for, format by format."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ledger.money import MAX_SUPPLY_RAO
from marketplace import offering
from marketplace.errors import AuctionTermsInvalid
from marketplace.offering import Backing, Format, Offering

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ENGLISH = Offering(start_rao=100, duration_s=3_600)
DUTCH = Offering(
    start_rao=100, duration_s=3_600, format=Format.DUTCH, floor_rao=10, half_life_s=600
)
SEALED = replace(ENGLISH, format=Format.SEALED, reserve_rao=150)
FIXED = replace(ENGLISH, format=Format.FIXED)
BY_DEPOSIT = replace(ENGLISH, backing=Backing.DEPOSIT, deposit_bps=1_000, pay_within_s=86_400)


@pytest.mark.parametrize(
    "asked",
    [
        ENGLISH,
        DUTCH,
        SEALED,
        FIXED,
        BY_DEPOSIT,
        replace(ENGLISH, buy_now_rao=101),
        replace(ENGLISH, opens_at=NOW + timedelta(days=1)),
        replace(ENGLISH, opens_at=NOW - timedelta(minutes=1)),
        replace(ENGLISH, start_rao=MAX_SUPPLY_RAO),
    ],
)
def test_terms_that_can_be_an_auctions_are_taken(asked):
    offering.check(asked, now=NOW)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (replace(ENGLISH, start_rao=0), "within the supply"),
        (replace(ENGLISH, start_rao=MAX_SUPPLY_RAO + 1), "within the supply"),
        (replace(ENGLISH, reserve_rao=99), "reserve is at least"),
        (replace(DUTCH, reserve_rao=100), "only auctions with bids"),
        (replace(FIXED, reserve_rao=100), "only auctions with bids"),
        (replace(SEALED, buy_now_rao=200), "only an English auction has a buy-now"),
        (replace(ENGLISH, buy_now_rao=100), "buy-now price is above"),
        (replace(ENGLISH, reserve_rao=150, buy_now_rao=149), "buy-now price is above"),
        (replace(DUTCH, floor_rao=None), "has a floor"),
        (replace(ENGLISH, floor_rao=10), "has a floor"),
        (replace(DUTCH, floor_rao=100), "floor lies above zero"),
        (replace(DUTCH, floor_rao=0), "floor lies above zero"),
        (replace(DUTCH, half_life_s=None), "has a half-life"),
        (replace(DUTCH, half_life_s=0), "half-life is"),
        (replace(ENGLISH, duration_s=9), "it runs for"),
        (replace(ENGLISH, duration_s=30 * 86_400 + 1), "it runs for"),
        (replace(ENGLISH, opens_at=NOW - timedelta(seconds=61)), "it opens now"),
        (replace(ENGLISH, opens_at=NOW + timedelta(days=91)), "it opens now"),
        (replace(BY_DEPOSIT, format=Format.SEALED), "backed by deposits"),
        (replace(BY_DEPOSIT, deposit_bps=None), "share and a term"),
        (replace(ENGLISH, pay_within_s=86_400), "share and a term"),
        (replace(BY_DEPOSIT, deposit_bps=499), "a deposit is"),
        (replace(BY_DEPOSIT, deposit_bps=10_001), "a deposit is"),
        (replace(BY_DEPOSIT, pay_within_s=60), "the winner has"),
        (replace(BY_DEPOSIT, buy_now_rao=200), "a deposit goes without"),
    ],
)
def test_terms_that_cannot_be_an_auctions_are_refused_with_the_reason(asked, reason):
    with pytest.raises(AuctionTermsInvalid) as refused:
        offering.check(asked, now=NOW)

    assert reason in refused.value.fields["reason"]
