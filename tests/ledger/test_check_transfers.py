"""Transfers are checked a statement at once: one that is wrong is found among those that are right."""

import pytest
from django.db import DatabaseError, connection, transaction

from ledger import operations as ledger
from ledger.chart import FEES, ISSUANCE, USD, AccountKind, Address
from ledger.entries import Move, PostHold
from tests.ledger.make import entry, funded_wallet, hold

pytestmark = pytest.mark.django_db

# Forty transfers of one entry from a wallet to the fees; what differs in some of them is said as CASEs over their place.
MANY = """
    INSERT INTO ledger_transfer (entry_id, position, debit_id, credit_id, amount_rao, hold_id)
    SELECT {entry}, 100 + place, {debit}, {credit}, 1, {hold}
    FROM generate_series(1, 40) AS place
    CROSS JOIN (SELECT max(id) AS entry_id FROM ledger_entry) AS newest
    CROSS JOIN (SELECT min(id) AS wallet_id FROM ledger_account WHERE kind = 'wallet') AS payer
    CROSS JOIN (SELECT id AS fees_id FROM ledger_account WHERE code = 'system:fees') AS payee
    CROSS JOIN (SELECT id AS usd_id FROM ledger_account WHERE code = 'usd:one') AS cents
    CROSS JOIN (SELECT id AS other_usd_id FROM ledger_account WHERE code = 'usd:two') AS other_cents
    CROSS JOIN (SELECT min(id::text)::uuid AS known_hold FROM ledger_hold) AS held
"""
AS_IT_SHOULD = {
    "entry": "entry_id",
    "debit": "wallet_id",
    "credit": "fees_id",
    "hold": "CASE WHEN place % 2 = 0 THEN known_hold END",
}
EXIST = "names accounts, an entry and a hold that exist"
WITHIN = "stays within one asset"

# Transfers out of issuance, each with the balance it is said to leave, and counters that say how much they are.
ISSUED = """
    WITH counted AS (
        UPDATE ledger_account SET debits_posted = debits_posted + {sum} WHERE code = 'issuance'
    )
    INSERT INTO ledger_transfer (entry_id, position, debit_id, credit_id, amount_rao, debit_balance_rao)
    SELECT (SELECT max(id) FROM ledger_entry), 100 + place, issuance.id, fees.id, amount, {stood} + balance
    FROM unnest(ARRAY{amounts}::bigint[], ARRAY{balances}::bigint[]) WITH ORDINALITY AS line (amount, balance, place),
         ledger_account AS issuance, ledger_account AS fees
    WHERE issuance.code = 'issuance' AND fees.code = 'system:fees'
    ORDER BY place
"""


@pytest.fixture
def _books():
    payer = funded_wallet(100)
    ledger.post(entry(PostHold(hold(payer, 10), ((FEES, 10),))))
    cents = [Address(code, AccountKind.SYSTEM, asset=USD) for code in ("usd:one", "usd:two")]
    ledger.post(entry(Move(*cents, 1)))


def _run(sql):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


def _refused(sql):
    with pytest.raises(DatabaseError) as refusal:
        _run(sql)
    return str(refusal.value)


@pytest.mark.breaks_books
@pytest.mark.usefixtures("_books")
def test_many_transfers_of_what_exists_pass():
    _run(MANY.format(**AS_IT_SHOULD))


@pytest.mark.usefixtures("_books")
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"entry": "CASE place WHEN 17 THEN 0 ELSE entry_id END"}, EXIST),
        ({"debit": "CASE place WHEN 40 THEN -1 ELSE wallet_id END"}, EXIST),
        ({"credit": "CASE place WHEN 1 THEN 0 ELSE fees_id END"}, EXIST),
        ({"hold": "CASE place WHEN 5 THEN gen_random_uuid() WHEN 6 THEN known_hold END"}, EXIST),
        ({"credit": "CASE place WHEN 23 THEN usd_id ELSE fees_id END"}, WITHIN),
        ({"debit": "CASE place WHEN 23 THEN usd_id ELSE wallet_id END"}, WITHIN),
        ({"debit": "CASE place WHEN 2 THEN usd_id ELSE wallet_id END",
          "credit": "CASE place WHEN 3 THEN other_usd_id ELSE fees_id END"}, WITHIN),
    ],
)  # fmt: skip
def test_one_wrong_transfer_among_many_is_refused(wrong, words):
    assert words in _refused(MANY.format(**AS_IT_SHOULD | wrong))


@pytest.mark.breaks_books
@pytest.mark.usefixtures("_books")
def test_transfers_of_several_assets_pass_where_each_stays_within_its_own():
    dollars = {
        "debit": "CASE WHEN place > 20 THEN usd_id ELSE wallet_id END",
        "credit": "CASE WHEN place > 20 THEN other_usd_id ELSE fees_id END",
    }
    _run(MANY.format(**AS_IT_SHOULD | dollars))


@pytest.mark.usefixtures("_books")
def test_a_statement_that_writes_no_transfer_passes():
    _run(MANY.format(**AS_IT_SHOULD) + " WHERE place > 40")


@pytest.mark.breaks_books
@pytest.mark.usefixtures("_books")
@pytest.mark.parametrize(
    ("amounts", "balances", "counted", "is_right"),
    [
        ([3, 4, 5], [-3, -7, -12], 12, True),
        ([3, 4, 5], [-3, -7, -12], 11, False),
        ([3, 4, 5], [-3, -7, -12], 0, False),
        ([3, 4, 5], [-3, -8, -12], 12, False),
        ([3, 4, 5], [-4, -7, -12], 12, False),
        ([3, 4, 5], [-2, -6, -11], 11, False),
        ([3, 4, 5], [-3, "NULL", -12], 12, False),
        ([3, 4, 5], ["NULL", -7, -12], 12, False),
        ([3, 4, 5], [-3, -7, "NULL"], 12, False),
    ],
)
def test_each_issue_goes_on_from_the_one_before_and_the_last_arrives_at_the_counters(
    amounts, balances, counted, is_right
):
    ledger.post(entry(Move(ISSUANCE, FEES, 1)))
    with connection.cursor() as cursor:
        cursor.execute("SELECT credits_posted - debits_posted FROM ledger_account WHERE code = 'issuance'")  # fmt: skip
        (stood,) = cursor.fetchone()
    sql = ISSUED.format(
        sum=counted, stood=stood, amounts=amounts, balances=str(balances).replace("'", "")
    )
    if is_right:
        _run(sql)
    else:
        assert "what is issued is counted" in _refused(sql)
