"""Restricted money, without a database: what goes along with a payment, and when a deposit clears."""

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.restricting import Carried, Restricted, Share, Windows, carried
from tests.marketplace.conftest import NOW

SELLER, REGISTRANT = UUID(int=1), UUID(int=2)
FIRST, SECOND = Share(UUID(int=11), 60), Share(UUID(int=12), 40)
WINDOWS = Windows(small_cents=1_000, small=timedelta(days=7), large=timedelta(days=120))


def test_money_that_may_leave_is_spent_first():
    assert carried([FIRST], left_rao=60, parts=[(SELLER, 50)]) == ()
    assert carried([FIRST], left_rao=50, parts=[(SELLER, 50)]) == (Carried(FIRST.id, SELLER, 10),)


def test_what_clears_first_goes_first_and_the_seller_comes_before_the_registrant():
    assert carried([FIRST, SECOND], left_rao=0, parts=[(SELLER, 70), (REGISTRANT, 20)]) == (
        Carried(FIRST.id, SELLER, 60),
        Carried(SECOND.id, SELLER, 10),
        Carried(SECOND.id, REGISTRANT, 20),
    )


@given(
    shares=st.lists(st.integers(0, 50), max_size=4), left=st.integers(-10, 100),
    parts=st.lists(st.integers(1, 60), max_size=3),
)  # fmt: skip
def test_nobody_gets_more_restricted_than_they_got_and_no_share_gives_more_than_it_has(
    shares, left, parts
):
    held = [Share(UUID(int=n), rao) for n, rao in enumerate(shares)]
    paid = [(UUID(int=100 + n), rao) for n, rao in enumerate(parts)]

    gone = carried(held, left_rao=left, parts=paid)

    for share in held:
        assert sum(c.amount_rao for c in gone if c.share == share.id) <= share.uncleared_rao
    for owner, rao in paid:
        assert sum(c.amount_rao for c in gone if c.owner == owner) <= rao
    uncovered = max(0, sum(shares) - max(0, left))
    assert sum(c.amount_rao for c in gone) == min(uncovered, sum(parts))


@pytest.mark.parametrize(
    ("cents", "is_suspect", "days"), [(1_000, False, 7), (1_001, False, 120), (1_000, True, 120)]
)
def test_a_small_deposit_clears_soon_unless_its_card_is_overused(cents, is_suspect, days):
    ends = WINDOWS.clears_at(cents, credited_at=NOW, is_suspect=is_suspect)

    assert ends == NOW + timedelta(days=days)


def test_what_is_restricted_stays_and_frozen_money_stays_whole():
    assert Restricted(amount_rao=30).withdrawable_rao(100) == 70
    assert Restricted(amount_rao=130).withdrawable_rao(100) == 0
    assert Restricted(is_frozen=True).withdrawable_rao(100) == 0
