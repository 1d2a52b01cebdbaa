"""PostgreSQL may be killed in the middle of an epoch or a batch of jobs, and Redis emptied: nothing is lost or paid twice."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import psycopg
import pytest

from launch import programs
from launch.children import stop_all
from launch.killable import KillableServers
from launch.servers import ROOT
from tests.processes import CLOCK

pytestmark = pytest.mark.network

WAIT_S = 60.0
POLL_S = 0.05

# Whoever has written an epoch in a transaction that is still open, and waits for a wallet.
PAYING = """
SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%ledger_post_moves%'
"""
LOCK_WALLET = "SELECT id FROM ledger_account WHERE code = %s FOR UPDATE"
EPOCHS = "SELECT count(*) FROM subnets_epoch"


def until(question, what):
    ends_at = time.monotonic() + WAIT_S
    while not (answer := question()):
        assert time.monotonic() < ends_at, f"not within {WAIT_S:.0f} s: {what}"
        time.sleep(POLL_S)
    return answer


class OwnServers(KillableServers):
    """Servers of this test's own, on their own data, that survive what is done to them."""

    def empty_redis(self):
        """Kill Redis, and start it again on the same port without what it had."""
        server = next(child for child in self.children if child.name == "valkey")
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        shutil.rmtree(self.state / "valkey" / "appendonlydir", ignore_errors=True)
        server.start()


def migrate(env):
    words = [sys.executable, "manage.py", "migrate", "--no-input", "-v", "0"]
    run = subprocess.run(words, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2_000:]


@contextmanager
def sweeping(env, state):
    """Run the worker and its clock, none of which outlives the test; yield what starts one anew that ended.

    That is what a host's service manager does. A worker whose acknowledgement meets a Redis that is gone ends
    itself (kombu 5.7.0: "Unrecoverable error", conninfo is None); mostly it lives on and connects again.
    """
    children = programs.sweepers(env=env, state=state)

    def revive():
        for child in children:
            if not child.is_alive():
                child.start()

    try:
        for child in children:
            child.start()
        yield revive
    finally:
        stop_all(children, grace_s=4.0)


@contextmanager
def world(env):
    """Have the epochs and jobs made; yield what there is to know, and who does as told about them."""
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.flows.killed_world"],
        env=env,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def answer(word=None):
        if word:
            program.stdin.write(f"{word}\n")
            program.stdin.flush()
        return json.loads(program.stdout.readline() or "null")

    try:
        yield answer(), answer
    finally:
        program.kill()
        program.communicate()


def test_a_database_killed_while_it_pays_has_paid_none_or_all_of_it(tmp_path):
    with OwnServers(tmp_path, environ={}) as servers:
        env = programs.environment(
            given=os.environ | CLOCK,
            state=tmp_path,
            port=1,
            database_url=servers.database_url,
            redis_url=servers.redis_url,
        )
        migrate(env)

        def count():
            with psycopg.connect(servers.database_url) as session:
                return session.execute(EPOCHS).fetchone()[0]

        with world(env) as (owners, ask):
            with sweeping(env, tmp_path) as revive:
                # Before the one a batch of jobs stands that is written and not paid, before the other an epoch.
                for owner in owners:
                    with psycopg.connect(servers.database_url) as session:
                        session.execute(LOCK_WALLET, [f"wallet:{owner}"])

                        def is_paying():
                            revive()  # the last of the two may have ended itself after the epochs went on
                            return paying(servers)

                        until(is_paying, "an epoch is, or jobs are being paid")
                        before = count()
                        servers.kill_postgres()
                        session.close()
                    servers.restart_postgres()
                    servers.empty_redis()

                    def goes_on(before=before):
                        revive()
                        return count() > before + 3

                    until(goes_on, "the epochs go on")
                job_faults = ask("drain")
            closed, faults = ask("check")

    assert job_faults == []
    assert closed > 3
    assert faults == []


def paying(servers):
    with psycopg.connect(servers.database_url) as session:
        return session.execute(PAYING).fetchall()
