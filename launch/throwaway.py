"""Servers whose data live as long as one command: `python -m launch with-servers -- CMD…`."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from launch import locks
from launch.errors import CannotLaunchError
from launch.servers import CACHE, Servers

OWNER = "owner.lock"  # held by the run that a throw-away folder belongs to


@contextmanager
def servers(environ: Mapping[str, str] | None = None) -> Iterator[Servers]:
    """Run servers whose data live as long as the block. Any number may run at once."""
    room = CACHE / "throw-away"
    try:
        room.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotLaunchError(f"Cannot write {CACHE}: {error.strerror}.") from error
    with contextlib.ExitStack() as open_locks:
        # A folder between its making and its lock looks like one whose owner was killed.
        with locks.held(room / "lock", wait=True):
            _remove_abandoned(room)
            state = Path(tempfile.mkdtemp(dir=room, prefix="run-"))
            open_locks.enter_context(locks.held(state / OWNER, wait=False))
        mine = Servers(state, is_durable=False, environ=environ)
        try:
            with mine:
                yield mine
        finally:
            mine.remove_data()
            shutil.rmtree(state, ignore_errors=True)


def _remove_abandoned(room: Path) -> None:
    """Remove what runs that were killed outright have left. Their servers ended with them."""
    for state in room.glob("run-*"):
        try:
            with locks.held(state / OWNER, wait=False):
                pass
        except CannotLaunchError:
            continue
        Servers(state, environ={}).remove_data()
        shutil.rmtree(state, ignore_errors=True)


@contextmanager
def environment() -> Iterator[dict[str, str]]:
    """Yield the addresses of throw-away servers, as environment variables."""
    with servers() as mine:
        yield {"DATABASE_URL": mine.database_url, "REDIS_URL": mine.redis_url}
