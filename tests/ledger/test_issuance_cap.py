"""The cap on what is issued is the database's: nobody passes it, whatever SQL they bring."""

import pytest
from django.db import DatabaseError, connection, transaction

from ledger import operations as ledger
from ledger import queries
from ledger.chart import BURNED, ISSUANCE, TREASURY, Code
from ledger.entries import Move
from ledger.errors import BooksProtected, SupplyExceeded
from ledger.money import MAX_SUPPLY_RAO
from tests.ledger.make import entry, funded_wallet

pytestmark = pytest.mark.django_db
TAO = 10**9

# One transfer out of issuance, with what its balance is said to be afterwards.
ISSUE = """
    INSERT INTO ledger_transfer (entry_id, position, debit_id, credit_id, amount_rao, debit_balance_rao)
    SELECT (SELECT max(id) FROM ledger_entry), (SELECT 1 + max(position) FROM ledger_transfer), issuance.id, treasury.id, {amount}, {balance}
    FROM ledger_account AS issuance, ledger_account AS treasury
    WHERE issuance.code = 'issuance' AND treasury.code = 'treasury'
"""
COUNT = "UPDATE ledger_account SET debits_posted = debits_posted + {amount} WHERE code = 'issuance'"
COUNTED_AND_ISSUED = """
    WITH counted AS (
        UPDATE ledger_account SET debits_posted = debits_posted + {amount} WHERE code = 'issuance'
    )
"""


@pytest.fixture
def issued_rao():
    ledger.post(entry(Move(ISSUANCE, TREASURY, 5 * TAO), code=Code.SUPPLY_ISSUED))
    return 5 * TAO


def run(*statements):
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def refused(*statements):
    with pytest.raises(DatabaseError) as refusal:
        run(*statements)
    return str(refusal.value)


def test_nothing_is_issued_past_the_counters(issued_rao):
    over = MAX_SUPPLY_RAO + 1

    for balance in ("NULL", f"-{issued_rao}", f"-{issued_rao + over}"):
        assert "what is issued is counted" in refused(ISSUE.format(amount=over, balance=balance))
    assert "what is issued is counted" in refused(ISSUE.format(amount=1, balance=-issued_rao))


@pytest.mark.breaks_books
def test_counting_what_is_issued_ends_at_the_cap(issued_rao):
    rest = MAX_SUPPLY_RAO - issued_rao

    assert "stays_under_the_cap" in refused(COUNT.format(amount=rest + 1))
    run(COUNT.format(amount=rest), ISSUE.format(amount=rest, balance=-MAX_SUPPLY_RAO))

    assert queries.issued_rao() == MAX_SUPPLY_RAO
    assert "what is issued is counted" in refused(
        ISSUE.format(amount=1, balance=-MAX_SUPPLY_RAO - 1)
    )
    with pytest.raises(SupplyExceeded):
        ledger.post(entry(Move(ISSUANCE, TREASURY, 1)))


@pytest.mark.breaks_books
def test_counting_and_issuing_in_one_statement_is_seen_as_one(issued_rao):
    both = COUNTED_AND_ISSUED.format(amount=7) + ISSUE.format(amount=7, balance=-issued_rao - 7)
    more = COUNTED_AND_ISSUED.format(amount=7) + ISSUE.format(amount=8, balance=-issued_rao - 15)

    assert "what is issued is counted" in refused(more)
    run(both)

    assert queries.issued_rao() == issued_rao + 7


def test_setting_the_counters_back_makes_no_room(issued_rao):
    with transaction.atomic():
        run("UPDATE ledger_account SET debits_posted = 0 WHERE code = 'issuance'")
        with pytest.raises(BooksProtected) as refusal:
            ledger.post(entry(Move(ISSUANCE, TREASURY, MAX_SUPPLY_RAO)))
        assert refusal.value.fields["constraint"] == "ledger_transfer_of_issuance_is_counted"
        transaction.set_rollback(True)


def test_there_is_no_second_account_to_issue_from():
    words = refused(
        "INSERT INTO ledger_account"
        " (code, kind, owner, asset, credits_posted, debits_posted, debits_held, may_overdraw)"
        " VALUES ('issuance-2', 'issuance', NULL, 0, 0, 0, 0, true)"
    )

    assert "ledger_account_issuance_is_one" in words


def test_postings_issue_and_recycle_in_any_order(issued_rao):
    someone = funded_wallet(100)
    before = queries.issued_rao()

    ledger.post(
        entry(Move(ISSUANCE, someone, 7), Move(someone, ISSUANCE, 4), Move(ISSUANCE, BURNED, 2))
    )
    ledger.post(entry(Move(someone, ISSUANCE, 50)))
    ledger.post(entry(*(Move(ISSUANCE, target, 3) for target in (TREASURY, BURNED, someone))))

    assert queries.issued_rao() == before + 7 - 4 + 2 - 50 + 9
