"""The column in which a subnet keeps its hyperparameters: read whole, whenever it was written."""
# ruff: noqa: ANN401  the signatures are Django's own

from collections.abc import Sequence
from typing import Any

from django.db import models

from subnets import hyperparameters


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
