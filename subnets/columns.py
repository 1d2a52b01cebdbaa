"""What the columns of subnets have of their own.

Hyperparameters that read whole, public JSON that lies packed, names that differ to the eye, facts that stay.
"""
# ruff: noqa: ANN401  the signatures are Django's own

from collections.abc import Mapping, Sequence
from typing import Any

import pgtrigger
from django.db import models

from ledger.triggers import Refuse
from subnets import hyperparameters, packing


class HyperparametersField(models.JSONField):
    """Values by name. A table that was stored before a row existed reads with that row's default."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return the whole table; one value picked out of it comes as it is stored."""
        read = super().from_db_value(value, expression, connection)
        return hyperparameters.completed(read) if isinstance(read, dict) else read

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        """Call itself a JSON column in migrations, which is all that the database knows of it."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs


class Folded(models.Func):
    """A text without case and compatibility forms: what the database can tell of `naming.folded`."""

    template = "lower(normalize(%(expressions)s, NFKC))"
    output_field = models.TextField()


class Unaccented(models.Func):
    """A text without case, accents and compatibility forms: what `searching.folded` is to the database."""

    template = (
        r"lower(regexp_replace(normalize(%(expressions)s, NFKD), '[\u0300-\u036f]', '', 'g'))"
    )
    output_field = models.TextField()


def append_only(name: str) -> list[pgtrigger.Trigger]:
    """Refuse UPDATE and DELETE of facts, whoever asks."""
    return [Refuse(name=name, operation=pgtrigger.Update | pgtrigger.Delete)]


def unique_as_read(field: str, *, name: str) -> models.UniqueConstraint:
    """Refuse a text that another row has in whatever case or form; look-alikes are the operations' to refuse."""
    said = "Another subnet is called so. Choose a name that the eye tells from it."
    return models.UniqueConstraint(Folded(field), name=name, violation_error_message=said)


class PackedField(models.BinaryField):
    """A JSON object of any size, kept as its canonical bytes, deflated (subnets.packing)."""

    _pyi_private_set_type: Mapping[str, Any]
    _pyi_private_get_type: dict[str, Any]  # type: ignore[assignment]  # what is read is unpacked

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Pack the object."""
        at_rest = None if value is None else packing.packed(value)
        return super().get_db_prep_value(at_rest, connection, prepared)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return the object."""
        return None if value is None else packing.unpacked(value)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        """Call itself a binary column in migrations, which is all that the database knows of it."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", args, kwargs
