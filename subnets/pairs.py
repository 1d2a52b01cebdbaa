"""Hold what validators say of miners: a value for each pair of uids that has an entry.

Two forms of the same thing. `Pairs` is stored and public: u16, rows by validator uid, read like a dict of
dicts. `Matrix` is what consensus computes with: numbers of 32 fraction bits, rows in an order it chose.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np

from subnets.fixed import U16_MAX, Mask, SignedWords, Words


@dataclass(frozen=True, slots=True)
class Matrix:
    """Numbers by validator row and miner column; zero where there is no entry.

    An explicit zero is an entry: under liquid alpha it keeps a bond that a missing weight would drop.
    """

    values: Words
    has_entry: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Pairs(Mapping[int, Mapping[int, int]]):
    """u16 values by validator uid and then miner uid, frozen. uids: one per row; columns: 0 to n - 1."""

    uids: tuple[int, ...]
    matrix: Matrix

    @classmethod
    def of(cls, rows: Mapping[int, Mapping[int, int]], *, n: int) -> Self:
        """Return the pairs of a sparse mapping. Asserts that uids are below n and values are u16."""
        if isinstance(rows, cls):
            assert rows.matrix.values.shape[1] == n, "one column per uid"
            assert all(0 <= uid < n for uid in rows.uids), "rows are uids"
            return rows
        assert all(0 <= uid < n for uid in rows), "rows are uids"
        row_at = np.repeat(np.arange(len(rows)), [len(row) for row in rows.values()])
        columns = _whole(chain.from_iterable(rows.values()))
        entries = _whole(chain.from_iterable(row.values() for row in rows.values()))
        assert ((columns >= 0) & (columns < n)).all(), "columns are uids"
        assert ((entries >= 0) & (entries <= U16_MAX)).all(), "entries are u16"
        values = np.zeros((len(rows), n), dtype=np.uint64)
        has_entry = np.zeros((len(rows), n), dtype=np.bool_)
        values.put(row_at * n + columns, entries)
        has_entry.put(row_at * n + columns, True)  # noqa: FBT003
        return cls(uids=tuple(rows), matrix=Matrix(values, has_entry))

    def rows(self, uids: Sequence[int]) -> Matrix:
        """Return the rows of these uids in their order; a uid without a row gets an empty one."""
        if self.uids == tuple(uids):
            return self.matrix
        index_of = {uid: index for index, uid in enumerate(self.uids)}
        values = np.zeros((len(uids), self.matrix.values.shape[1]), dtype=np.uint64)
        has_entry = np.zeros(values.shape, dtype=np.bool_)
        here = [place for place, uid in enumerate(uids) if uid in index_of]
        there = [index_of[uids[place]] for place in here]
        values[here] = self.matrix.values[there]
        has_entry[here] = self.matrix.has_entry[there]
        return Matrix(values, has_entry)

    def __getitem__(self, uid: int) -> dict[int, int]:
        """Return a row as plain ints by miner uid."""
        if uid not in self.uids:
            raise KeyError(uid)
        index = self.uids.index(uid)
        columns = self.matrix.has_entry[index].nonzero()[0]
        entries = self.matrix.values[index, columns]
        return dict(zip(columns.tolist(), entries.tolist(), strict=True))

    def __iter__(self) -> Iterator[int]:
        return iter(self.uids)

    def __len__(self) -> int:
        return len(self.uids)


def _whole(values: Iterable[int]) -> SignedWords:
    listed = np.array(list(values))
    assert listed.dtype.kind == "i" or listed.size == 0, "uids and values are ints"
    return listed.astype(np.int64, copy=False)
