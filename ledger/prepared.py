"""Statements that PostgreSQL plans once a connection, and transactions that wait for few answers.

Both are for the few statements that are sent while others wait for a lock. Django writes parameters into a
statement's text, so that every one is planned anew, which takes longer than most of these take to run; and it waits
for each answer, which takes as long again. Here the server binds parameters, and plans what it was sent before
(`lines`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from psycopg import Pipeline
from psycopg.abc import PQGen
from psycopg.generators import send as send_written
from psycopg.pq.abc import PGresult

from ledger.lines import Command, Line, only

_NEEDS_ESCAPES = re.compile(r'["\\]')


class Answer:
    """What a statement that was sent will say."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._result: PGresult | None = None

    def hear(self, results: Sequence[PGresult]) -> None:
        """Take what the server said. Raises: psycopg.Error."""
        self._result = only(results)

    def rows(self) -> list[tuple[Any, ...]]:
        """Wait for the statement, and return its rows."""
        if self._result is None:
            driver: Any = self._line.driver
            with connection.wrap_database_errors, driver.lock:
                driver.wait(driver._pipeline._fetch_gen(flush=True))  # noqa: SLF001  as in _gathering
        assert self._result is not None, "only what was refused is not heard, and raises"
        return self._line.read(self._result)


class _Logged:
    """What a statement says that Django logs, or that somebody wants to hear of (`connection.execute_wrapper`)."""

    def __init__(self, cursor: Any) -> None:  # noqa: ANN401  Django's wrapper around a driver's cursor
        self._cursor = cursor

    def rows(self) -> list[tuple[Any, ...]]:
        return list(self._cursor.fetchall())


def send(sql: str, parameters: Mapping[str, Any] | None = None) -> Answer | _Logged:
    """Send a statement on Django's connection, in its transaction.

    Within `atomic` it is not waited for: what it refuses is raised by whatever waits next, the commit at the latest.
    Name the type of every parameter in the statement (`%(id)s::uuid`): PostgreSQL does not see its value.
    """
    mine = _mine()
    if mine.queries_logged or mine.execute_wrappers:
        cursor = mine.cursor()
        cursor.execute(sql, parameters)
        return _Logged(cursor)
    mine.validate_no_broken_transaction()
    line = _line_of(mine)
    answer = Answer(line)
    commands = line.commands(sql, parameters, answer)
    driver: Any = line.driver
    with mine.wrap_database_errors, driver.lock:
        if driver._pipeline is None:  # noqa: SLF001  as in _gathering
            driver.wait(line.alone(commands))
        else:
            if not driver.autocommit:
                driver.wait(driver._start_query())  # noqa: SLF001  psycopg's BEGIN, as its cursors send it
            driver._pipeline.gather(commands)  # noqa: SLF001
    return answer


def rows(sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Send a statement and return its rows."""
    return send(sql, parameters).rows()


class _Gathering(Pipeline):
    """A pipeline that writes what was sent once somebody waits, all in one.

    psycopg writes every statement as it comes, and looks twice whether it may; and it waits for the answer to BEGIN, and
    to COMMIT, and once more at the end. Each write wakes a process of the server, each wait a thread of ours.
    """

    def say(self, command: bytes) -> None:
        """Put a command in the line that returns no rows."""
        self.command_queue.append(partial(self.pgconn.send_query_params, command, None))
        self.result_queue.append(None)

    def gather(self, commands: Iterable[Command]) -> None:
        """Put commands in the line that somebody hears the answers of."""
        for command, hearer in commands:
            self.command_queue.append(command)
            self.result_queue.append(hearer)  # type: ignore[arg-type]  # psycopg knows its cursors alone

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

    def _process_results(self, queued: Any, results: list[PGresult]) -> None:  # noqa: ANN401  psycopg's, or a hearer
        if queued is None or isinstance(queued, tuple):
            super()._process_results(queued, results)
        else:
            queued.hear(results)

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

    The commit goes out together with the last statements, so that a lock is not held while their answers travel.
    """
    is_outermost = not connection.in_atomic_block
    with transaction.atomic(), ExitStack() as within:
        connection.ensure_connection()
        driver: Any = connection.connection
        if is_outermost:
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


def _line_of(mine: Any) -> Line:  # noqa: ANN401  Django's connection, with a place for a line
    """Return the line that a connection keeps, made where the connection is new."""
    line: Line | None = getattr(mine, "line", None)
    if line is None or line.driver is not mine.connection:
        line = mine.line = Line(mine.connection)
    return line


def _mine() -> Any:  # noqa: ANN401  Django's connection, with a place for a line
    """Return this thread's connection, open. Through `connection` each look would ask anew which thread is running."""
    mine = connections[DEFAULT_DB_ALIAS]
    mine.ensure_connection()
    return mine
