"""A grid reads like the mapping it was made of, and is spelled as its JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurons.protocol import canonical_json
from subnets.grids import VALUE_MAX, Grid

names = st.text('ab%"é\\{}', min_size=1, max_size=3)
rows = st.dictionaries(names, st.integers(0, VALUE_MAX), max_size=5)
mappings = st.dictionaries(names, rows, max_size=5)


def texts(mapping):
    return {
        who: {what: str(number) for what, number in row.items()} for who, row in mapping.items()
    }


@given(mappings)
def test_a_grid_reads_like_the_mapping_it_was_made_of(mapping):
    grid = Grid.of(mapping)

    assert grid == mapping
    assert list(grid) == list(mapping)
    assert Grid.of(grid) is grid
    assert all(
        what not in grid[who]
        for who in grid
        for what in ("nobody", "ab")
        if what not in mapping[who]
    )


@given(mappings)
def test_a_grid_is_spelled_canonically_and_read_back(mapping):
    spelled = Grid.of(mapping).spelled()

    assert spelled == canonical_json(texts(mapping))
    assert Grid.read(json.loads(spelled)) == mapping


@given(mappings, st.sets(names))
def test_what_is_kept_is_of_and_by_the_named(mapping, kept):
    expected = {
        who: {what: n for what, n in row.items() if what in kept} if who in kept else {}
        for who, row in mapping.items()
    }

    assert Grid.of(mapping).only(kept) == expected


@given(mappings, st.lists(names))
def test_rows_of_a_grid_are_laid_out_as_if_they_were_dicts(mapping, order):
    grid = Grid.of(mapping)

    laid = Grid.of_rows([grid.get(who, {}) for who in order])

    assert list(laid.values()) == [mapping.get(who, {}) for who in order]


@pytest.mark.parametrize("number", ["-1", str(2**63), "1.5"])
def test_a_number_that_nothing_can_be_is_refused(number):
    with pytest.raises(ValueError, match=r"below zero|past 64 bits|invalid literal"):
        Grid.read({"validator": {"miner": number}})
