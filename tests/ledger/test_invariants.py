"""Each fault is made by force, with the triggers off, and the check must name it."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ledger import operations as ledger
from ledger.chart import FEES, TREASURY, Code, subnet_lock
from ledger.entries import Move, PostHold, VoidHold
from ledger.invariants import CLAIMS, check_all_books, check_books
from tests.ledger.make import entry, funded_wallet, hold
from tests.ledger.seals import sealed

pytestmark = pytest.mark.django_db

FAULTS = [
    ("counters equal the fold", "UPDATE ledger_account SET credits_posted = credits_posted + 1 WHERE kind = 'wallet'"),
    ("debits equal credits", "UPDATE ledger_account SET credits_posted = credits_posted + 1 WHERE kind = 'lock'"),
    ("what is held equals", "UPDATE ledger_account SET debits_held = debits_held + 1 WHERE kind = 'wallet'"),
    ("what is held equals", "UPDATE ledger_hold SET amount_rao = 9 WHERE state = 'open'"),
    (
        "no account is overdrawn",
        """
        ALTER TABLE ledger_account DROP CONSTRAINT ledger_account_does_not_overdraw;
        UPDATE ledger_account SET debits_held = 1000 WHERE kind = 'lock'
        """,
    ),
    ("an account is as its kind says", "UPDATE ledger_account SET may_overdraw = true WHERE kind = 'wallet'"),
    ("an account is as its kind says", "UPDATE ledger_account SET owner = NULL WHERE kind = 'wallet'"),
    ("an account is as its kind says", "UPDATE ledger_account SET kind = 'purse' WHERE kind = 'lock'"),
    (
        "issuance stays under the cap",
        """
        INSERT INTO ledger_transfer (entry_id, position, debit_id, credit_id, amount_rao)
        SELECT entry_id, 77, debit_id, credit_id, 21000000000000000 FROM ledger_transfer
        WHERE debit_id = (SELECT id FROM ledger_account WHERE kind = 'issuance') LIMIT 1
        """,
    ),
    (
        "collecting accounts never pay",
        """
        INSERT INTO ledger_transfer (entry_id, position, debit_id, credit_id, amount_rao)
        SELECT entry_id, 77, credit_id, debit_id, 1000000 FROM ledger_transfer
        WHERE credit_id = (SELECT id FROM ledger_account WHERE code = 'system:fees') LIMIT 1
        """,
    ),
    ("within one asset", "UPDATE ledger_account SET asset = 3 WHERE kind = 'lock'"),
    ("names accounts, an entry and a hold", "UPDATE ledger_transfer SET credit_id = 0"),
    ("names accounts, an entry and a hold", "UPDATE ledger_transfer SET entry_id = -id"),
    ("names accounts, an entry and a hold", "UPDATE ledger_transfer SET hold_id = gen_random_uuid()"),
    ("the balance it left", "UPDATE ledger_transfer SET credit_balance_rao = credit_balance_rao + 1"),
    (
        "every entry does something",
        "INSERT INTO ledger_entry (key, code, at, note, digest) VALUES ('idle', 'x', now(), '', '')",
    ),
    ("a hold pays what it says", "UPDATE ledger_hold SET posted_rao = 2 WHERE state = 'posted'"),
    ("a hold pays what it says", "UPDATE ledger_transfer SET hold_id = NULL"),
    ("closed as it was last said", "UPDATE ledger_account SET is_closed = true WHERE kind = 'lock'"),
    ("every seal follows the one before", "UPDATE ledger_seal SET previous = root WHERE number = 2"),
    ("every seal follows the one before", "DELETE FROM ledger_seal WHERE number = 1"),
    ("a seal binds the entries it counts", "DELETE FROM ledger_sealedentry WHERE position = 1 AND seal_id = 1"),
    (
        "a hold pays what it says",
        "UPDATE ledger_hold SET resolved_by_id = placed_by_id WHERE state = 'posted'",
    ),
]  # fmt: skip


@pytest.fixture
def _history():
    account = funded_wallet(100)
    hold(account, 10)
    ledger.post(entry(VoidHold(hold(account, 20)), code=Code.WITHDRAWAL_RELEASED))
    # Codes that no upper app answers for: the command asks every app about its own.
    paid = PostHold(hold(account, 20), ((FEES, 5), (TREASURY, 1)))
    ledger.post(entry(paid, code=Code.WITHDRAWAL_PAID))
    ledger.post(entry(Move(account, subnet_lock(1), 5), code=Code.SUBNET_BOUGHT))
    sealed(limit=4)


def break_books(sql):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


@pytest.mark.breaks_books
@pytest.mark.usefixtures("_history")
@pytest.mark.parametrize(("claim", "sql"), FAULTS)
def test_a_fault_is_named(claim, sql):
    assert check_books() == []

    break_books(sql)

    assert any(claim in fault for fault in check_books()), check_books()


def test_every_claim_has_a_fault_that_it_finds():
    for claim in CLAIMS:
        assert any(part in claim for part, _ in FAULTS), claim


@pytest.mark.usefixtures("_history")
def test_the_check_reads_the_books_in_one_statement():
    with CaptureQueriesContext(connection) as captured:
        check_books()

    assert sum("ledger_" in query["sql"] for query in captured) == 1


@pytest.mark.usefixtures("_history")
def test_the_check_leaves_the_planner_as_it_found_it():
    check_books()

    with connection.cursor() as cursor:
        cursor.execute("SHOW enable_nestloop")
        assert cursor.fetchone() == ("on",)


@pytest.mark.usefixtures("_history")
def test_the_command_says_that_the_books_balance():
    out = StringIO()
    call_command("check_books", stdout=out)
    assert out.getvalue() == "The books balance.\n"

    out = StringIO()
    call_command("check_books", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"balanced": True, "faults": []}


@pytest.mark.breaks_books
@pytest.mark.usefixtures("_history")
def test_the_command_exits_with_1_and_names_what_differs():
    break_books("UPDATE ledger_account SET credits_posted = credits_posted + 7 WHERE kind = 'lock'")

    out = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("check_books", "--json", stdout=out)

    assert end.value.code == 1
    answer = json.loads(out.getvalue())
    assert answer["balanced"] is False
    assert any(
        "lock:1" in fault and "credits 12, transfers say 5" in fault for fault in answer["faults"]
    )
    assert answer["faults"] == check_all_books()
