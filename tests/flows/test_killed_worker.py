"""A worker that is killed while it pays an epoch pays nothing; the next one pays it, once."""

import pytest
from django.db import connection, transaction
from django.utils import timezone

from ledger.chart import wallet
from ledger.models import Account, Entry
from subnets.models import Epoch
from tests import make

pytestmark = pytest.mark.network

BLOCK_MS = 10  # an epoch of 360 blocks lasts 3.6 s

# Who has written to the epochs in a transaction that is still open, and waits for somebody's lock.
PAYING = """
SELECT waiting.pid
FROM pg_locks AS waiting
JOIN pg_locks AS writing ON writing.pid = waiting.pid
JOIN pg_database AS here ON here.oid = writing.database AND here.datname = current_database()
WHERE NOT waiting.granted
  AND writing.relation = 'subnets_epoch'::regclass
  AND writing.mode = 'RowExclusiveLock'
"""


def paying():
    """Return the database sessions that stand in the middle of an epoch."""
    with connection.cursor() as cursor:
        cursor.execute(PAYING)
        return cursor.fetchall()


def test_an_epoch_whose_worker_is_killed_is_paid_once_by_the_next(house):
    owner = make.rich_owner(now=timezone.now())
    netuid = make.subnet(owner, now=timezone.now())

    house.start("beat", "worker")
    with transaction.atomic():
        # The epoch is written and its wallets are to be paid: this one keeps it waiting there.
        Account.objects.select_for_update().get(code=wallet(owner).code)
        house.until(paying, "an epoch is being paid")
        house.kill("worker")
    house.until(lambda: not paying(), "the database drops what the worker had begun")
    assert not Epoch.objects.exists()
    assert not Entry.objects.filter(code="epoch:paid").exists()

    house.start("worker")
    house.until(lambda: Epoch.objects.count() >= 2, "two epochs are paid")
    house.stop()
    epochs = list(Epoch.objects.order_by("number"))
    assert [epoch.number for epoch in epochs] == list(range(1, len(epochs) + 1))
    entries = Entry.objects.filter(code="epoch:paid").order_by("id")
    assert [entry.key for entry in entries] == [
        f"epoch:{netuid}:{epoch.number}" for epoch in epochs
    ]
    assert epochs[0].owner_rao > 0
    paid_rao = sum(
        transfer.amount_rao
        for entry in entries
        for transfer in entry.transfers.filter(credit__code=wallet(owner).code)
    )
    assert paid_rao == sum(epoch.owner_rao for epoch in epochs)
