"""What a gateway owes the books, on its disk before anybody was told: one line a fact, in files of one process each. Pure.

A line is written by one call to the kernel, so a killed process leaves whole lines. It holds a lock on its file while
it lives; a file that nobody holds was left behind, and whoever starts next in the folder reads it. Power that fails
may cost the last second: `sync` is called once in one.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from compute.serving import UsageRecord

logger = logging.getLogger(__name__)

SUFFIX = ".journal"
LINES_PER_FILE_MAX = 10_000  # about 5 MB: read back in a second
LINE_BYTES_MAX = 4_096  # a record has some 600 bytes


@dataclass(slots=True)
class Page:
    """One file of a journal that this process writes. pending_count: records that are not in the books yet."""

    path: Path
    descriptor: int
    lines_count: int = 0
    pending_count: int = 0
    is_torn: bool = False


@dataclass(slots=True)
class Leftover:
    """What a process that is gone left in one file. tabs: those it had open, and those its records are on."""

    path: Path
    records: list[UsageRecord] = field(default_factory=list)
    tabs: set[UUID] = field(default_factory=set)
    unreadable_count: int = 0


class Journal:
    """The lines of this process. Not for threads: one event loop appends, and asks for the rest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._page = _new_page(folder)
        self._full: list[Page] = []

    def append(self, record: UsageRecord) -> Page:
        """Write a record down; return the page to give back to `commit`. Raises: OSError when the disk refuses."""
        _write(self._page, record.to_json())
        self._page.pending_count += 1
        return self._page

    def note_tab(self, tab: UUID) -> None:
        """Write down that a tab is being opened, so that it is settled even if nothing is used from it."""
        _write(self._page, json.dumps({"tab": str(tab)}))

    def sync(self) -> None:
        """Wait until what was written is on the disk."""
        os.fsync(self._page.descriptor)

    def commit(self, pages: Iterable[Page]) -> None:
        """Say that one record of each of these pages is in the books; remove full pages of which all are."""
        for page in pages:
            assert page.pending_count > 0, "a record is committed once"
            page.pending_count -= 1
        for page in [page for page in self._full if not page.pending_count]:
            self._full.remove(page)
            _remove(page)

    def turn(self, open_tabs: Iterable[UUID]) -> None:
        """Begin a new page when this one is full. open_tabs: stand on the new one as well."""
        if self._page.lines_count < LINES_PER_FILE_MAX:
            return
        full, self._page = self._page, _new_page(self.folder)
        for tab in open_tabs:
            self.note_tab(tab)
        if full.pending_count:
            self._full.append(full)
        else:
            _remove(full)

    def close(self, *, is_settled: bool) -> None:
        """Let go of the files; remove them when all they say is settled, leave them to the next process otherwise."""
        for page in [*self._full, self._page]:
            if is_settled and not page.pending_count:
                _remove(page)
            else:
                os.close(page.descriptor)

    @contextmanager
    def leftovers(self) -> Iterator[list[Leftover]]:
        """Read what processes that are gone left in the folder; remove it when the block ends well.

        The files are locked meanwhile, so that of two processes that start together one reads each.
        """
        held: list[tuple[Path, int]] = []
        own = {page.path for page in [*self._full, self._page]}
        try:
            for path in sorted(self.folder.glob(f"*{SUFFIX}")):
                descriptor = None if path in own else _lock(path)
                if descriptor is not None:
                    held.append((path, descriptor))
            yield [read(path) for path, _ in held]
            for path, _ in held:
                path.unlink(missing_ok=True)
        finally:
            for _, descriptor in held:
                os.close(descriptor)


def read(path: Path) -> Leftover:
    """Read a file; a line that was torn, or that somebody changed, is told and passed over."""
    found = Leftover(path)
    with path.open("rb") as lines:
        # A line without its end may be one that was cut short: limits keep what follows it readable.
        while line := lines.readline(LINE_BYTES_MAX):
            if line.strip():
                _read_line(line, into=found)
    if found.unreadable_count:
        logger.warning("journal:torn file=%s lines=%s", path.name, found.unreadable_count)
    return found


def _read_line(line: bytes, *, into: Leftover) -> None:
    try:
        if line.startswith(b'{"tab": '):
            into.tabs.add(UUID(json.loads(line)["tab"]))
            return
        record = UsageRecord.from_json(line)
    except ValueError:
        into.unreadable_count += 1
        return
    into.records.append(record)
    if record.tab is not None:
        into.tabs.add(record.tab)


def _new_page(folder: Path) -> Page:
    while True:
        path = folder / f"{os.getpid()}-{uuid4().hex}{SUFFIX}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        # Between the two calls somebody may have taken the empty file for one that was left behind.
        if _holds(descriptor):
            return Page(path, descriptor)


def _write(page: Page, text: str) -> None:
    # After a line that the disk took in part only, the next one begins on a line of its own.
    line = b"\n" * page.is_torn + text.encode() + b"\n"
    assert len(line) <= LINE_BYTES_MAX, "a line is short enough to be read back"
    written = os.write(page.descriptor, line)
    page.is_torn = written < len(line)
    page.lines_count += 1
    if page.is_torn:
        raise OSError(f"the disk took {written} of {len(line)} bytes")


def _lock(path: Path) -> int | None:
    """Lock a file that nobody holds; None for one whose process lives, or that is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    return descriptor if _holds(descriptor) else None


def _holds(descriptor: int) -> bool:
    """Try to lock an open file that still has a name; close it otherwise."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_held = os.fstat(descriptor).st_nlink > 0
    except BlockingIOError:
        is_held = False
    if not is_held:
        os.close(descriptor)
    return is_held


def _remove(page: Page) -> None:
    page.path.unlink(missing_ok=True)
    os.close(page.descriptor)
