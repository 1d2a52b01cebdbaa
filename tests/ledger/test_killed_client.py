"""Who is killed between a commit and its answer asks again, and it was done once (I15)."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from django.db import connection

from launch.servers import ROOT
from ledger import models, queries
from ledger import operations as ledger
from ledger.chart import FEES, TREASURY
from ledger.invariants import check_books
from tests.ledger import dying_client, make

pytestmark = pytest.mark.django_db(transaction=True)
FOR_EVER = 10**9


def started(name, last):
    words = [
        sys.executable,
        "-m",
        "tests.ledger.dying_client",
        connection.settings_dict["NAME"],
        name,
        str(last),
    ]
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    return subprocess.Popen(words, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)


def asked_by(client):
    """Wait for a client's end, and for PostgreSQL to finish what it had begun; return all keys it named."""
    keys = client.communicate(timeout=120)[0].split()
    assert client.returncode == -signal.SIGKILL
    ends_at = time.monotonic() + 120
    while others() and time.monotonic() < ends_at:
        time.sleep(0.02)
    assert not others()
    return keys


def others():
    """Count the connections of this database that are not this test's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return cursor.fetchone()[0]


def test_what_was_committed_and_never_answered_is_there_when_it_is_asked_for_again():
    make.treasury(1_000)

    keys = asked_by(started("ada", last=4))
    again = [ledger.post(dying_client.asked(key)) for key in keys]

    assert len(keys) == 5
    assert all(posted.replayed for posted in again)
    assert queries.balance_of_system(FEES) == 1 + 2 + 1
    assert queries.balance(TREASURY).available_rao == 1_000 - 4 - 5


def test_clients_killed_in_the_middle_of_anything_lose_and_double_nothing():
    make.treasury(10_000_000)
    clients = [started(name, last=FOR_EVER) for name in ("ada", "bob", "eve")]
    chance = np.random.default_rng(20_261_128)
    begun = [client.stdout.readline().strip() for client in clients]
    for client in clients:
        time.sleep(chance.uniform(0.05, 0.15))
        client.kill()
    named = [[first, *asked_by(client)] for first, client in zip(begun, clients, strict=True)]
    keys = [key for each in named for key in each]
    done_count = models.Entry.objects.filter(key__in=keys).count()

    # Everything but what each was about when it died was done; all of the last few is asked for again.
    again = [ledger.post(dying_client.asked(key)) for each in named for key in each[-9:]]

    assert len(keys) > 9
    assert 0 <= len(keys) - done_count <= len(clients)
    assert sum(not posted.replayed for posted in again) == len(keys) - done_count
    assert models.Entry.objects.filter(key__in=keys).count() == len(keys)
    assert check_books() == []
