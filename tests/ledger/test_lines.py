"""Statements worded without a cursor: every value arrives as it was, and no plan outlives its failure."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db import DataError, ProgrammingError, connection, transaction

from ledger import prepared

AT = datetime(2026, 11, 29, 10, 5, 7, 120_000, tzinfo=UTC)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", 'it\'s "so", \\ 100 % of ü'),
        ("text", ""),
        ("bigint", -(2**63)),
        ("bool", True),
        ("bool", False),
        ("uuid", UUID(int=7)),
        ("timestamptz", AT),
        ("bytea", b"\x00\xff'\\"),
        ("int[]", [1, None, 3]),
        ("timestamptz[]", [AT, None]),
        ("int", None),
    ],
)
def test_a_value_comes_back_as_it_was_sent(kind, value):
    statement = f"SELECT %(value)s::{kind}, %(other)s::int, %(value)s::{kind}"

    for _ in range(3):  # as it is, with its plan made, by the plan
        ((first, other, second),) = prepared.rows(statement, {"value": value, "other": 5})

        assert _plain(first) == _plain(second) == value
        assert other == 5


def _plain(value):
    return bytes(value) if isinstance(value, memoryview) else value


def test_a_doubled_percent_is_one_where_there_are_parameters_and_only_there():
    assert prepared.rows("SELECT 7 %% %(by)s::int", {"by": 4}) == [(3,)]
    assert prepared.rows("SELECT 7 % 4") == [(3,)]


def _ask(sql, **parameters):
    with prepared.atomic():
        prepared.send(sql, parameters)


@pytest.mark.parametrize("ask", [_ask, lambda sql, **parameters: prepared.rows(sql, parameters)])
def test_text_that_postgresql_has_no_place_for_is_refused_and_not_cut(ask):
    with pytest.raises(DataError, match="NUL"):
        ask("SELECT %(text)s::text", text="half\0lost")

    assert prepared.rows("SELECT %(text)s::text", {"text": "whole"}) == [("whole",)]


def test_a_plan_that_was_not_made_is_made_the_next_time():
    one = "SELECT 1 / %(by)s::int"
    prepared.rows(one, {"by": 1})

    with pytest.raises(DataError, match="zero"):
        _ask_in_turn(("SELECT 1 / %(by)s::int, 2", 0), (one, 1))

    assert [prepared.rows(one, {"by": by}) for by in (1, 1)] == [[(1,)], [(1,)]]


@prepared.atomic()
def _ask_in_turn(*asked):
    for sql, by in asked:
        prepared.send(sql, {"by": by})


def test_what_django_logs_says_the_same():
    asked = ("SELECT %(text)s::text, 7 %% %(by)s::int", {"text": "a", "by": 4})
    silent = prepared.rows(*asked)

    connection.force_debug_cursor = True
    try:
        logged = prepared.rows(*asked)
    finally:
        connection.force_debug_cursor = False

    assert logged == silent == [("a", 3)]


def test_a_transaction_that_broke_takes_no_more():
    with transaction.atomic():
        with pytest.raises(DataError), transaction.atomic():
            prepared.rows("SELECT 1 / %(by)s::int", {"by": 0})
        assert prepared.rows("SELECT 1 / %(by)s::int", {"by": 1}) == [(1,)]
        transaction.set_rollback(True)
        with pytest.raises(transaction.TransactionManagementError):
            prepared.rows("SELECT 1 / %(by)s::int", {"by": 1})


def test_a_new_connection_has_no_plans_of_the_old_one():
    for _ in range(2):
        prepared.rows("SELECT %(one)s::int", {"one": 1})
    connection.close()

    assert prepared.rows("SELECT %(one)s::int", {"one": 1}) == [(1,)]


def test_a_statement_that_is_wrong_says_what_is():
    with pytest.raises(ProgrammingError, match="no_such_table"):
        prepared.rows("SELECT * FROM no_such_table")
