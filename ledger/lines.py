"""Statements in words of our own on Django's connection: parameters spelled, plans kept, rows read, without a cursor.

A cursor of psycopg finds out for every statement anew how each value is spelled and each column read, and whether plans
have to be forgotten: a sixth of all the Python of a bid. Here every parameter names its type in the statement
(`%(id)s::uuid`), so that its text will do, and no plan grows stale, since no statement says `SELECT *`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from itertools import count
from typing import Any, Protocol
from uuid import UUID

from psycopg import Connection, DataError, errors
from psycopg.abc import Buffer, PQGen
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult

# Statements stand in code, and there are some dozens of them.
STATEMENTS_MAX = 512
_PARAMETER = re.compile(r"%\((\w+)\)s|%%")
_GOOD = frozenset({ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK})


class Hearer(Protocol):
    """Whoever waits for what the server says to a command."""

    def hear(self, results: Sequence[PGresult]) -> None:
        """Take it. Raises: psycopg.Error."""


Command = tuple[Callable[[], None], Hearer]
"""What puts a command in the driver's buffer, and who waits for the answer."""


class Line:
    """One connection's plans, and the reader of its rows."""

    def __init__(self, driver: "Connection[Any]") -> None:
        self.driver = driver
        self._words = Transformer(driver)
        self._plans: dict[str, bytes | None] = {}
        self._names = count(1)

    def commands(
        self, sql: str, parameters: Mapping[str, Any] | None, hearer: Hearer
    ) -> Iterator[Command]:
        """Word a statement. It gets its plan with its second use: what is asked once is not worth one."""
        text, names = _numbered(sql) if parameters is not None else (sql.encode(), ())
        given = [parameters[name] for name in names] if parameters is not None else []
        values = [self._spelled(value) for value in given]
        formats = _formats(given)
        line = self.driver.pgconn
        if sql not in self._plans:
            self._plans[sql] = None
            yield partial(line.send_query_params, text, values, None, formats), hearer
            return
        name = self._plans[sql]
        if name is None:
            name = self._plans[sql] = b"line_%d" % next(self._names)
            yield partial(line.send_prepare, name, text), _Plan(self._plans, sql)
        yield partial(line.send_query_prepared, name, values, formats), hearer

    def alone(self, commands: Iterator[Command]) -> PQGen[None]:
        """Send commands one by one and hear each, in the transaction that Django began, if it did."""
        yield from self.driver._start_query()  # noqa: SLF001  psycopg's BEGIN, as its cursors send it
        for command, hearer in commands:
            command()
            hearer.hear((yield from execute(self.driver.pgconn)))

    def _spelled(self, value: Any) -> Buffer | None:  # noqa: ANN401  what SQL takes
        """Write a value as PostgreSQL reads it. Raises: psycopg.Error for one that it does not take."""
        if value is None or type(value) is bytes:
            return value
        if isinstance(value, str):
            text = value.encode()
            if b"\0" in text:
                # libpq would take it for the end of the text.
                raise DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
            return text
        if isinstance(value, UUID):
            return value.hex.encode()
        if isinstance(value, int):
            return b"%d" % value
        if isinstance(value, datetime):
            return value.isoformat().encode()
        return self._words.dump_sequence([value], [PyFormat.TEXT])[0]

    def read(self, result: PGresult) -> list[tuple[Any, ...]]:
        """Return a result's rows, as Django's adapters read them."""
        self._words.set_pgresult(result)
        return self._words.load_rows(0, result.ntuples, tuple)


class _Plan:
    """Waits for a plan to be made, and forgets it where it was not."""

    def __init__(self, plans: dict[str, bytes | None], sql: str) -> None:
        self._plans, self._sql = plans, sql

    def hear(self, results: Sequence[PGresult]) -> None:
        """Take what came of it."""
        try:
            only(results)
        except errors.Error:
            self._plans[self._sql] = None
            raise


def only(results: Sequence[PGresult]) -> PGresult:
    """Return the one result of a statement. Raises: what the server says is wrong with it, as psycopg words it."""
    (result,) = results
    status = result.status
    if status in _GOOD:
        return result
    if status == ExecStatus.PIPELINE_ABORTED:
        raise errors.PipelineAborted("pipeline aborted")
    raise error_from_result(result)


@lru_cache(maxsize=STATEMENTS_MAX)
def _numbered(sql: str) -> tuple[bytes, tuple[str, ...]]:
    """Return a statement with `$1` for its first parameter and so on, and their names in that order."""
    places: dict[str, int] = {}

    def put(found: re.Match[str]) -> str:
        name = found[1]
        return "%" if name is None else f"${places.setdefault(name, len(places) + 1)}"

    return _PARAMETER.sub(put, sql).encode(), tuple(places)


def _formats(values: Sequence[Any]) -> list[Format] | None:
    """Say which values are bytes as they are; None where none is."""
    if bytes not in map(type, values):
        return None
    return [Format.BINARY if type(value) is bytes else Format.TEXT for value in values]
