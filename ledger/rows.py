"""Rows of models, read by statements of our own: those that PostgreSQL is to plan once a connection (`ledger.prepared`).

The ORM words each statement anew and PostgreSQL plans it anew, which together takes longer than finding a row. Of a
model's columns those may be left out that are long and not asked for (`without`): they are read when they are.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Field, Model

from ledger import prepared

Row = TypeVar("Row", bound=Model)


@cache
def columns_of(model: type[Model], without: tuple[str, ...] = ()) -> list[str]:
    """List a model's columns, in the order in which `row_of` takes them."""
    return [field.attname for field in _fields(model, without)]


def named(model: type[Model], table: str, without: tuple[str, ...] = ()) -> str:
    """Name a model's columns in a statement, since `*` would outlive a migration in its plan."""
    return ", ".join(f"{table}.{name}" for name in columns_of(model, without))


def row_of(model: type[Row], values: Sequence[Any], without: tuple[str, ...] = ()) -> Row:
    """Make the object of a row out of its columns."""
    if written := _written(model, without):
        values = list(values)
        for place, field in written:
            values[place] = field.from_db_value(values[place], field.cached_col, connection)
    return model.from_db(DEFAULT_DB_ALIAS, columns_of(model, without), values)


def read(
    model: type[Row],
    tail: str,
    *,
    without: tuple[str, ...] = (),
    **parameters: Any,  # noqa: ANN401  what SQL takes
) -> list[Row]:
    """Return rows as the model's manager would; tail: what follows FROM and the table, each parameter with its type."""
    table = model._meta.db_table  # noqa: SLF001  Django's public name
    statement = f"SELECT {named(model, table, without)} FROM {table} {tail}"  # noqa: S608  names, out of the model
    return [row_of(model, values, without) for values in prepared.rows(statement, parameters)]


def _fields(model: type[Model], without: tuple[str, ...]) -> "list[Field[Any, Any]]":
    fields = model._meta.concrete_fields  # noqa: SLF001  as above
    return [field for field in fields if field.attname not in without]


@cache
def _written(model: type[Model], without: tuple[str, ...]) -> list[tuple[int, Any]]:
    """Find the fields that write their values in a way of their own: jsonb comes as text."""
    fields = enumerate(_fields(model, without))
    return [(place, field) for place, field in fields if hasattr(field, "from_db_value")]
