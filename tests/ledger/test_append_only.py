"""The facts in the books cannot be changed by anyone who comes with SQL of their own."""

import pytest
from django.db import DatabaseError, connection, transaction

from ledger import operations as ledger
from ledger.chart import FEES
from ledger.entries import Move, VoidHold
from tests.ignoring import every_trigger_ignored
from tests.ledger.make import entry, funded_wallet, hold

pytestmark = pytest.mark.django_db

BORN_VOIDED = (
    "INSERT INTO ledger_hold (id, account_id, placed_by_id, amount_rao, state, posted_rao)"
    " SELECT gen_random_uuid(), account_id, placed_by_id, 1, 'voided', 0 FROM ledger_hold LIMIT 1"
)
TO_ITSELF = (
    "INSERT INTO ledger_transfer (entry_id, position, debit_id, credit_id, amount_rao)"
    " SELECT entry_id, 77, debit_id, debit_id, 1 FROM ledger_transfer LIMIT 1"
)
BACKWARDS = (
    "INSERT INTO ledger_transfer (entry_id, position, debit_id, credit_id, amount_rao)"
    " SELECT entry_id, 77, debit_id, credit_id, -1 FROM ledger_transfer LIMIT 1"
)

OF_NO_ENTRY = (
    "INSERT INTO ledger_transfer (entry_id, position, debit_id, credit_id, amount_rao)"
    " SELECT 0, 1, debit_id, credit_id, 1 FROM ledger_transfer LIMIT 1"
)
TO_NOBODY = (
    "INSERT INTO ledger_transfer (entry_id, position, debit_id, credit_id, amount_rao)"
    " SELECT entry_id, 77, debit_id, 0, 1 FROM ledger_transfer LIMIT 1"
)
FROM_NO_HOLD = (
    "INSERT INTO ledger_transfer (entry_id, position, debit_id, credit_id, amount_rao, hold_id)"
    " SELECT entry_id, 77, debit_id, credit_id, 1, gen_random_uuid() FROM ledger_transfer LIMIT 1"
)
OPENED = (
    "INSERT INTO ledger_account"
    " (code, kind, owner, asset, credits_posted, debits_posted, debits_held, may_overdraw)"
    " VALUES ('odd', {kind}, {owner}, 0, 0, 0, 0, {may_overdraw})"
)
OF_NO_KIND = OPENED.format(kind="'purse'", owner="NULL", may_overdraw="false")
OF_NOBODY = OPENED.format(kind="'wallet'", owner="NULL", may_overdraw="false")
OF_SOMEBODY = OPENED.format(kind="'lock'", owner="gen_random_uuid()", may_overdraw="false")
ON_CREDIT = OPENED.format(kind="'lock'", owner="NULL", may_overdraw="true")
ANOTHER_ISSUANCE = OPENED.format(kind="'issuance'", owner="NULL", may_overdraw="true")


@pytest.fixture
def _a_page_of_history():
    account = funded_wallet(100)
    hold(account, 10)
    ledger.post(entry(VoidHold(hold(account, 20))))
    ledger.post(entry(Move(account, FEES, 5)))
    with connection.cursor() as cursor:
        # Foreign keys wait for the commit; TRUNCATE refuses a table with checks still to come.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def refused(sql):
    with (
        pytest.raises(DatabaseError) as refusal,
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)
    return str(refusal.value)


