"""Balances and statements of any instant are the fold of what came before it, by either clock."""

from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from ledger import history, queries
from ledger import operations as ledger
from ledger.chart import FEES, TREASURY, Code, wallet
from ledger.entries import Move, PlaceHold, PostHold, VoidHold, hold_id
from ledger.history import Clock
from ledger.models import Entry
from tests.ledger.make import NOW, entry, funded_wallet, recorded, treasury

HOUR = timedelta(hours=1)


@pytest.mark.django_db
def test_what_happened_yesterday_and_was_heard_of_today_counts_by_either_clock():
    account = funded_wallet(100)
    ledger.post(entry(Move(account, FEES, 30), key="late", at=NOW + HOUR))
    for key in Entry.objects.values_list("key", flat=True):
        recorded(key, NOW + 5 * HOUR if key == "late" else NOW)

    at = NOW + 2 * HOUR

    assert history.balance_at(account, at).posted_rao == 70
    recorded_then = history.balance_at(account, at, by=Clock.RECORDED).posted_rao
    assert recorded_then == 100
    assert history.balance_at(account, NOW + HOUR).posted_rao == 70
    assert history.balance_at(account, NOW + HOUR - timedelta(microseconds=1)).posted_rao == 100


@pytest.mark.django_db
def test_the_trial_balance_has_equal_sides():
    ledger.post(entry(Move(funded_wallet(100), FEES, 30)))

    lines = history.trial_balance_at(NOW)

    assert sum(line.debits_rao for line in lines) == sum(line.credits_rao for line in lines) > 0
    assert {"issuance", "treasury", "wallet", "system:fees"} <= {line.name for line in lines}
    (fees,) = (line for line in lines if line.name == "system:fees")
    assert fees.credits_rao - fees.debits_rao == queries.balance_of_system(FEES)


@pytest.mark.django_db
def test_a_hold_counts_from_its_placing_to_its_end():
    account, made = funded_wallet(100), hold_id("one")
    ledger.post(entry(PlaceHold(made, account, 40), at=NOW + HOUR))
    ledger.post(entry(PostHold(made, ((FEES, 25),)), at=NOW + 3 * HOUR))

    held = [history.balance_at(account, NOW + n * HOUR) for n in range(4)]

    assert [(one.posted_rao, one.held_rao) for one in held] == [
        (100, 0),
        (100, 40),
        (100, 40),
        (75, 0),
    ]


@pytest.mark.django_db
def test_an_account_that_nobody_opened_had_nothing():
    nobody = wallet(uuid4())

    assert history.balance_at(nobody, NOW) == queries.Balance()
    assert list(history.all_lines(nobody, begin=NOW, end=NOW + HOUR)) == []
    assert history.summary(nobody, begin=NOW, end=NOW + HOUR) == history.Summary(0, 0, 0, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 20])
def test_a_statement_takes_one_statement_however_long(count, django_assert_num_queries):
    account = funded_wallet(1_000)
    for _ in range(count):
        ledger.post(entry(Move(account, FEES, 1)))
    span = {"begin": NOW, "end": NOW + HOUR}

    with django_assert_num_queries(4):  # two, and a savepoint around what is streamed
        assert history.summary(account, **span).line_count == count + 1
        assert len(list(history.all_lines(account, **span))) == count + 1


moves = st.lists(
    st.tuples(
        st.integers(0, 6), st.integers(1, 30), st.sampled_from(["in", "out", "place", "void"])
    ),
    max_size=12,
)


def lived(account, acts):
    """Post what may be posted of these acts; return when what changed by how much: posted, held."""
    heard, holds = [(NOW, 500, 0)], []
    for hour, amount_rao, act in acts:
        at, made = NOW + hour * HOUR, hold_id(str(uuid4()))
        if act == "void" and (not holds or holds[-1][2] > hour):
            continue
        if act == "void":
            ending, held_rao, _ = holds.pop()
            step, change = VoidHold(ending), (0, -held_rao)
        elif act == "place":
            holds.append((made, amount_rao, hour))
            step, change = PlaceHold(made, account, amount_rao), (0, amount_rao)
        elif act == "out":
            step, change = Move(account, FEES, amount_rao), (-amount_rao, 0)
        else:
            step, change = Move(TREASURY, account, amount_rao), (amount_rao, 0)
        ledger.post(entry(step, at=at, code=Code.JOB_SETTLED))
        heard.append((at, *change))
    return heard


class AnyHistory(TestCase):
    """Each example in a transaction of its own, which is rolled back."""

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(moves)
    def test_any_instant_is_the_fold_of_what_was_before_it(self, acts):
        account = funded_wallet(500)
        treasury(400)

        heard = lived(account, acts)

        for hour in range(-1, 8):
            at = NOW + hour * HOUR
            then = history.balance_at(account, at)
            assert then.posted_rao == sum(posted for when, posted, _ in heard if when <= at)
            assert then.held_rao == sum(held for when, _, held in heard if when <= at)
            trial = history.trial_balance_at(at)
            assert sum(line.debits_rao - line.credits_rao for line in trial) == 0
        latest = NOW + 99 * HOUR
        assert history.balance_at(account, latest) == queries.balance(account)

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(moves, st.integers(-1, 7), st.integers(0, 8))
    def test_any_statement_leads_from_its_opening_to_its_closing_balance(self, acts, hour, length):
        account = funded_wallet(500)
        treasury(400)
        lived(account, acts)
        span = {"begin": NOW + hour * HOUR, "end": NOW + (hour + length) * HOUR}

        told, lines = history.summary(account, **span), list(history.all_lines(account, **span))

        running_rao = told.opening_rao
        for line in lines:
            running_rao += line.change_rao
            assert line.balance_rao == running_rao
            assert span["begin"] <= line.at < span["end"]
        assert running_rao == told.closing_rao
        assert told.in_rao - told.out_rao == sum(line.change_rao for line in lines)
        assert told.line_count == len(lines)
