"""Transactions that wait for few answers: all or nothing all the same, whatever is found out late."""

import pytest
from django.db import IntegrityError, connection, transaction

from ledger import operations as ledger
from ledger import prepared, queries
from ledger.chart import FEES
from ledger.entries import Entry, Move
from ledger.errors import InsufficientFunds
from tests.ledger.make import entry, funded_wallet

ONE = "SELECT %(one)s::int"

on_committed_rows = pytest.mark.django_db(transaction=True)


@on_committed_rows
def test_what_is_refused_after_the_last_answer_undoes_all():
    source = funded_wallet(100)

    with pytest.raises(IntegrityError):
        _post_all(
            entry(Move(source, FEES, 10), key="fresh"), entry(Move(source, FEES, 10), key="fresh")
        )

    assert queries.balance(source).posted_rao == 100
    assert prepared.rows(ONE, {"one": 1}) == [(1,)]


@on_committed_rows
def test_a_key_that_was_used_makes_the_commit_fail_and_moves_nothing():
    source = funded_wallet(100)
    ledger.post(entry(Move(source, FEES, 10), key="used"))

    with pytest.raises(IntegrityError):
        _post_all(entry(Move(source, FEES, 10), key="used"))

    assert queries.balance(source).posted_rao == 90


@on_committed_rows
def test_a_refusal_undoes_all_and_leaves_the_plans():
    source = funded_wallet(100)
    ledger.post(entry(Move(source, FEES, 1)))  # so that all accounts are open
    for _ in range(3):
        prepared.rows(ONE, {"one": 1})
    planned = set(_planned())

    with pytest.raises(InsufficientFunds):
        _post_all(entry(Move(source, FEES, 10)), entry(Move(source, FEES, 1_000)))

    assert queries.balance(source).posted_rao == 99
    assert planned
    assert planned <= set(_planned())


@pytest.mark.django_db
def test_a_refusal_within_another_transaction_leaves_that_usable():
    source = funded_wallet(100)

    with transaction.atomic():
        with pytest.raises(IntegrityError):
            _post_all(
                entry(Move(source, FEES, 10), key="used"), entry(Move(source, FEES, 10), key="used")
            )
        ledger.post(entry(Move(source, FEES, 1)))

    assert queries.balance(source).posted_rao == 99


def _post_all(*entries: Entry) -> None:
    """Post without waiting for any."""
    with prepared.atomic():
        for each in entries:
            ledger.post_at_last(each)


def _planned() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements")
        return [name for (name,) in cursor.fetchall()]
