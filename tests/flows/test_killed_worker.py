"""A worker may be killed at any instant of an epoch or a batch of jobs: the next one goes on, pays once, and loses nothing."""

import secrets
import time
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from ledger import invariants
from ledger.chart import wallet
from ledger.models import Account
from subnets import queries
from subnets.models import Epoch
from tests.flows import paid_epochs, paid_jobs

pytestmark = pytest.mark.network

BLOCK_MS = paid_epochs.BLOCK_MS
RANDOM_KILLS = 1
LIFE_MS = 2_000  # a worker gets to its first epoch within the second, and pays many in the next

# Who waits for a lock with a statement like this.
WAITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE %s
"""
CLAIMS = """
SELECT lock.pid FROM pg_locks AS lock JOIN pg_database AS here ON here.oid = lock.database
WHERE lock.locktype = 'advisory' AND here.datname = current_database()
"""


def rows(sql, *parameters):
    with connection.cursor() as cursor:
        # Within a transaction PostgreSQL would show the same activity for ever.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(sql, parameters)
        return cursor.fetchall()


@contextmanager
def held_up(before):
    """Hold what an epoch needs next, so that whoever closes one stands still there."""
    with transaction.atomic():
        before()
        yield


def network_row():
    queries.lock_network()


def table(name):
    """Return what keeps rows from being added to a table; reading goes on."""

    def hold():
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE")

    return hold


def wallet_row(owner):
    return lambda: Account.objects.select_for_update().get(code=wallet(owner).code)


def test_a_worker_killed_at_any_instant_pays_every_epoch_once(house):
    owners = paid_epochs.founded()
    # Where the worker stands, what it waits for there, and the statement with which it waits.
    instants = [
        ("before anything accrued", network_row, "%FROM subnets_network %FOR UPDATE%"),
        ("computed, nothing written", table("subnets_epoch"), "%INSERT INTO subnets_epoch (%"),
        ("half written", table("subnets_epochterm"), "%INSERT INTO subnets_epochterm%"),
        ("written, nobody paid", table("ledger_entry"), "%ledger_post_moves%"),
        ("one subnet paid, the next under way", wallet_row(owners[-1]), "%ledger_post_moves%"),
    ]  # fmt: skip
    house.start("beat")

    for said, before, statement in instants:
        house.start("worker")
        with held_up(before):
            house.until(lambda statement=statement: rows(WAITING, statement), said)
            closed = set(Epoch.objects.values_list("pk", flat=True))
            house.kill("worker")
            house.until(lambda: not rows(CLAIMS), "the database drops what the worker had begun")
        assert set(Epoch.objects.values_list("pk", flat=True)) == closed, said
        assert invariants.check_all_books() == [], said
    for _ in range(RANDOM_KILLS):
        house.start("worker")
        ends_at = time.monotonic() + secrets.randbelow(LIFE_MS) / 1_000 + 0.5
        house.until(lambda ends_at=ends_at: time.monotonic() > ends_at, "a random moment has come")
        house.kill("worker")
        house.until(lambda: not rows(CLAIMS), "the database drops what the worker had begun")
        assert invariants.check_all_books() == []
    killed_at = Epoch.objects.count()

    house.start("worker")
    house.until(
        lambda: Epoch.objects.count() >= killed_at + 2 * paid_epochs.SUBNET_COUNT,
        "two more epochs of every subnet are paid",
    )
    house.stop()
    assert paid_epochs.faults() == []
    assert Epoch.objects.filter(miners_rao__gt=0).exists()


def test_a_worker_killed_in_the_middle_of_a_batch_of_jobs_pays_each_once(house):
    world = paid_jobs.founded()
    house.start("beat")

    killed_while(house, table("compute_lease"), '%INSERT INTO "compute_lease"%')
    assert set(world.states().values()) == {"queued"}
    world.begin()
    killed_while(house, wallet_row(world.consumer), "%FROM ledger_account%FOR NO KEY%")
    assert list(world.states().values()).count("returned") == paid_jobs.JOBS_AT_ONCE

    house.start("worker")
    faults = world.drained()
    house.stop()
    assert faults == []


def killed_while(house, before, statement):
    """Kill a worker in the middle of a batch, where it waits for what is held."""
    with held_up(before):
        house.start("worker")
        house.until(lambda: rows(WAITING, statement), statement)
        house.kill("worker")
        house.until(lambda: not rows(WAITING, statement), "the database drops what it had begun")
    assert invariants.check_all_books() == []
