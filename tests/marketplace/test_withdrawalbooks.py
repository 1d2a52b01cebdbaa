"""The checks of withdrawals find what they look for: each rule is broken on purpose."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection

from ledger import operations as ledger
from ledger.chart import CHAIN_HOT, TREASURY, Code, wallet
from ledger.entries import Entry, Move, PlaceHold, VoidHold, hold_id
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations, tasks
from marketplace.invariants import check_books
from marketplace.models import RehearsedBroadcast
from marketplace.operations.rehearsed_chain import FINAL_AFTER, RehearsedChain
from marketplace.reconciling import Kind
from marketplace.withdrawing import Gone, compare, hold_named
from tests.marketplace.conftest import NOW
from tests.marketplace.withdrawals import approve, look, requested, send

pytestmark = [pytest.mark.django_db, pytest.mark.breaks_books]

LATER = NOW + timedelta(hours=1)


def post(*steps, code=Code.WITHDRAWAL_REQUESTED):
    ledger.post(Entry(key="a fault", code=code, at=NOW, steps=steps))


def change(sql, *values):
    """Go around every operation and trigger, as nobody may."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, values)
        cursor.execute("SET LOCAL session_replication_role = origin")


@pytest.fixture
def asked():
    ada, row = requested()
    assert check_books() == []
    return ada, row


def test_a_withdrawal_whose_money_is_free_is_found(asked):
    _, row = asked

    post(VoidHold(hold_named(row.id)), code=Code.HOLD_EXPIRED)

    (fault,) = check_books()
    assert f"0 rao are held and {10 * TAO} rao are on their way out" in fault


def test_a_hold_for_no_withdrawal_is_found(asked):
    ada, _ = asked

    post(PlaceHold(hold_id("a fault"), wallet(ada.id), TAO))

    (fault,) = check_books()
    assert f"{TAO} rao are held and 0 rao are on their way out" in fault


def test_tao_that_left_for_no_withdrawal_is_found(asked):
    post(Move(TREASURY, CHAIN_HOT, TAO), code=Code.WITHDRAWAL_PAID)

    (fault,) = check_books()
    assert f"withdrawals sum to 0 rao and the ledger moved {TAO} rao" in fault


def test_a_withdrawal_that_goes_unapproved_is_found(asked):
    _, row = asked

    change(
        "UPDATE marketplace_withdrawal SET state = 'approved', approved_at = now() WHERE id = %s",
        row.id,
    )

    (fault,) = check_books()
    assert "0 of 1 approvals" in fault


def test_dollars_that_were_never_sold_are_found(asked):
    _, row = asked
    approve(row)

    change(
        "UPDATE marketplace_withdrawal SET state = 'sent', rail = 'stripe', reference = 'tr_1', arrives_cents = 1,"
        " sent_at = now() WHERE id = %s",
        row.id,
    )

    assert any("rao were sold and the ledger moved 0 rao" in fault for fault in check_books())


def test_the_chain_and_the_books_agree_after_what_was_missed_is_taken_up(capsys):
    _, row = requested()
    send(approve(row))

    assert operations.reconcile_chain(since=None, now=NOW + FINAL_AFTER) == ()

    row.refresh_from_db()
    assert row.state == "arrived"
    call_command("reconcile_chain")
    assert "agree" in capsys.readouterr().out
    tasks.reconcile_chain()


def test_what_the_chain_sent_for_nobody_is_found():
    stray = uuid4()
    RehearsedChain(NOW).send(stray, address="5F", amount_rao=TAO)

    (found,) = operations.reconcile_chain(since=NOW, now=LATER)

    assert (found.request, found.kind, found.chain_rao) == (stray, Kind.MISSING, TAO)
    with pytest.raises(SystemExit):
        call_command("reconcile_chain", since=NOW)


def test_what_the_chain_does_not_know_or_knows_otherwise_is_found():
    _, row = requested()
    look(send(approve(row)))
    (sent,) = RehearsedChain(LATER).sent_since(NOW)
    gone = Gone(row.id, row.destination, sent.extrinsic, row.arrives_rao)
    assert compare([sent], [gone]) == ()

    (unlike,) = compare([sent], [replace(gone, rao=1)])
    RehearsedBroadcast.objects.all().delete()
    (extra,) = operations.reconcile_chain(since=NOW, now=LATER)

    assert (unlike.kind, extra.kind) == (Kind.UNLIKE, Kind.EXTRA)
    assert (extra.chain_rao, extra.booked_rao) == (0, row.arrives_rao)
