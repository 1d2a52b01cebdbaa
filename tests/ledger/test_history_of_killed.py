"""Clients, a worker and PostgreSQL are killed in the middle of random entries: nothing is lost, nothing is done twice."""

import pytest

from bench._ledger_killed import told

pytestmark = pytest.mark.network
# `make bench ARGS=history` plays a hundred thousand.
OPERATIONS = 800


def test_a_history_whose_clients_worker_and_database_are_killed_is_what_a_model_does():
    seen = told(operations=OPERATIONS, connections=16, seed=20_261_129, every_s=0.1, server_kills=1)

    assert seen.faults == []
    assert (seen.operations, seen.servers_killed) == (OPERATIONS, 1)
    assert seen.clients_killed > 3
    assert seen.resent > 3
