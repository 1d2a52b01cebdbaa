"""The database sets aside as `ledger.postings` decides: no more, no less, and to the same balances, or not at all."""

from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import books, prepared
from ledger import operations as ledger
from ledger.chart import FEES, AccountKind, Address, wallet
from ledger.closing import close_account
from ledger.entries import Move, PlaceHold, VoidHold, hold_id
from ledger.errors import DomainError
from ledger.models import Account, Entry, Hold
from ledger.postings import decide
from tests.ledger.make import NOW, entry, funded_wallet, hold

pytestmark = pytest.mark.django_db


@pytest.fixture
def purses():
    """A has 12 rao and sets 4 and 3 of them aside, B has 5 and sets 5 aside; of each a hold."""
    a, b = funded_wallet(12), funded_wallet(5)
    return [a, b], [hold(a, 4), hold(a, 3), hold(b, 5)]


def _held():
    return dict(Account.objects.filter(kind="wallet").values_list("code", "debits_held"))


def _overtaken(made):
    """Post an entry unheard, and tell whether the commit would have failed."""
    try:
        with transaction.atomic(), prepared.atomic():
            ledger.post_unheard(made)
    except DatabaseError as fault:
        return ledger.was_overtaken(fault)
    return False


def _decided(made):
    try:
        accounts, holds = books.lock(made)
        standings = {code: one.standing for code, one in accounts.items()}
        return decide(made, accounts=standings, holds=holds)
    except (DomainError, books.AccountsMissing):
        return None


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(st.integers(0, 3)),
    st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9)), min_size=1, max_size=4),
)
def test_the_database_sets_aside_exactly_what_would_be_decided(purses, voided, placed):
    accounts, holds = purses
    known = [*holds, uuid4()]
    made = entry(
        *(VoidHold(known[place]) for place in sorted(voided)),
        *(PlaceHold(uuid4(), accounts[place], rao) for place, rao in placed),
    )

    with transaction.atomic():
        expected = _decided(made)

        assert _overtaken(made) == (expected is None)
        assert Entry.objects.filter(key=made.key).exists() == (expected is not None)
        if expected is not None:
            held = _held()
            for code, tally in expected.tallies.items():
                assert held[code] == tally.held_rao
            assert {
                (one.id, one.account.code, one.amount_rao, one.state, one.posted_rao)
                for one in Hold.objects.filter(placed_by__key=made.key).select_related("account")
            } == {
                (step.hold, step.account.code, step.amount_rao, "open", 0)
                for step in expected.placed
            }
            assert set(
                Hold.objects.filter(resolved_by__key=made.key).values_list(
                    "id", "state", "posted_rao"
                )
            ) == {(one.hold, one.state.value, one.posted_rao) for one in expected.resolved}
        transaction.set_rollback(True)


def test_the_database_sets_nothing_aside_in_an_account_it_does_not_know_by_that_name(purses):
    (a, _), _ = purses
    impostors = [
        wallet(uuid4()),
        Address(a.code, AccountKind.STAKE, a.owner),
        Address(a.code, AccountKind.WALLET, uuid4()),
        Address(a.code, AccountKind.WALLET, a.owner, asset=7),
    ]
    before = _held()

    for account in impostors:
        assert _overtaken(entry(PlaceHold(uuid4(), account, 1)))
    assert _held() == before
    assert not _overtaken(entry(PlaceHold(uuid4(), a, 1)))


def test_a_hold_past_its_time_and_a_closed_account_are_left_to_who_listens(purses):
    (a, _), _ = purses
    due, empty = hold(b := funded_wallet(3), 2, expires_at=NOW), funded_wallet(1)
    ledger.post(entry(Move(empty, FEES, 1)))
    close_account(empty.code, reason="left", now=NOW)

    assert _overtaken(entry(VoidHold(due), PlaceHold(uuid4(), a, 1)))
    assert _overtaken(entry(PlaceHold(uuid4(), empty, 1)))
    assert _held()[b.code] == 2


def test_a_hold_is_set_aside_once(purses):
    (a, _), _ = purses
    made = entry(PlaceHold(hold_id("this one"), a, 1))

    assert not _overtaken(made)
    with pytest.raises(DatabaseError, match="ledger_entry_key"), transaction.atomic():
        ledger.post_unheard(made)
    with pytest.raises(DatabaseError, match="ledger_hold_pkey"), transaction.atomic():
        ledger.post_unheard(entry(*made.steps))


@pytest.mark.parametrize(
    "steps",
    [
        lambda a, held: (Move(a, FEES, 1), PlaceHold(uuid4(), a, 1)),
        lambda a, held: (PlaceHold(uuid4(), a, 1), VoidHold(held)),
        lambda a, held: (PlaceHold(uuid4(), a, 1, expires_at=NOW),),
        lambda a, held: (VoidHold(held),),
    ],
)
def test_what_moves_money_or_runs_out_is_not_posted_unheard(purses, steps):
    (a, _), holds = purses
    with pytest.raises(ValueError, match="one who listens"):
        ledger.post_unheard(entry(*steps(a, holds[0])))
