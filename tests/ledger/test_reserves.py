"""What users are owed is there, and a rao that is owed twice or backed by nothing is found."""

import json
from contextlib import suppress
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from ledger import operations as ledger
from ledger.chart import BURNED, FEES, FX_USD, STRIPE_CLEARING, Code, stake, subnet_lock
from ledger.entries import Move
from ledger.reserves import reserves
from tests.ledger.make import entry, funded_wallet, hold, treasury
from tests.ledger.seals import sealed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def account():
    """Let somebody have a wallet, stake, a lock and a hold, burn a little, and pay a fee; and sell TAO for dollars."""
    account = funded_wallet(1_000)
    treasury(500)
    ledger.post(entry(Move(account, stake(account.owner, "5Hot", 1), 200), code=Code.STAKE_ADDED))
    ledger.post(entry(Move(account, subnet_lock(1), 100), code=Code.SLOT_BOUGHT))
    ledger.post(entry(Move(account, BURNED, 50), Move(account, FEES, 7), code=Code.BURN_PAID))
    ledger.post(entry(Move(STRIPE_CLEARING, FX_USD, 990), code=Code.CARD_CREDITED))
    hold(account, 30)
    sealed()
    return account


def told():
    said = StringIO()
    with suppress(SystemExit):
        call_command("proof_of_reserves", "--json", stdout=said)
    return json.loads(said.getvalue())


def by_force(sql):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql)
        cursor.execute("SET LOCAL session_replication_role = origin")


def test_what_users_are_owed_and_what_is_the_houses_is_what_was_issued_less_what_was_burned():
    tao, dollars = reserves()

    assert tao.owed == {"wallets": 643, "stakes": 200, "locks of subnets": 100}
    assert tao.own == {"treasury": 500, "system:fees": 7}
    assert (tao.backing, tao.held) == (1_450, 30)
    assert tao.owed_sum + tao.own_sum == tao.backing
    assert (dollars.name, dollars.owed, dollars.own_sum) == ("USD", {}, 0)
    assert dollars.own == {"usd:stripe-clearing": 990, "usd:fx": -990}
    assert not tao.faults + dollars.faults


def test_the_command_says_so_with_the_head_that_binds_it():
    said, out = told(), StringIO()
    call_command("proof_of_reserves", stdout=out)

    assert said["covered"]
    assert said["head"]["seal"] == "1"
    assert said["assets"][0]["owed"]["wallets"] == "643"
    assert "owed to users in all" in out.getvalue()


@pytest.mark.breaks_books
@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("UPDATE ledger_account SET credits_posted = credits_posted + 9 WHERE kind = 'wallet'", "wallet: transfers say 643, counters 652"),
        ("UPDATE ledger_transfer SET debit_balance_rao = debit_balance_rao + 9 WHERE id = (SELECT max(t.id) FROM ledger_transfer t JOIN ledger_account a ON a.id = t.debit_id WHERE a.kind = 'wallet')", "the last balances 652"),
        ("UPDATE ledger_account SET debits_posted = debits_posted - 600 WHERE kind = 'issuance'", "users are owed 943 and 850 are there"),
        ("UPDATE ledger_account SET credits_posted = credits_posted + 9 WHERE kind = 'stake'", "back what users are owed, 952"),
    ],
)  # fmt: skip
def test_a_rao_too_many_is_found(deed, words):
    assert told()["covered"]

    by_force(deed)

    assert not told()["covered"]
    assert any(words in fault for one in reserves() for fault in one.faults)
