"""An account that was closed takes and gives nothing until it is opened again."""

import json
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from ledger import closing, invariants, queries, verifying
from ledger import operations as ledger
from ledger.chart import FEES, TREASURY, wallet
from ledger.entries import Move, PlaceHold, hold_id
from ledger.errors import AccountClosed, AccountNotEmpty, AccountStaysOpen, AccountUnknown
from ledger.models import Account, Closing, Entry
from tests.ledger.make import NOW, entry, funded_wallet, hold
from tests.ledger.seals import emptied_wallet, sealed

pytestmark = pytest.mark.django_db


def closed_wallet():
    account = emptied_wallet()
    assert closing.close_account(account.code, reason="its owner left", now=NOW)
    return account


def test_a_closed_account_takes_and_gives_nothing_and_others_are_not_paid_either():
    account, other = closed_wallet(), funded_wallet(100)
    steps = [
        (Move(other, account, 1),),
        (Move(account, other, 1),),
        (PlaceHold(hold_id("late"), account, 1),),
        (Move(other, FEES, 1), *[Move(other, account, 1)] * 9),
    ]

    for some in steps:
        with pytest.raises(AccountClosed) as refusal:
            ledger.post(entry(*some))
        assert refusal.value.fields == {"account": account.code}

    assert queries.balance(other).posted_rao == 100


def test_an_account_that_was_opened_again_is_like_any_other():
    account, other = closed_wallet(), funded_wallet(100)

    assert closing.reopen_account(account.code, reason="and came back", now=NOW)
    ledger.post(entry(Move(other, account, 40)))

    assert queries.balance(account).posted_rao == 40
    assert not closing.reopen_account(account.code, reason="again", now=NOW)
    said = Entry.objects.filter(closing__account__code=account.code).order_by("id")
    assert [(one.code, one.note) for one in said] == [
        ("account:closed", "its owner left"),
        ("account:reopened", "and came back"),
    ]


def test_only_an_empty_account_of_somebody_is_closed_and_only_once():
    account = funded_wallet(100)
    held = hold(account, 40)

    with pytest.raises(AccountNotEmpty) as refusal:
        closing.close_account(account.code, reason="", now=NOW)
    assert refusal.value.fields == {"account": account.code, "posted_rao": 100, "held_rao": 40}
    with pytest.raises(AccountStaysOpen):
        closing.close_account(TREASURY.code, reason="", now=NOW)
    with pytest.raises(AccountUnknown):
        closing.close_account(wallet(uuid4()).code, reason="", now=NOW)

    assert not Closing.objects.exists()
    assert queries.held_by([held]) == {held: 40}
    assert not closing.close_account(closed_wallet().code, reason="", now=NOW)


def test_the_database_itself_keeps_a_closed_account_still():
    account = closed_wallet()

    with (
        pytest.raises(IntegrityError, match="ledger_account_closed_stands_still"),
        transaction.atomic(),
    ):
        Account.objects.filter(code=account.code).update(credits_posted=1_000)


@pytest.mark.breaks_books
def test_a_closing_is_sealed_like_any_fact():
    closed_wallet()
    sealed()
    assert [checked.faults for checked in verifying.checked_seals()] == [()]

    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE ledger_closing SET is_closed = false")
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")

    [checked] = verifying.checked_seals()
    assert len(checked.faults) == 1


@pytest.mark.breaks_books
def test_an_account_that_was_closed_behind_the_books_is_a_fault():
    account = funded_wallet(100)
    Account.objects.filter(code=account.code).update(is_closed=True)

    [fault] = invariants.check_books()

    assert "closed as it was last said" in fault


def test_the_command_says_what_it_did(capsys):
    account = funded_wallet(1)
    ledger.post(entry(Move(account, FEES, 1)))

    for words in ([], ["--reopen"], ["--reopen"]):
        call_command("close_account", account.code, "--reason=test", "--json", *words)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [(one["state"], one["changed"]) for one in told] == [
        ("closed", True),
        ("open", True),
        ("open", False),
    ]
    with pytest.raises(CommandError, match="no account"):
        call_command("close_account", "wallet:none", "--reason=test")
    with pytest.raises(CommandError, match="at most 500 characters"):
        call_command("close_account", account.code, "--reason", "x" * 501)
