"""A page of rows by where the one before it ended, not by how many came before: stable while rows are added.

window = Window(by=("-sold_at", "id"), limit=50, after=("2026-11-22T12:00:00+00:00", "…"))
rows = list(window.cut(Sale.objects.all()))     # 51 rows when there are more
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows of an ordered list are asked for.

    by: names as in order_by, "-" for falling; together unique, and none of them null.
    after: the values of the last row of the page before, in the order of `by`; None begins at the first.
    """

    by: tuple[str, ...]
    limit: int
    after: Sequence[object] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of `by` without their directions."""
        return tuple(name.removeprefix("-") for name in self.by)

    def cut(self, rows: QuerySet[Row]) -> QuerySet[Row]:
        """Return the rows of the page and one more, which tells whether there is another page."""
        ordered = rows.order_by(*self.by)
        if self.after is not None:
            ordered = ordered.filter(self._beyond(self.after))
        return ordered[: self.limit + 1]

    def _beyond(self, after: Sequence[object]) -> Q:
        """Say (a, b, …) > after, value by value; the first bound stands alone, so that an index can serve it."""
        beyond = Q()
        for name, value in reversed(list(zip(self.by, after, strict=True))):
            field = name.removeprefix("-")
            past = Q(**{f"{field}__{'lt' if name.startswith('-') else 'gt'}": value})
            beyond = past | (Q(**{field: value}) & beyond) if beyond else past
        first = self.by[0]
        bound = "lte" if first.startswith("-") else "gte"
        return Q(**{f"{first.removeprefix('-')}__{bound}": after[0]}) & beyond
