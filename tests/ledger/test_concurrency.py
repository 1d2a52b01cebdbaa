"""Many at once, on committed rows: nothing is lost, doubled or stuck."""

from uuid import uuid4

import numpy as np
import pytest
from django.db import connection, transaction

from ledger import models, queries
from ledger import operations as ledger
from ledger.chart import FEES, wallet
from ledger.entries import Move, PlaceHold, PostHold, VoidHold, hold_id
from ledger.errors import Busy, HoldNotOpen, IdempotencyConflict, InsufficientFunds
from ledger.invariants import check_books
from tests.ledger.make import NOW, entry, funded_wallet, hold, together

pytestmark = pytest.mark.django_db(transaction=True)


def test_fifty_copies_of_one_entry_move_money_once():
    source, target = funded_wallet(1_000), wallet(uuid4())
    one = entry(Move(source, target, 10), key="job:1")

    answers = together([lambda: ledger.post(one)] * 50)

    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 49
    assert len({answer.entry_id for answer in answers}) == 1
    assert queries.balance(target).posted_rao == 10


def test_one_key_for_two_requests_that_share_no_account_is_given_once():
    wallets = [funded_wallet(10) for _ in range(16)]

    answers = together(
        [
            lambda source=source: ledger.post(entry(Move(source, FEES, 10), key="one"))
            for source in wallets
        ]
    )

    refusals = [answer for answer in answers if isinstance(answer, IdempotencyConflict)]
    assert len(refusals) == 15
    assert sum(queries.balance(source).posted_rao for source in wallets) == 150


def test_a_wallet_that_many_spend_from_never_goes_below_zero():
    source = funded_wallet(100)

    answers = together(
        [lambda: ledger.post(entry(Move(source, FEES, 30)))] * 5
        + [lambda: ledger.post(entry(PlaceHold(hold_id(str(uuid4())), source, 30)))] * 5
    )

    assert sum(isinstance(answer, ledger.Posted) for answer in answers) == 3
    refusals = [answer for answer in answers if not isinstance(answer, ledger.Posted)]
    assert {type(refusal) for refusal in refusals} == {InsufficientFunds}
    assert queries.balance(source).available_rao == 10


def test_a_hold_is_resolved_by_exactly_one_of_many():
    source, target = funded_wallet(100), wallet(uuid4())
    held = hold(source, 100, expires_at=NOW)
    early = NOW.replace(hour=1)

    answers = together(
        [lambda: ledger.post(entry(PostHold(held, ((target, 70),)), at=early))] * 6
        + [lambda: ledger.post(entry(VoidHold(held), at=early))] * 6
        + [lambda: ledger.expire_due_holds(now=NOW, limit=5)] * 4
    )

    won = [answer for answer in answers if isinstance(answer, ledger.Posted) or answer == 1]
    assert len(won) == 1
    assert {type(answer) for answer in answers if answer not in won} <= {HoldNotOpen, int}
    assert queries.balance(source).held_rao == 0


def test_an_entry_that_many_reverse_at_once_is_reversed_once():
    source, target = funded_wallet(100), wallet(uuid4())
    ledger.post(entry(Move(source, target, 40), key="wrong"))
    ledger.post(entry(Move(funded_wallet(1_000), target, 1_000)))

    answers = together([lambda: ledger.reverse("wrong", reason="a slip", now=NOW)] * 12)

    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 11
    assert queries.balance(source).posted_rao == 100


def test_a_few_moves_at_once_neither_lose_nor_double_and_never_overdraw():
    sources, target = [funded_wallet(40) for _ in range(2)], funded_wallet(1)

    def spend(seed):
        first, second = sources if seed % 2 else sources[::-1]
        for _ in range(20):
            try:
                ledger.post(entry(Move(first, second, 3), Move(second, target, 5)))
            except InsufficientFunds:
                return "spent"
        return "done"

    answers = together([lambda seed=seed: spend(seed) for seed in range(8)])

    assert set(answers) <= {"spent", "done"}
    assert check_books() == []
    assert sum(queries.balance(one).posted_rao for one in (*sources, target)) == 81
    assert min(queries.balance(one).posted_rao for one in sources) >= 0


def test_many_first_postings_open_one_account():
    sources = [funded_wallet(10) for _ in range(12)]
    fresh = sorted((wallet(uuid4()) for _ in range(3)), key=lambda address: address.code)

    answers = together(
        [
            lambda source=source, turn=turn: ledger.post(
                entry(*(Move(source, target, 1) for target in (fresh if turn % 2 else fresh[::-1])))
            )
            for turn, source in enumerate(sources)
        ]
    )

    assert all(isinstance(answer, ledger.Posted) for answer in answers), answers
    assert [queries.balance(target).posted_rao for target in fresh] == [12, 12, 12]
    assert models.Account.objects.filter(code__in=[target.code for target in fresh]).count() == 3


def test_crossing_entries_never_wait_for_each_other_in_a_ring():
    accounts = [funded_wallet(10_000) for _ in range(5)]

    def spend(seed):
        generator = np.random.default_rng(seed)
        for _ in range(25):
            steps = []
            for _ in range(int(generator.integers(1, 4))):
                source, target = generator.choice(5, 2, replace=False)
                steps.append(
                    Move(accounts[source], accounts[target], int(generator.integers(1, 10)))
                )
            place = PlaceHold(hold_id(str(uuid4())), accounts[int(generator.integers(5))], 3)
            ledger.post(entry(*steps, place))
            ledger.post(entry(PostHold(place.hold, ((accounts[0], 1), (FEES, 1)))))
        return "done"

    assert together([lambda seed=seed: spend(seed) for seed in range(8)]) == ["done"] * 8
    assert check_books() == []
    total = sum(queries.balance(account).posted_rao for account in accounts)
    assert total + queries.balance_of_system(FEES) == 50_000


def test_a_posting_that_waits_too_long_is_told_to_try_again():
    source = funded_wallet(100)

    def impatient():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        return ledger.post(entry(Move(source, FEES, 1)))

    with transaction.atomic():
        ledger.post(entry(Move(source, FEES, 10)))
        (answer,) = together([impatient])

    assert isinstance(answer, Busy)
    assert answer.http_status == 503
    assert queries.balance(source).posted_rao == 90
