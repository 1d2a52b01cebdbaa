"""The embedded servers: several at once, stopped without a trace, started again after a kill."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis

from launch import postgres, throwaway
from launch.children import Child, stop_all
from launch.errors import CannotLaunchError
from launch.servers import Servers

pytestmark = pytest.mark.network
ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60.0


def test_two_throw_away_pairs_run_at_once_and_leave_nothing():
    with throwaway.servers(environ={}) as one, throwaway.servers(environ={}) as other:
        for pair in (one, other):
            with psycopg.connect(pair.database_url) as connection:
                connection.execute("create table only_here (id int)")
            with redis.Redis.from_url(pair.redis_url) as client:
                assert client.ping()
        processes = [child.process for pair in (one, other) for child in pair.children]

    assert len(processes) == 4
    assert all(process.returncode is not None for process in processes)
    assert not one.state.exists()
    assert not other.state.exists()
    assert programs_that_mention(one.state) == programs_that_mention(other.state) == []


def test_data_survive_a_killed_server_and_a_killed_launcher(tmp_path):
    servers = Servers(tmp_path / "state", environ={}).__enter__()
    with psycopg.connect(servers.database_url) as connection:
        connection.execute("create table kept as select 7 as number")
    for child in servers.children:
        os.kill(child.process.pid, signal.SIGKILL)
    servers.stop()

    with (
        Servers(tmp_path / "state", environ={}) as again,
        psycopg.connect(again.database_url) as connection,
    ):
        assert connection.execute("select number from kept").fetchone() == (7,)


def test_a_pid_file_that_names_some_other_program_does_not_keep_postgres_from_starting(tmp_path):
    with Servers(tmp_path / "state", environ={}):
        pass
    home = postgres.guise().home(tmp_path / "state")
    (home / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{home}\n")

    with Servers(tmp_path / "state", environ={}) as servers:
        assert servers.children[0].is_alive()


def test_one_state_is_for_one_run_at_a_time(tmp_path):
    with (
        Servers(tmp_path / "state", environ={}),
        pytest.raises(CannotLaunchError, match="in use by another run"),
    ):
        Servers(tmp_path / "state", environ={}).__enter__()


def test_data_of_another_postgres_are_refused(tmp_path):
    with Servers(tmp_path / "state", environ={}):
        pass
    home = postgres.guise().home(tmp_path / "state")
    (home / "postgres" / "PG_VERSION").write_text("15\n")

    with pytest.raises(CannotLaunchError, match="made by PostgreSQL 15 and this is 18"):
        Servers(tmp_path / "state", environ={}).__enter__()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become someone else")
def test_root_without_namespaces_runs_postgres_as_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(postgres, "guise", lambda: postgres.Guise(uid=postgres.NOBODY))
    servers = Servers(tmp_path / "state", environ={}, cache=tmp_path / "cache")
    home = postgres.guise().home(servers.state)

    with servers:
        status = Path(f"/proc/{servers.children[0].process.pid}/status").read_text()
        assert f"Uid:\t{postgres.NOBODY}\t" in status
        psycopg.connect(servers.database_url).close()
        assert home.parent == Path("/var/tmp")
        assert home.stat().st_uid == 0
    servers.remove_data()
    shutil.rmtree(postgres.guise().home(servers.cache))

    assert not home.exists()


def test_given_servers_are_used_and_none_is_started(tmp_path):
    given = {"DATABASE_URL": "postgresql://there/db", "REDIS_URL": "redis://there"}

    with Servers(tmp_path / "state", environ=given) as servers:
        assert (servers.database_url, servers.redis_url) == tuple(given.values())
        assert servers.children == []


def test_nobody_else_gets_into_the_embedded_servers(tmp_path):
    with Servers(tmp_path / "state", environ={}) as servers:
        for stranger in ("", "guess"):
            url = servers.database_url.replace(
                servers.database_url.split(":")[2].split("@")[0], stranger
            )
            with pytest.raises(psycopg.OperationalError, match=r"password"):
                psycopg.connect(url)
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=int(servers.redis_url.rsplit(":", 1)[1].split("/")[0])).ping()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_the_servers_of_a_killed_command_stop_with_it(end):
    command = [sys.executable, "-m", "launch", "with-servers", "--"]
    report = "import os, time; print(os.environ['DATABASE_URL'], flush=True); time.sleep(600)"
    without = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL"}}
    with subprocess.Popen(
        [*command, sys.executable, "-c", report], cwd=ROOT, env=without, stdout=subprocess.PIPE
    ) as run:
        url = run.stdout.readline().decode().strip()
        psycopg.connect(url).close()

        run.send_signal(end)

        wait_until(lambda: not is_open(url))
        assert run.wait() == (-9 if end == signal.SIGKILL else 128 + end)


def test_a_command_ends_with_its_own_status():
    run = subprocess.run(
        [sys.executable, "-m", "launch", "with-servers", "--", "sh", "-c", "exit 7"],
        cwd=ROOT,
        check=False,
    )

    assert run.returncode == 7


def test_a_child_that_ignores_the_stop_signal_is_killed_with_its_family(tmp_path):
    deaf = "trap '' TERM; sleep 600 & echo $!; wait; sleep 600"
    child = Child("deaf", ["sh", "-c", deaf], dict(os.environ), tmp_path / "log", tmp_path)
    child.start()
    wait_until(lambda: (tmp_path / "log").read_text().endswith("\n"))
    grandchild = int((tmp_path / "log").read_text())

    stop_all([child], grace_s=0.2)

    assert child.exit_status() == "SIGKILL"
    wait_until(lambda: not is_running(grandchild))


def is_open(url):
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def is_running(pid):
    """A zombie that its new parent has not collected yet does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def programs_that_mention(words):
    """The process ids whose command line has these words."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(words).encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def wait_until(is_true):
    until = time.monotonic() + WAIT_S
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.02)
