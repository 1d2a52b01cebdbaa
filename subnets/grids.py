"""What validators hold of miners from one epoch to the next: a whole number for each pair that has one. Pure.

A full subnet has sixteen thousand pairs; as a dict a validator they took longer to make than to compute with.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Self, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from neurons.protocol import canonical_json

Units: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]
Places: TypeAlias = NDArray[np.intp]

VALUE_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Grid(Mapping[str, Mapping[str, int]]):
    """Numbers from 0 to VALUE_MAX by validator (row) and miner (column); reads like a dict of dicts.

    validators: each once, in any order. miners: sorted; there may be some of whom nobody holds anything.
    """

    validators: tuple[str, ...]
    miners: tuple[str, ...]
    numbers: Units
    has_entry: Mask

    @classmethod
    def of(cls, rows: Mapping[str, Mapping[str, int]]) -> Self:
        """Return the grid of a mapping; a grid is one already. Raises: ValueError for a number that is none of these."""
        if isinstance(rows, cls):
            return rows
        listed = list(rows.values())
        return cls._laid(tuple(rows), listed, chain.from_iterable(row.values() for row in listed))

    @classmethod
    def of_rows(cls, rows: Sequence[Mapping[str, int]]) -> Self:
        """Lay rows under each other, told by their places; those of one grid are not taken apart."""
        validators = tuple(map(str, range(len(rows))))
        grids = {id(row.grid): row.grid for row in rows if isinstance(row, Row)}
        if len(grids) != 1 or any(row and not isinstance(row, Row) for row in rows):
            return cls.of(dict(zip(validators, rows, strict=True)))
        (grid,) = grids.values()
        places = np.array([row.place if isinstance(row, Row) else -1 for row in rows])
        is_held = (places >= 0)[:, np.newaxis]
        return cls(validators, grid.miners, grid.numbers[places], grid.has_entry[places] & is_held)

    @classmethod
    def read(cls, written: Mapping[str, Mapping[str, str]]) -> Self:
        """Read back what `spelled` wrote. Raises: ValueError when it is nothing of the kind."""
        listed = list(written.values())
        texts = chain.from_iterable(row.values() for row in listed)
        return cls._laid(tuple(written), listed, map(int, texts))

    @classmethod
    def _laid(
        cls, validators: tuple[str, ...], rows: Sequence[Collection[str]], numbers: Iterable[int]
    ) -> Self:
        """Lay numbers out, of the miners of each row in their order."""
        miners = columns_of(rows)
        try:
            found = _whole(numbers)
        except OverflowError as fault:
            raise ValueError("a number is past 64 bits") from fault
        return cls.filled(validators, miners, places(rows, miners), found)

    @classmethod
    def filled(
        cls,
        validators: tuple[str, ...],
        miners: tuple[str, ...],
        cells: tuple[Units, Units],
        numbers: Units,
    ) -> Self:
        """Return a grid with these numbers in these rows and columns. Raises: ValueError for one below zero."""
        if numbers.min(initial=0) < 0:
            raise ValueError("a number is below zero")
        values = np.zeros((len(validators), len(miners)), dtype=np.int64)
        has_entry = np.zeros(values.shape, dtype=np.bool_)
        values[cells], has_entry[cells] = numbers, True
        return cls(validators, miners, values, has_entry)

    def only(self, names: Collection[str]) -> "Grid":
        """Return what validators of these names hold of miners of these names; the others hold nothing."""
        judges, judged = (
            np.array([who in names for who in side], dtype=np.bool_)
            for side in (self.validators, self.miners)
        )
        return replace(self, has_entry=self.has_entry & judges[:, np.newaxis] & judged)

    def spelled(self) -> bytes:
        """Return the canonical JSON of the mapping, its numbers as decimal strings."""
        names = [canonical_json(miner) + b':"' for miner in self.miners]
        order = sorted(range(len(self)), key=self.validators.__getitem__)
        rows = [
            canonical_json(self.validators[place]) + b":{" + self._row_spelled(place, names) + b"}"
            for place in order
        ]
        return b"{" + b",".join(rows) + b"}"

    def _row_spelled(self, place: int, names: Sequence[bytes]) -> bytes:
        """Return what stands between a row's braces: names and numbers by turns, the numbers spelled all at once."""
        columns = np.flatnonzero(self.has_entry[place])
        if not len(columns):
            return b""
        parts = [b'",'] * (3 * len(columns))
        parts[0::3] = [names[column] for column in columns.tolist()]
        parts[1::3] = orjson.dumps(self.numbers[place, columns].tolist())[1:-1].split(b",")
        return b"".join(parts[:-1]) + b'"'

    def __getitem__(self, validator: str) -> "Row":
        """Return what a validator holds. Raises: KeyError."""
        if validator not in self.validators:
            raise KeyError(validator)
        return Row(self, self.validators.index(validator))

    def __iter__(self) -> Iterator[str]:
        return iter(self.validators)

    def __len__(self) -> int:
        return len(self.validators)


@dataclass(frozen=True, slots=True, eq=False)
class Row(Mapping[str, int]):
    """One validator's part of a grid."""

    grid: Grid
    place: int

    def __getitem__(self, miner: str) -> int:
        """Return the number of one miner. Raises: KeyError."""
        column = bisect_left(self.grid.miners, miner)
        if self.grid.miners[column : column + 1] != (miner,):
            raise KeyError(miner)
        if not self.grid.has_entry[self.place, column]:
            raise KeyError(miner)
        return int(self.grid.numbers[self.place, column])

    def __iter__(self) -> Iterator[str]:
        return (self.grid.miners[column] for column in self._columns.tolist())

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def _columns(self) -> Places:
        return np.flatnonzero(self.grid.has_entry[self.place])


def used(entries: Mask) -> tuple[Places, Places]:
    """Return the rows and the columns that are set anywhere."""
    return np.flatnonzero(entries.any(axis=1)), np.flatnonzero(entries.any(axis=0))


def columns_of(rows: Sequence[Collection[str]]) -> tuple[str, ...]:
    """Return the names that occur, each once, sorted."""
    return tuple(sorted(set(chain.from_iterable(rows))))


def places(rows: Sequence[Iterable[str]], columns: Sequence[str]) -> tuple[Units, Units]:
    """Return the row and the column of each name, row by row."""
    column_of = {name: place for place, name in enumerate(columns)}
    found: list[list[int]] = []
    last: tuple[str, ...] | None = None
    for row in rows:
        names = tuple(row)
        # As a rule every validator knows the same miners; names that are one object are told alike at a glance.
        found.append(found[-1] if names == last else [column_of[name] for name in names])
        last = names
    row_at: Units = np.repeat(np.arange(len(found)), [len(row) for row in found])
    return row_at, _whole(chain.from_iterable(found))


def _whole(values: Iterable[int]) -> Units:
    listed: Units = np.array(list(values), dtype=np.int64)
    return listed
