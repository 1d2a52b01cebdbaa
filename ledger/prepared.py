"""Statements that PostgreSQL plans once a connection, and transactions that wait for few answers.

Both are for the few statements that are sent while others wait for a lock. Django writes parameters into a
statement's text, so that every one is planned anew, which takes longer than most of these take to run; and it waits
for each answer, which takes as long again. Here the server binds parameters, and psycopg prepares what it has sent
before.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.backends.postgresql.base import ServerBindingCursor
from psycopg import Pipeline
from psycopg.abc import PQGen
from psycopg.generators import send as send_written

_NEEDS_ESCAPES = re.compile(r'["\\]')


class Answer:
    """What a statement that was sent will say."""

    def __init__(self, cursor: Any) -> None:  # noqa: ANN401  Django's wrapper around a driver's cursor
        self._cursor = cursor

    def rows(self) -> list[tuple[Any, ...]]:
        """Wait for the statement, and return its rows; it has to be one that returns any."""
        return list(self._cursor.fetchall())


def send(sql: str, parameters: Mapping[str, Any] | None = None) -> Answer:
    """Send a statement on Django's connection, in its transaction.

    Within `atomic` it is not waited for: what it refuses is raised by whatever waits next, the commit at the latest.
    Name the type of every parameter in the statement (`%(id)s::uuid`): PostgreSQL does not see its value.
    """
    cursor = _cursor()
    cursor.execute(sql, parameters)
    return Answer(cursor)


def rows(sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Send a statement and return its rows."""
    # Read whole before anybody asks again, so one cursor serves all: making it takes a third of the driver's time.
    cursor = _kept_cursor()
    cursor.execute(sql, parameters)
    return list(cursor.fetchall())


class _Gathering(Pipeline):
    """A pipeline that writes what was sent once somebody waits, all in one.

    psycopg writes every statement as it comes, and looks twice whether it may; and it waits for the answer to BEGIN, and
    to COMMIT, and once more at the end. Each write wakes a process of the server, each wait a thread of ours.
    """

    def say(self, command: bytes) -> None:
        """Put a command in the line that returns no rows."""
        self.command_queue.append(partial(self.pgconn.send_query_params, command, None))
        self.result_queue.append(None)

    def part(self) -> None:
        """Begin a transaction of its own with what is sent next, though it travels with what was sent before."""
        self._enqueue_sync()

    def write(self) -> PQGen[None]:
        """Write what was gathered, whoever waits for it or not."""
        while self.command_queue:
            self.command_queue.popleft()()
        yield from send_written(self.pgconn)

    def _communicate_gen(self) -> PQGen[None]:
        yield from ()

    def _fetch_gen(self, *, flush: bool) -> PQGen[None]:
        if not self.result_queue:
            return
        if flush:
            self.command_queue.append(self.pgconn.send_flush_request)
        yield from self.write()
        yield from super()._fetch_gen(flush=False)


@contextmanager
def atomic() -> Iterator[None]:
    """Do as `transaction.atomic` does, and wait only for the rows that are asked for (libpq's pipeline mode).

    The commit goes out together with the last statements, so that a lock is not held while their answers travel. What
    was prepared survives a refusal.
    """
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(), ExitStack() as within:
        connection.ensure_connection()
        driver: Any = connection.connection
        if is_outermost:
            within.enter_context(_plans_kept(driver))
            # The words are said here: psycopg would wait for the answer to each.
            driver.autocommit = True
        pipeline = within.enter_context(_gathering(driver))
        if is_outermost:
            pipeline.say(b"BEGIN")
        yield
        # Within another transaction there is a savepoint, which Django gives back once the pipeline has ended.
        if is_outermost and not connection.needs_rollback:
            pipeline.say(b"COMMIT")


@contextmanager
def together() -> Iterator[_Gathering]:
    """Let statements travel together; the rows of each are there once all have been sent.

    They are one transaction up to each `part`, and each sees what was committed when it began.
    """
    connection.ensure_connection()
    with _gathering(connection.connection) as pipeline:
        yield pipeline


def push() -> None:
    """Write what was sent so far, so that the server is at work on it while there is more to put into words."""
    driver: Any = _mine().connection
    if driver._pipeline is not None:  # noqa: SLF001  as in _gathering
        with connection.wrap_database_errors:
            driver.wait(driver._pipeline.write())  # noqa: SLF001


@contextmanager
def _gathering(driver: Any) -> Iterator[_Gathering]:  # noqa: ANN401  a driver's connection
    """Have statements gathered. psycopg takes the pipeline that is there for that of whoever asks for one."""
    if driver._pipeline is None:  # noqa: SLF001  there is no other place for a pipeline of one's own kind
        driver._pipeline = _Gathering(driver)  # noqa: SLF001
    with connection.wrap_database_errors, driver.pipeline() as pipeline:
        yield pipeline


@contextmanager
def _plans_kept(driver: Any) -> Iterator[None]:  # noqa: ANN401  a driver's connection
    """Roll back by the word alone: psycopg's rollback forgets what was prepared, which no statement of ours makes stale."""
    try:
        yield
    except BaseException:
        driver.pgconn.exec_(b"ROLLBACK")
        raise


def numbers(values: Iterable[int | None]) -> str:
    """Write an array of numbers as PostgreSQL reads it: the driver takes ten times as long for a list."""
    return "{" + str(list(values))[1:-1].replace("None", "NULL") + "}"


def uuids(values: Iterable[UUID | None]) -> str:
    """Write an array of UUIDs as PostgreSQL reads it; None is NULL."""
    return "{" + ",".join(["NULL" if value is None else value.hex for value in values]) + "}"


def texts(values: Iterable[object]) -> str:
    """Write an array of what reads well as text (ids, truth values) as PostgreSQL reads it; None is NULL."""
    words = [value if value is None or isinstance(value, str) else str(value) for value in values]
    if not words:
        return "{}"
    if None not in words:
        # Looked at once instead of word by word, as most have nothing to be escaped.
        joined = '","'.join(words)  # type: ignore[arg-type]  # mypy does not see that there is no None
        if joined.count('"') == 2 * (len(words) - 1) and "\\" not in joined:
            return f'{{"{joined}"}}'
    return "{" + ",".join("NULL" if word is None else _quoted(word) for word in words) + "}"


def _quoted(text: str) -> str:
    return '"' + _NEEDS_ESCAPES.sub(r"\\\g<0>", text) + '"'


def _cursor() -> Any:  # noqa: ANN401  Django's wrapper around a driver's cursor
    """Return a cursor that binds on the server; where statements are logged, one that can tell what it sent."""
    mine = _mine()
    if mine.queries_logged:
        return mine.cursor()
    bind: Any = ServerBindingCursor  # the stubs know no psycopg 3
    return mine.make_cursor(bind(mine.connection))


def _kept_cursor() -> Any:  # noqa: ANN401  as above
    """Return the cursor that this thread's connection keeps for `rows`, made where the connection is new."""
    mine = _mine()
    if mine.queries_logged:
        return mine.cursor()
    kept = getattr(mine, "kept_cursor", None)
    if kept is None or kept.cursor.connection is not mine.connection or kept.cursor.closed:
        kept = mine.kept_cursor = _cursor()
    return kept


def _mine() -> Any:  # noqa: ANN401  Django's connection, with a place for a cursor
    """Return this thread's connection, open. Through `connection` each look would ask anew which thread is running."""
    mine = connections[DEFAULT_DB_ALIAS]
    mine.ensure_connection()
    return mine
