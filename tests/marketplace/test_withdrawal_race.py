"""Withdrawals under way at once: sent once by however many workers, and either cancelled or approved, never both."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations
from marketplace.errors import WithdrawalDecided
from marketplace.models import RehearsedBroadcast
from tests.marketplace import world
from tests.marketplace.conftest import NOW
from tests.marketplace.withdrawals import approve, requested

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 6


def at_once(*acts):
    """Do all at once, each on a connection of its own; return what came of each."""

    def done(act):
        try:
            return act()
        except WithdrawalDecided as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(done, acts))


def test_many_workers_send_a_withdrawal_once():
    _, row = requested()
    approve(row)

    at_once(*[lambda: operations.send_withdrawal(withdrawal_id=row.id, now=NOW)] * WORKERS)

    row.refresh_from_db()
    assert (row.state, RehearsedBroadcast.objects.count()) == ("sent", 1)


def test_what_is_approved_and_cancelled_at_once_is_one_of_both():
    ada, row = requested()
    staff = world.person()
    asked = {"withdrawal_id": row.id, "now": NOW}

    said = at_once(
        lambda: operations.cancel_withdrawal(**asked, owner=ada.id).state,
        lambda: operations.approve_withdrawal(**asked, operator=staff.id).state,
    )

    row.refresh_from_db()
    assert sorted(said) == sorted([row.state, "withdrawal_decided"])
    assert world.purse(ada)[1] == (0 if row.state == "cancelled" else 10 * TAO)
