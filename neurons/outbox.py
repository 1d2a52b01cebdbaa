"""Finished results on their way: each is a small file until the server has taken it, or will never take it.

A result is work done; a restart of either side must not lose it. A file is written whole under another name, brought
to the disk, and then given its name, so that a kill at any moment leaves a whole result or none.
"""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from neurons.wire import SignedResult

FILES_MAX = 256  # A server that is away so long that more wait has let their leases expire.
FILE_MAX_BYTES = 4 * 2**20  # The server takes requests of 2 MiB.
KEPT_S = 120.0  # After its deadline a result is offered a little longer: clocks differ, and a replay is taken.


@dataclass(frozen=True, slots=True)
class Waiting:
    """A result, and what it is for."""

    lease_id: str
    job_id: str
    netuid: int
    blueprint: str
    deadline_at: str
    result: SignedResult

    def is_late(self, *, now: datetime) -> bool:
        """Tell whether the server can no longer want it."""
        try:
            deadline_at = datetime.fromisoformat(self.deadline_at)
        except ValueError:
            return False
        if deadline_at.tzinfo is None:
            deadline_at = deadline_at.replace(tzinfo=UTC)
        return (now - deadline_at).total_seconds() > KEPT_S


class OutboxFull(Exception):
    """No more results are kept: the server has been away for long, or the folder cannot be written."""


class Outbox:
    """The results of one hotkey in one folder, the oldest first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, waiting: Waiting) -> None:
        """Keep a result. Raises: OutboxFull."""
        content = json.dumps(asdict(waiting)).encode()
        if len(content) > FILE_MAX_BYTES or len(self._names()) >= FILES_MAX:
            raise OutboxFull(f"{len(self._names())} results wait in {self.folder}.")
        path = self._path(waiting.lease_id)
        partial = path.with_suffix(".part")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            _sync(self.folder)
        except OSError as error:
            raise OutboxFull(f"{self.folder} cannot be written: {error.strerror}.") from None

    def remove(self, lease_id: str) -> None:
        """Forget a result that was taken, or never will be."""
        with suppress(OSError):
            self._path(lease_id).unlink(missing_ok=True)
            _sync(self.folder)

    def waiting(self) -> Iterator[Waiting]:
        """Yield what is kept, the oldest first; what cannot be read is removed."""
        for name in self._names():
            try:
                yield _read((self.folder / name).read_bytes())
            except (OSError, ValueError, KeyError, TypeError):
                self.remove(Path(name).stem)

    def _names(self) -> list[str]:
        with suppress(OSError):
            files = [(each.stat().st_mtime_ns, each.name) for each in self.folder.glob("*.json")]
            return [name for _, name in sorted(files)]
        return []

    def _path(self, lease_id: str) -> Path:
        # A lease's id is a UUID wherever it was read; nothing else may become a file's name.
        return self.folder / f"{uuid.UUID(lease_id)}.json"


def _read(content: bytes) -> Waiting:
    fields: dict[str, Any] = json.loads(content)
    result = SignedResult(**fields.pop("result"))
    return Waiting(**fields, result=result)


def _sync(folder: Path) -> None:
    """Bring a folder's list of names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
