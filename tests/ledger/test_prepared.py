"""Transactions that wait for few answers: all or nothing all the same, whatever is found out late."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from ledger import operations as ledger
from ledger import prepared, queries, refusals
from ledger.chart import FEES
from ledger.entries import Entry, Move
from ledger.errors import HoldUnknown, InsufficientFunds
from ledger.refusals import Kept, Sent
from ledger.rest.problems import members
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


def _post_all(*entries: Entry, between: Callable[[], None] = lambda: None) -> None:
    """Post without waiting for any."""
    with prepared.atomic():
        for each in entries:
            ledger.post_at_last(each)
            between()


def _planned() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements")
        return [name for (name,) in cursor.fetchall()]


@on_committed_rows
def test_what_travels_together_is_committed_part_by_part():
    sent = Sent("key", "one", {"max_rao": "1"}, members)
    refusal = HoldUnknown(hold=UUID(int=1))

    assert refusals.claim(sent) is None
    refusals.release(sent, refusal=refusal)

    assert refusals.claim(sent) == Kept(sent.digests(), members(refusal))
    with pytest.raises(IntegrityError):
        refusals.release(sent, refusal=refusal)
    assert _locks() == 0


@on_committed_rows
def test_what_is_pushed_is_undone_with_the_rest():
    source = funded_wallet(100)

    with pytest.raises(InsufficientFunds):
        _post_all(
            entry(Move(source, FEES, 10)), entry(Move(source, FEES, 1_000)), between=prepared.push
        )

    assert queries.balance(source).posted_rao == 100


@on_committed_rows
def test_a_transaction_waits_once_for_what_it_reads_and_once_for_its_end(monkeypatch):
    prepared.rows(ONE, {"one": 1})
    waits = []
    driver = connection.connection
    wait = driver.wait
    monkeypatch.setattr(
        driver,
        "wait",
        lambda *given, **more: waits.append(given[0].__name__) or wait(*given, **more),
    )

    with prepared.atomic():
        first, second = (prepared.send(ONE, {"one": one}) for one in (1, 2))
        assert first.rows() + second.rows() == [(1,), (2,)]
        prepared.send(ONE, {"one": 3})

    assert [name for name in waits if name in {"_fetch_gen", "_exit_gen", "_sync_gen"}] == [
        "_fetch_gen",
        "_exit_gen",
    ]


def _locks() -> int:
    ((count,),) = prepared.rows(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1"
    )
    return count
