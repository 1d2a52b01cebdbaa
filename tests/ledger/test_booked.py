"""A statement in the order of the books: right on every page, and as quick for many changes as for few."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection

from ledger import booked
from ledger import operations as ledger
from ledger.booked import PageOfLines, Stretch
from ledger.chart import FEES, TREASURY, wallet
from ledger.entries import Move
from tests.ledger.make import NOW, entry, funded_wallet, recorded, treasury

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def pages(account, within):
    """Return the balances on each page, the newest first."""
    page = booked.page(account, within)
    found = [page]
    while page.older is not None:
        page = booked.page(account, within, before=page.older)
        found.append(page)
    return [[line.balance_rao for line in page.lines] for page in found]


@pytest.fixture
def account():
    """A wallet with 100 at noon, and 1, 2, … 6 less at each hour after."""
    account = funded_wallet(100)
    for n in range(1, 7):
        ledger.post(entry(Move(account, FEES, n), key=f"hour {n}"))
    set_hours({n: n for n in range(1, 7)})
    return account


def set_hours(hours):
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM ledger_entry WHERE key NOT LIKE 'hour %'")
        first = [key for (key,) in cursor.fetchall()]
    for key in first:
        recorded(key, NOW)
    for n, hour in hours.items():
        recorded(f"hour {n}", NOW + hour * HOUR)


@pytest.mark.parametrize(
    ("begin", "end", "opening", "balances"),
    [
        (0, 9, 0, [79, 85, 90, 94, 97, 99, 100]),
        (1, 3, 100, [97, 99]),
        (2, 2.5, 99, [97]),
        (2.5, 2.6, 97, []),
        (6, 9, 85, [79]),
        (7, 9, 79, []),
        (-9, 0, 0, []),
        (-9, 1, 0, [100]),
    ],
)
def test_a_stretch_leads_from_the_balance_before_to_the_balance_after(
    account, begin, end, opening, balances
):
    within = booked.stretch(account, begin=NOW + begin * HOUR, end=NOW + end * HOUR)

    assert pages(account, within) == [balances]
    assert (within.opening_rao, within.closing_rao) == (opening, (balances or [opening])[0])


@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
def test_pages_follow_each_other_without_a_gap_while_more_is_booked(account, monkeypatch, size):
    monkeypatch.setattr(booked, "PAGE_LINES", size)
    within = booked.stretch(account, begin=NOW, end=NOW + 9 * HOUR)
    first = booked.page(account, within)
    ledger.post(entry(Move(account, FEES, 7)))

    found = pages(account, within)

    assert [balance for page in found for balance in page] == [79, 85, 90, 94, 97, 99, 100]
    assert [len(page) for page in found[:-1]] == [size] * (len(found) - 1)
    assert [line.balance_rao for line in first.lines] == found[0]


def test_an_account_that_nobody_opened_has_an_empty_statement():
    nobody = wallet(uuid4())
    within = booked.stretch(nobody, begin=NOW, end=NOW + HOUR)

    assert within == Stretch(0, 0, 0, 0)
    assert booked.page(nobody, within) == PageOfLines((), None)


@pytest.mark.parametrize("hours", [(1, 3, 2, 4, 5, 6), (2, 1, 3, 4, 6, 5), (3, 2, 1, 6, 5, 4)])
def test_neighbours_whose_times_are_exchanged_are_in_one_day_or_the_other(account, hours):
    """Who waited for the lock has an earlier time than who had it: each line stands in one stretch, and balances hold."""
    set_hours(dict(zip(range(1, 7), hours, strict=True)))

    for cut in range(1, 8):
        day = NOW + cut * HOUR
        first = booked.stretch(account, begin=NOW, end=day)
        second = booked.stretch(account, begin=day, end=NOW + 9 * HOUR)
        assert (first.upto, first.closing_rao) == (second.after, second.opening_rao)
        last = max((n for n, hour in enumerate(hours, 1) if hour < cut), default=0)
        assert first.closing_rao == 100 - sum(range(1, last + 1))
        both = pages(account, second)[0] + pages(account, first)[0]
        assert both == [79, 85, 90, 94, 97, 99, 100]


def lengthened(account, count):
    """Book so many changes more, and as many of somebody else's between them."""
    other = funded_wallet(1)
    treasury(2 * count)
    for start in range(0, count, 250):
        steps = [
            Move(TREASURY, account if n % 2 else other, 1)
            for n in range(2 * min(250, count - start))
        ]
        ledger.post(entry(*steps))


def rows_read(sql, parameters):
    """Return how many rows a statement reads of tables, with the plans that full tables have."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", parameters)
        plan = cursor.fetchone()[0]
    (root,) = json.loads(plan) if isinstance(plan, str) else plan
    return scanned(root["Plan"])


def scanned(node):
    own = node["Actual Rows"] * node["Actual Loops"] if "Relation Name" in node else 0
    return own + sum(scanned(child) for child in node.get("Plans", ()))


def test_rows_and_statements_are_as_many_for_a_long_history_as_for_a_short_one(
    account, django_assert_num_queries
):
    read = []
    for count in (250, 5_000):
        lengthened(account, count)
        with django_assert_num_queries(4):
            within = booked.stretch(account, begin=NOW, end=NOW + 9 * HOUR)
            page = booked.page(account, within)
        assert len(page.lines) == 7  # what was booked since is later than these hours
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM ledger_account WHERE code = %s", [account.code])
            (id_,) = cursor.fetchone()
        sought = {"account": id_, "neighbours": booked.NEIGHBOURS}
        read.append(
            rows_read(booked.STRETCH, sought | {"instants": [NOW, NOW + 9 * HOUR]})
            + rows_read(booked.LINES, {"account": id_, "after": 0, "upto": 2**60, "limit": 101})
        )

    assert read[1] <= read[0] + 100  # a few halvings more
    assert read[1] < 1_500
