"""The demo's own environment for a command beside it: `python -m launch with-demo -- CMD…`."""

import contextlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from launch import locks, programs, roles
from launch.demo import PORT, STATE
from launch.errors import CannotLaunchError
from launch.servers import Servers


def is_running() -> bool:
    """Say whether a demo holds the demo's state."""
    if not (STATE / "lock").exists():
        return False
    with contextlib.suppress(CannotLaunchError), locks.held(STATE / "lock", wait=False):
        return False
    return True


@contextmanager
def environment() -> Iterator[dict[str, str]]:
    """Yield the running demo's variables, or start its servers on the data it left."""
    if is_running():
        yield json.loads((STATE / "environment.json").read_text())
        return
    if not STATE.exists():
        raise CannotLaunchError("There is no demo yet: run `make demo` first.")
    with Servers(STATE) as servers:
        yield programs.environment(
            given=os.environ,
            state=STATE,
            port=PORT,
            database_url=roles.address(servers.database_url, state=STATE)
            if servers.has_own_database
            else servers.database_url,
            redis_url=servers.redis_url,
        )
