"""The demo's supervisor, with a product as small as can be: steps, restarts, an orderly end, plain troubles."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psycopg
import pytest

from launch.servers import is_port_taken
from tests.launch.test_servers import is_running, programs_that_mention, wait_until
from tests.ports import free_row

pytestmark = pytest.mark.network
STOP_S = 6.0  # and as long again as the start took: a busy machine is slow at both


@pytest.fixture
def port():
    """A port that is free together with the next one."""
    return free_row(2)


@pytest.fixture
def demo(tree, port):
    """Start demos in the tree; whatever a failed test leaves is stopped."""
    started = []

    def start(*words, **variables):
        without = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL"}}
        run = subprocess.Popen(
            [sys.executable, "-m", "launch", "demo", "--json", "--port", str(port), *words],
            cwd=tree,
            env=without | variables,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(run)
        return run

    yield start
    for run in started:
        run.kill()
        run.stdout.close()
        run.wait()


def heard(run, kind):
    """Read what a demo says until it has said a thing of this kind; return that."""
    for line in run.stdout:
        said = json.loads(line)
        if said["kind"] == kind:
            return said
    raise AssertionError(f"the demo ended without a word of {kind}")


def test_a_demo_starts_everything_and_stops_it_without_a_trace(demo, tree, port):
    begun_at_s = time.monotonic()
    run = demo()
    ready = heard(run, "ready")
    start_s = time.monotonic() - begun_at_s
    assert ready["address"] == f"http://127.0.0.1:{port}"
    assert ready["logins"] == [{"email": "ann@example.com", "password": "a word", "role": "owner"}]
    assert heard(run, "status")["text"].startswith("block 7, jobs verified 50")
    assert urllib.request.urlopen(f"http://127.0.0.1:{port + 1}/", timeout=60).status == 200
    wait_until(lambda: "working ['miner']" in (tree / ".state/demo/logs/miner-2.log").read_text())
    for secret in ("secret.json", "programs.password"):
        assert (tree / ".state/demo" / secret).stat().st_mode & 0o777 == 0o600
    kept = json.loads((tree / ".state/demo/environment.json").read_text())
    assert role_of(kept["DATABASE_URL"]) == ("programs", False)

    asked_at_s = time.monotonic()
    run.send_signal(signal.SIGINT)

    assert run.wait() == 0
    assert time.monotonic() - asked_at_s < STOP_S + start_s
    assert programs_that_mention(tree) == []
    assert not is_port_taken(port)


def test_a_second_start_keeps_data_and_secrets_and_migrates_nothing(demo, tree):
    first = demo("--until-done", "60")
    assert heard(first, "done")["text"] == "all goals reached, 1 audit bundles MATCH"
    assert first.wait() == 0
    secret = (tree / ".state/demo/secret.json").read_text()

    second = demo("--until-done", "60")

    assert heard(second, "done")
    assert second.wait() == 0
    assert (tree / ".state/demo/secret.json").read_text() == secret
    commands = (tree / ".state/demo/commands").read_text().split()
    assert commands == [
        "migrate",
        "grant_application_role",
        "collectstatic",
        "seed_demo",
        "seed_demo",
    ]


def test_a_demo_that_does_not_reach_its_goals_says_which(demo):
    run = demo("--until-done", "1", FAKE_JOBS_COUNT="49")

    assert heard(run, "trouble")["text"] == "not reached in time: 49 of 50 jobs verified"
    assert run.wait() == 1


def test_a_child_that_dies_is_named_and_started_again(demo, tree):
    run = demo()
    heard(run, "status")
    log = tree / ".state/demo/logs/miner-1.log"
    wait_until(lambda: "working ['miner']" in log.read_text())
    (miner,) = [pid for pid in children_of(run.pid) if output_of(pid) == log]

    os.kill(miner, signal.SIGKILL)

    said = heard(run, "trouble")["text"]
    assert said.startswith("miner-1 ended (SIGKILL): working ['miner']")
    assert str(log) in said
    wait_until(lambda: log.read_text().count("working") == 2)


def test_a_killed_demo_takes_its_children_along_and_starts_again(demo, tree, port):
    run = demo()
    heard(run, "ready")
    children = children_of(run.pid)
    assert len(children) == 9  # two servers, five of the product, two miners

    run.kill()

    wait_until(lambda: not any(is_running(pid) for pid in children))
    wait_until(lambda: not is_port_taken(port))
    assert heard(demo(), "ready")


def test_a_taken_port_is_said_in_one_line(demo, port):
    with socket.create_server(("127.0.0.1", port + 1)):
        run = demo()

        assert heard(run, "trouble")["text"] == (
            f"Port {port + 1} is taken: choose others with `make demo PORT=9000`."
        )
        assert run.wait() == 1


def test_seeding_that_fails_is_said_with_its_last_line_and_log(demo, tree):
    (tree / "manage.py").write_text(
        "import sys\nif 'seed' in sys.argv[1]: sys.exit('no world today')\n"
    )
    run = demo()

    said = heard(run, "trouble")["text"]

    log = tree / ".state/demo/logs/world.log"
    assert said == f"`manage.py seed_demo` failed (exit 1): no world today (see {log})"
    assert run.wait() == 1
    assert programs_that_mention(tree) == []


def role_of(address):
    """Return the role's name that an address comes as, and whether it is a superuser."""
    with psycopg.connect(address) as line:
        return line.execute(
            "SELECT current_user::text, rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone()


def output_of(pid):
    return Path(f"/proc/{pid}/fd/1").readlink()


def children_of(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