@pytest.mark.usefixtures("_a_page_of_history")
@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE ledger_entry SET note = 'x'", "Cannot update rows from ledger_entry"),
        ("UPDATE ledger_transfer SET amount_rao = amount_rao", "Cannot update rows from ledger_transfer"),
        ("DELETE FROM ledger_entry", "Cannot delete rows from ledger_entry"),
        ("DELETE FROM ledger_transfer", "Cannot delete rows from ledger_transfer"),
        ("DELETE FROM ledger_hold", "Cannot delete rows from ledger_hold"),
        ("DELETE FROM ledger_account", "Cannot delete rows from ledger_account"),
        ("TRUNCATE ledger_transfer", "Cannot truncate the ledger_transfer table"),
        ("TRUNCATE ledger_account CASCADE", "Cannot truncate the ledger_"),
        ("UPDATE ledger_account SET owner = gen_random_uuid() WHERE kind = 'wallet'", "Cannot update rows"),
        ("UPDATE ledger_account SET asset = 1", "Cannot update rows from ledger_account"),
        ("UPDATE ledger_account SET kind = 'issuance', may_overdraw = true", "Cannot update rows"),
        ("UPDATE ledger_hold SET state = 'open', resolved_by_id = NULL WHERE state = 'voided'", "Cannot update rows"),
        ("UPDATE ledger_hold SET amount_rao = 1 WHERE state = 'open'", "Cannot update rows from ledger_hold"),
        ("UPDATE ledger_hold SET state = 'posted' WHERE state = 'open'", "ledger_hold_state_fits_its_facts"),
        ("UPDATE ledger_hold SET state = 'gone' WHERE state = 'open'", "ledger_hold_state_fits_its_facts"),
        (
            BORN_VOIDED,
            "Cannot insert rows from ledger_hold",
        ),
        ("UPDATE ledger_account SET debits_held = 101 WHERE kind = 'wallet'", "ledger_account_does_not_overdraw"),
        ("UPDATE ledger_account SET debits_posted = 101 WHERE kind = 'wallet'", "ledger_account_does_not_overdraw"),
        (
            "UPDATE ledger_account SET debits_posted = credits_posted + 21000000000000001 WHERE kind = 'issuance'",
            "ledger_account_issuance_stays_under_the_cap",
        ),
        ("UPDATE ledger_account SET credits_posted = 1 WHERE kind = 'system'", "has_no_counters"),
        (
            TO_ITSELF,
            "ledger_transfer_has_two_sides",
        ),
        (
            BACKWARDS,
            "ledger_transfer_amount_is_positive",
        ),
        (OF_NO_ENTRY, "a transfer names accounts, an entry and a hold that exist"),
        (TO_NOBODY, "a transfer names accounts, an entry and a hold that exist"),
        (FROM_NO_HOLD, "a transfer names accounts, an entry and a hold that exist"),
        (OF_NO_KIND, "the kind of the account is unknown"),
        (OF_NOBODY, "an account of this kind has another sort of owner"),
        (OF_SOMEBODY, "an account of this kind has another sort of owner"),
        (ON_CREDIT, "an account of this kind may not overdraw"),
        (ANOTHER_ISSUANCE, "TAO comes from one account"),
        ("UPDATE ledger_account SET id = -id WHERE kind = 'wallet'", "Cannot update rows from ledger_account"),
    ],
)  # fmt: skip
def test_history_and_limits_are_the_databases_own(sql, words):
    assert words in refused(sql)


@pytest.mark.usefixtures("_a_page_of_history")
@pytest.mark.parametrize(
    "sql",
    [
        TO_NOBODY,
        OF_NO_KIND,
        "UPDATE ledger_account SET asset = 1",
        "UPDATE ledger_transfer SET amount_rao = amount_rao",
        "UPDATE ledger_entry SET note = 'x'",
        "DELETE FROM ledger_transfer",
        "DELETE FROM ledger_hold",
        "TRUNCATE ledger_transfer",
        "UPDATE ledger_hold SET posted_rao = 0 WHERE state = 'voided'",
        BORN_VOIDED,
    ],
)
def test_no_setting_of_a_session_puts_a_guard_to_sleep(sql):
    with every_trigger_ignored():
        assert refused(sql)


def test_guards_find_rows_by_their_indexes_however_short_a_table_was_once():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT proconfig FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
            " WHERE tgname ~ 'check_transfers'"
        )
        (settings,) = cursor.fetchone()

    assert "enable_seqscan=off" in settings


@pytest.mark.usefixtures("_a_page_of_history")
def test_the_database_keeps_a_transfer_within_one_asset():
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_account"
            " (code, kind, owner, asset, credits_posted, debits_posted, debits_held, may_overdraw)"
            " VALUES ('alpha', 'lock', NULL, 3, 0, 0, 0, false)"
        )

    assert "within one asset" in refused(
        "INSERT INTO ledger_transfer (entry_id, position, debit_id, credit_id, amount_rao)"
        " SELECT entry_id, 77, debit_id, (SELECT id FROM ledger_account WHERE code = 'alpha'), 1"
        " FROM ledger_transfer LIMIT 1"
    )
