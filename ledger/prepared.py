"""Statements that PostgreSQL plans once a connection: for the few that are sent while others wait for a lock.

Django writes parameters into a statement's text, so that every one is planned anew; that takes longer than most of
these take to run. Here they are bound by the server, and psycopg prepares what it has sent before.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor

_NEEDS_ESCAPES = re.compile(r'["\\]')


def rows(sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run a statement on Django's connection, in its transaction, and return its rows.

    Name the type of every parameter in the statement (`%(id)s::uuid`): PostgreSQL does not see its value.
    """
    with _cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall()) if cursor.description else []


def numbers(values: Iterable[int | None]) -> str:
    """Write an array of numbers as PostgreSQL reads it: the driver takes ten times as long for a list."""
    return "{" + ",".join(map(str, values)).replace("None", "NULL") + "}"


def texts(values: Iterable[object]) -> str:
    """Write an array of what reads well as text (ids, truth values) as PostgreSQL reads it; None is NULL."""
    return (
        "{" + ",".join("NULL" if value is None else _quoted(str(value)) for value in values) + "}"
    )


def _quoted(text: str) -> str:
    if not _NEEDS_ESCAPES.search(text):
        return f'"{text}"'
    return '"' + _NEEDS_ESCAPES.sub(r"\\\g<0>", text) + '"'


def _cursor() -> Any:  # noqa: ANN401  Django's wrapper around a driver's cursor
    """Return a cursor that binds on the server; where statements are logged, one that can tell what it sent."""
    connection.ensure_connection()
    if connection.queries_logged:
        return connection.cursor()
    bind: Any = ServerBindingCursor  # the stubs know no psycopg 3
    return connection.make_cursor(bind(connection.connection))
