"""Rows that every epoch reads, by statements that PostgreSQL plans and Django words once a connection.

An epoch asks for a dozen rows. The ORM words each statement anew and PostgreSQL plans it anew, which together takes
longer than finding the row.
"""

from functools import cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Field, Model

from ledger import prepared

Row = TypeVar("Row", bound=Model)


def read(
    model: type[Row],
    tail: str,
    *,
    without: tuple[str, ...] = (),
    **parameters: Any,  # noqa: ANN401  what SQL takes
) -> list[Row]:
    """Return the model's rows as its manager would; tail: what follows FROM, each parameter with its type.

    without: columns that are read when they are asked for.
    """
    fields = _fields(model, without)
    columns = ", ".join(field.column for field in fields)
    names = [field.attname for field in fields]
    # jsonb comes as text, and is read by its field.
    made = [(place, field) for place, field in enumerate(fields) if hasattr(field, "from_db_value")]
    rows = []
    table = model._meta.db_table  # noqa: SLF001  documented, in spite of its name
    for row in prepared.rows(f'SELECT {columns} FROM "{table}" {tail}', parameters):  # noqa: S608  the model's names
        values = list(row)
        for place, field in made:
            values[place] = field.from_db_value(values[place], field.cached_col, connection)
        rows.append(model.from_db(DEFAULT_DB_ALIAS, names, values))
    return rows


@cache
def _fields(model: type[Model], without: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the fields of the columns that are read."""
    fields: tuple[Field[Any, Any], ...] = tuple(model._meta.concrete_fields)  # noqa: SLF001  as above
    return tuple(field for field in fields if field.attname not in without)
