"""The programs' role posts, and has no right to change what was posted: refused before a trigger is asked."""

from contextlib import contextmanager
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from ledger import operations as ledger
from ledger import queries
from ledger.chart import FEES
from ledger.closing import close_account, reopen_account
from ledger.entries import Move, PostHold
from tests.ledger.make import NOW, entry, funded_wallet, hold

pytestmark = pytest.mark.django_db

FACTS = [
    "ledger_entry",
    "ledger_transfer",
    "subnets_epoch",
    "compute_score",
    "marketplace_bid",
]


@pytest.fixture
def programs():
    """Yield a way to act as a role that was granted what programs need."""
    name = f"programs_{uuid4().hex}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {name}")
    call_command("grant_application_role", name, stdout=StringIO())

    @contextmanager
    def acting():
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {name}")
            try:
                yield cursor
            finally:
                cursor.execute("RESET ROLE")

    return acting


def refused(cursor, sql):
    with pytest.raises(DatabaseError) as refusal, transaction.atomic():
        cursor.execute(sql)
    return str(refusal.value)


def test_the_programs_role_places_posts_and_moves(programs):
    account = funded_wallet(100)

    with programs():
        held = hold(account, 30)
        ledger.post(entry(PostHold(held, ((FEES, 20),)), Move(account, FEES, 5)))
        ledger.post(entry(Move(account, FEES, 5)))

    assert queries.balance(account).available_rao == 70


def test_the_programs_role_closes_an_account_and_opens_it_again(programs):
    account = funded_wallet(100)
    ledger.post(entry(Move(account, FEES, 100)))

    with programs():
        assert close_account(account.code, reason="empty", now=NOW)
        assert reopen_account(account.code, reason="in use", now=NOW)


def test_the_programs_role_notes_that_an_api_key_was_used_and_removes_none(programs):
    with programs() as cursor:
        cursor.execute("UPDATE marketplace_apikey SET last_used_at = now()")
        assert "permission denied" in refused(cursor, "DELETE FROM marketplace_apikey")


@pytest.mark.parametrize("table", FACTS)
@pytest.mark.parametrize(
    "sql", ["UPDATE {table} SET id = id", "DELETE FROM {table}", "TRUNCATE {table} CASCADE"]
)
def test_the_programs_role_may_not_touch_a_fact(programs, table, sql):
    with programs() as cursor:
        assert "permission denied" in refused(cursor, sql.format(table=table))


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ledger_account SET owner = NULL",
        "DELETE FROM ledger_account",
        "DELETE FROM ledger_hold",
        "ALTER TABLE ledger_transfer DISABLE TRIGGER ALL",
        "DROP TRIGGER pgtrigger_refuse_update_b450d ON ledger_transfer",
        "SET session_replication_role = replica",
    ],
)
def test_the_programs_role_may_not_move_an_account_nor_put_a_guard_to_sleep(programs, sql):
    with programs() as cursor:
        words = refused(cursor, sql)

    assert "permission denied" in words or "must be owner" in words
