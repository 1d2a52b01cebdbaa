"""The history while clients, a worker and PostgreSQL are killed with SIGKILL: one program does it, another looks on.

`told(...)` runs both: a durable PostgreSQL of its own, killed and started again in the middle, and
`python -m bench._ledger_dying`, which plays, has its clients killed, and replays everything through the model. Each line
that it says is how many operations have been answered, the last its report.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from launch.killable import KillableServers
from launch.servers import ROOT

DARK_S = 0.2  # for so long nobody is there to answer


@dataclass(frozen=True, slots=True)
class Report:
    """What was done and seen. committed_unanswered: what had been done when it was asked for again."""

    operations: int
    seconds: float
    refused: int
    replays: int
    clients_killed: int
    workers_killed: int
    resent: int
    committed_unanswered: int
    sealed: int
    faults: list[str]
    servers_killed: int = 0


def told(
    *, operations: int, connections: int, seed: int, every_s: float, server_kills: int
) -> Report:
    """Play a history in the middle of which PostgreSQL is killed so many times; return what was seen."""
    with tempfile.TemporaryDirectory() as folder:
        servers = KillableServers(Path(folder), environ={"REDIS_URL": "redis://127.0.0.1:1/0"})
        try:
            with servers:
                return _watched(
                    servers,
                    words=[str(operations), str(connections), str(seed), str(every_s)],
                    kills_at=[
                        operations * (n + 1) // (server_kills + 1) for n in range(server_kills)
                    ],
                )
        finally:
            servers.remove_data()


def _watched(servers: KillableServers, *, words: list[str], kills_at: list[int]) -> Report:
    env = {
        **os.environ,
        "DATABASE_URL": servers.database_url,
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    run = [sys.executable, "-m", "bench._ledger_dying", *words]
    due = list(kills_at)
    with subprocess.Popen(run, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            said = json.loads(line)
            if isinstance(said, dict):
                return Report(**said | {"servers_killed": len(kills_at) - len(due)})
            if due and said >= due[0]:
                due.pop(0)
                servers.kill_postgres()
                time.sleep(DARK_S)
                servers.restart_postgres()
    raise AssertionError(f"the history ended without a report: exit {program.returncode}")
