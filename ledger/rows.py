"""Rows of models, read by statements of our own: those that PostgreSQL is to plan once a connection (`ledger.prepared`)."""

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

Row = TypeVar("Row", bound=Model)


@cache
def columns_of(model: type[Model]) -> list[str]:
    """List a model's columns, in the order in which `row_of` takes them."""
    return [field.attname for field in model._meta.concrete_fields]  # noqa: SLF001  Django's public name


def named(model: type[Model], table: str) -> str:
    """Name a model's columns in a statement, since `*` would outlive a migration in its plan."""
    return ", ".join(f"{table}.{name}" for name in columns_of(model))


def row_of(model: type[Row], values: Sequence[Any]) -> Row:
    """Make the object of a row out of its columns."""
    return model.from_db(DEFAULT_DB_ALIAS, columns_of(model), values)
