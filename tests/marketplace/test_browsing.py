"""Choosing among subnets: filters, orders, what is the better value. No database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest

from marketplace import browsing, facts
from marketplace.browsing import Ask, Listing, Wanted, chosen
from marketplace.offering import Format
from marketplace.pages import filters, finding, wording

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PLAIN = Listing(
    netuid=1,
    name="Plain",
    summary="",
    blueprint="matmul",
    registered_at=NOW - timedelta(days=30),
    registrations_open=True,
    miner_count=3,
    validator_count=1,
    stake_rao=0,
    epoch_number=1,
    emission_day_rao=100,
    growth_bps=None,
    revenue_week_rao=0,
    last_price_rao=None,
    last_sold_at=None,
    ask=None,
)


def asked(netuid, *, price_rao, form=Format.ENGLISH, opens_at=NOW):
    ask = Ask(uuid4(), netuid, form, price_rao, 0, opens_at, NOW + timedelta(days=1), True)
    return replace(PLAIN, netuid=netuid, ask=ask)


def unpaid(netuid, *, price_rao):
    row = asked(netuid, price_rao=price_rao)
    return replace(row, ask=replace(row.ask, is_open=False, due_at=NOW + timedelta(days=1)))


def sold(netuid, price_rao):
    return replace(PLAIN, netuid=netuid, last_price_rao=price_rao)


def numbers(listings, wanted=Wanted(), **asked):  # noqa: B008  frozen
    return [one.netuid for one in chosen(listings, wanted, **asked)]


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        (Wanted(), [1, 2, 3, 4, 5]),
        (Wanted(format="any"), [3, 4]),
        (Wanted(format="fixed"), [4]),
        (Wanted(format="english"), [3]),
        (Wanted(format="awaiting"), [5]),
        (Wanted(price_min_rao=500), [2, 4, 5]),
        (Wanted(price_max_rao=500), [2, 3]),
        (Wanted(price_min_rao=500, price_max_rao=500), [2]),
        (Wanted(emission_min_rao=101), []),
        (Wanted(emission_max_rao=100, miners_min=3), [1, 2, 3, 4, 5]),
        (Wanted(miners_min=4), []),
        (Wanted(registrations_open=True), [1, 2, 3, 4, 5]),
    ],
)
def test_a_filter_keeps_what_is_within_its_bounds(wanted, left):
    rows = [
        PLAIN,
        sold(2, 500),
        asked(3, price_rao=400),
        asked(4, price_rao=900, form=Format.FIXED),
        unpaid(5, price_rao=600),
    ]

    assert numbers(rows, wanted) == left


def test_what_is_asked_counts_before_what_was_paid():
    both = replace(asked(3, price_rao=400), last_price_rao=900)

    assert both.price_rao == 400
    assert both.yield_tenths == 40


def test_who_has_no_figure_stands_last_whatever_the_order():
    rows = [PLAIN, sold(2, 500), asked(3, price_rao=400), replace(PLAIN, netuid=5, growth_bps=-3)]

    assert numbers(rows, sort="price") == [3, 2, 1, 5]
    assert numbers(rows, sort="yield") == [3, 2, 1, 5]
    assert numbers(rows, sort="growth") == [5, 1, 2, 3]
    assert numbers(rows, sort="no such order") == [1, 2, 3, 5]


def test_prices_below_a_tenth_of_a_day_are_put_in_order_too():
    busy = replace(PLAIN, emission_day_rao=10**6)
    rows = [
        replace(busy, netuid=place, last_price_rao=price)
        for place, price in ((1, 900), (2, 700), (3, 800))
    ]

    assert {row.yield_tenths for row in rows} == {0}
    assert numbers(rows, sort="yield") == [2, 3, 1]
    assert wording.tenths(0) == "under 0.1"


def stars(*values_rao):
    """Return which of several subnets are marked as the better by their stake."""
    kind = next(kind for kind in facts.KINDS if kind.name == "stake_rao")
    rooms = [SimpleNamespace(facts=[facts.Fact(kind, rao, None, NOW)]) for rao in values_rao]
    ((row,),) = finding.compared(rooms).values()
    return [is_best for _, is_best in row.cells]


def test_what_reads_alike_is_not_marked_as_better():
    one_tao = 10**9

    assert stars(one_tao, one_tao + 1) == [False, False]
    assert stars(one_tao, one_tao + 1, 0) == [True, True, False]
    assert stars(one_tao, 2 * one_tao, None) == [False, True, False]


def test_every_order_that_is_offered_exists():
    assert {sort for sort, _ in filters.SORTS if sort} == set(browsing.ORDERS)


def test_new_is_what_was_taken_or_offered_since():
    later = NOW + timedelta(minutes=1)
    rows = [
        PLAIN,
        asked(2, price_rao=1, opens_at=later),
        replace(PLAIN, netuid=3, registered_at=later),
    ]

    assert [one.netuid for one in browsing.new_since(rows, NOW)] == [2, 3]


def test_a_filter_and_its_address_say_the_same():
    form = filters.SubnetFilter(
        {"q": "café & co", "sale": "any", "price_max": "1 000.5", "open": "on", "sort": "price"}
    )
    assert form.is_valid()

    address = filters.address(form.cleaned_data)

    assert address == "q=caf%C3%A9+%26+co&sale=any&sort=price&price_max=1000.5&open=1"
    chips = filters.chips(form.cleaned_data)
    assert [chip.words for chip in chips] == [
        "“café & co”",
        "For sale",
        "price to 1\u202f000.5 TAO",
        "open for registration",
    ]
    assert chips[0].href == "?sale=any&sort=price&price_max=1000.5&open=1"


@pytest.mark.parametrize(
    ("name", "values", "winners"),
    [
        ("price_rao", [5, 3, None, 3], {1, 3}),
        ("emission_day_rao", [5, 3, None], {0}),
        ("emission_day_rao", [5, 5], set()),
        ("emission_day_rao", [5, None], set()),
        ("lock_rao", [5, 3], set()),
    ],
)
def test_the_better_value_is_marked_where_one_is(name, values, winners):
    kind = next(kind for kind in facts.KINDS if kind.name == name)

    assert facts.best(kind, values) == winners


def test_no_two_facts_have_one_name():
    names = [kind.name for kind in facts.KINDS]

    assert len(set(names)) == len(names)
