"""Pairs: a matrix that reads like a dict of dicts."""

import pytest

from subnets.pairs import Pairs

ROWS = {3: {0: 7, 2: 0}, 1: {1: 65_535}, 0: {}}


def test_pairs_read_like_the_dict_they_were_made_of():
    pairs = Pairs.of(ROWS, n=4)

    assert pairs == ROWS
    assert list(pairs) == [3, 1, 0]
    assert pairs.get(2, "none") == "none"
    assert all(type(value) is int for row in pairs.values() for value in [*row, *row.values()])


def test_pairs_of_pairs_are_the_same():
    pairs = Pairs.of(ROWS, n=4)

    assert Pairs.of(pairs, n=4) is pairs
    with pytest.raises(AssertionError, match="one column per uid"):
        Pairs.of(pairs, n=5)


def test_rows_come_in_the_order_asked_for_and_empty_where_there_are_none():
    matrix = Pairs.of(ROWS, n=4).rows([1, 2, 3])

    assert matrix.values.tolist() == [[0, 65_535, 0, 0], [0] * 4, [7, 0, 0, 0]]
    assert matrix.has_entry.tolist() == [
        [False, True, False, False],
        [False] * 4,
        [True, False, True, False],
    ]


def test_no_pairs_at_all_are_pairs():
    assert Pairs.of({}, n=0).rows([]).values.shape == (0, 0)
    assert Pairs.of({}, n=3).rows([1]).values.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("rows", "claim"),
    [
        ({4: {}}, "rows are uids"),
        ({-1: {0: 1}}, "rows are uids"),
        ({0: {4: 1}}, "columns are uids"),
        ({0: {-1: 1}}, "columns are uids"),
        ({0: {1: 65_536}}, "entries are u16"),
        ({0: {1: -1}}, "entries are u16"),
        ({0: {1: 0.5}}, "are ints"),
        ({0: {1: 1 << 80}}, "are ints"),
    ],
)
def test_what_is_no_pair_of_uids_or_no_u16_is_refused(rows, claim):
    with pytest.raises(AssertionError, match=claim):
        Pairs.of(rows, n=4)
