"""Statements that PostgreSQL plans once a connection, and transactions that wait for few answers.

Both are for the few statements that are sent while others wait for a lock. Django writes parameters into a
statement's text, so that every one is planned anew, which takes longer than most of these take to run; and it waits
for each answer, which takes as long again. Here the server binds parameters, and psycopg prepares what it has sent
before.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.backends.postgresql.base import ServerBindingCursor

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
        within.enter_context(connection.wrap_database_errors)
        within.enter_context(driver.pipeline())
        yield
        # Within another transaction there is a savepoint, which Django gives back once the pipeline has ended.
        if is_outermost and not connection.needs_rollback:
            driver.commit()


@contextmanager
def together() -> Iterator[None]:
    """Let statements travel together that are no transaction; each sees what was committed when it began."""
    connection.ensure_connection()
    driver: Any = connection.connection
    with connection.wrap_database_errors, driver.pipeline():
        yield


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
    return "{" + ",".join(map(str, values)).replace("None", "NULL") + "}"


def uuids(values: Iterable[UUID | None]) -> str:
    """Write an array of UUIDs as PostgreSQL reads it; None is NULL."""
    return "{" + ",".join(["NULL" if value is None else value.hex for value in values]) + "}"


def texts(values: Iterable[object]) -> str:
    """Write an array of what reads well as text (ids, truth values) as PostgreSQL reads it; None is NULL."""
    words = [value if value is None or type(value) is str else str(value) for value in values]
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
