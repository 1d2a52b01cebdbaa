"""A lock that is a file: held by a process, let go by the kernel when that process ends, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launch.errors import CannotLaunchError


@contextmanager
def held(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock for the length of the block.

    Raises: CannotLaunchError when another process holds it and `wait` is off.
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotLaunchError(
                f"{path.parent} is in use by another run: stop that one first (Ctrl-C in its window)."
            ) from None
        yield
