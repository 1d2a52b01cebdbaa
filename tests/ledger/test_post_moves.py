"""The database decides about moves as `ledger.postings` decides: no more, no less, and to the same balances."""

from uuid import uuid4

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import books
from ledger import operations as ledger
from ledger.chart import FEES, ISSUANCE, TREASURY, AccountKind, Address, wallet
from ledger.entries import Move
from ledger.errors import InsufficientFunds, SupplyExceeded
from ledger.models import Account, Entry, Transfer
from ledger.money import MAX_SUPPLY_RAO
from ledger.postings import decide
from tests.ledger.make import entry, funded_wallet, hold

pytestmark = pytest.mark.django_db


@pytest.fixture
def accounts():
    """A has 8 rao and 4 that are set aside, B has 3; what may be issued still is next to nothing."""
    a, b = funded_wallet(12), funded_wallet(3)
    hold(a, 4)
    ledger.post(entry(Move(a, FEES, 1), Move(ISSUANCE, a, 1)))
    issued_rao = -_balance_rao(ISSUANCE)
    ledger.post(entry(Move(ISSUANCE, TREASURY, MAX_SUPPLY_RAO - issued_rao - 7)))
    return [a, b, FEES, ISSUANCE]


def _balance_rao(address):
    found = Account.objects.get(code=address.code)
    return found.credits_posted - found.debits_posted


def _decided(made):
    locked, _ = books.lock(made)
    standings = {code: one.standing for code, one in locked.items()}
    try:
        return decide(made, accounts=standings, holds={})
    except (InsufficientFunds, SupplyExceeded):
        return None


def _written(entry_id):
    return [
        (line.debit.code, line.credit.code, line.amount_rao, line.debit_balance_rao, line.credit_balance_rao)
        for line in Transfer.objects.filter(entry=entry_id).select_related("debit", "credit").order_by("position")
    ]  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.permutations(range(4)), st.integers(1, 9)), min_size=1, max_size=24
    )
)  # fmt: skip
def test_the_database_writes_exactly_what_would_be_decided(accounts, steps):
    made = entry(*(Move(accounts[pair[0]], accounts[pair[1]], rao) for pair, rao in steps))

    with transaction.atomic():
        expected = _decided(made)
        entry_id = books.post_moves(made)

        assert (entry_id is None) == (expected is None)
        if expected is None:
            assert not Entry.objects.filter(key=made.key).exists()
        else:
            assert _written(entry_id) == [
                (line.debit, line.credit, line.amount_rao, line.debit_balance_rao, line.credit_balance_rao)
                for line in expected.transfers
            ]  # fmt: skip
            for code, tally in expected.tallies.items():
                if tally.address.kind.is_counted:
                    assert _balance_rao(tally.address) == tally.posted_rao, code
        transaction.set_rollback(True)


def test_the_database_posts_nothing_to_an_account_it_does_not_know_by_that_name(accounts):
    a, b, *_ = accounts
    impostors = [
        Address(b.code, AccountKind.STAKE, b.owner),
        Address(b.code, AccountKind.WALLET, a.owner),
        Address(b.code, AccountKind.SYSTEM),
        Address(FEES.code, AccountKind.LOCK),
    ]

    for target in [wallet(uuid4()), *impostors]:
        made = entry(Move(a, target, 1))
        assert books.post_moves(made) is None
        assert not Entry.objects.filter(key=made.key).exists()
    assert books.post_moves(entry(Move(a, b, 1))) is not None


def test_the_database_posts_nothing_under_a_key_that_is_taken(accounts):
    a, b, *_ = accounts
    made = entry(Move(a, b, 1))

    assert books.post_moves(made) is not None
    assert books.post_moves(made) is None
    assert _balance_rao(b) == 3 + 1


def _read_whole():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(seq_scan) FROM pg_stat_xact_user_tables"
            " WHERE relname IN ('ledger_account', 'ledger_entry', 'ledger_hold', 'ledger_transfer')"
        )
        return cursor.fetchone()


def test_moves_read_no_table_whole_however_short_it_is(accounts):
    a, b, *_ = accounts
    before = _read_whole()

    for _ in range(7):  # the driver prepares at the fifth, and the database keeps its plan
        ledger.post(entry(Move(a, b, 1), Move(b, FEES, 1)))

    assert _read_whole() == before


def _rows_read():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables WHERE relname LIKE 'ledger_%'"
        )
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)  # nothing is vacuumed within a transaction
def test_moves_planned_while_tables_were_short_read_no_more_rows_when_they_are_long():
    a, b, *others = [wallet(uuid4()) for _ in range(300)]
    ledger.post(entry(*(Move(ISSUANCE, one, 80) for one in (a, b, *others))))
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE ledger_account, ledger_entry, ledger_hold, ledger_transfer")
    read = []

    with transaction.atomic():
        for _ in range(40):
            hold(b, 1)
            before = _rows_read()
            ledger.post(entry(Move(a, b, 1)))
            read.append(_rows_read() - before)

    # Each account as it is locked, counted and looked up; the entry.
    assert set(read) == {2 + 2 + 2 + 1}
