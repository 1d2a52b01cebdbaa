"""The tree of RFC 6962, beside its definition written out and the values every implementation is tested with."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle

# The eight leaves, and the roots of the first one, two, … of them, that the implementations of Certificate
# Transparency share (certificate-transparency-go, merkle testdata).
LEAVES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

hashes = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70)


def defined(data):
    """RFC 6962, 2.1, word by word: MTH({d0}) = SHA-256(0x00 || d0); split at the largest power of two below n."""
    if not data:
        return hashlib.sha256(b"").digest()
    if len(data) == 1:
        return hashlib.sha256(b"\x00" + data[0]).digest()
    k = 1
    while k * 2 < len(data):
        k *= 2
    return hashlib.sha256(b"\x01" + defined(data[:k]) + defined(data[k:])).digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_other_implementations(size):
    data = [bytes.fromhex(leaf) for leaf in LEAVES[:size]]

    assert merkle.root([merkle.leaf_hash(one) for one in data]).hex() == ROOTS[size - 1]
    assert defined(data).hex() == ROOTS[size - 1]


def test_nothing_has_the_hash_of_nothing():
    assert merkle.root([]) == defined([]) == merkle.EMPTY


@given(st.lists(st.binary(max_size=40), max_size=70))
def test_the_root_is_the_defined_one(data):
    assert merkle.root([merkle.leaf_hash(one) for one in data]) == defined(data)


@given(hashes, st.data())
def test_the_path_of_any_leaf_leads_to_the_root(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))

    path = merkle.path(leaves, index)

    assert merkle.climbed(leaves[index], index=index, count=len(leaves), path=path) == merkle.root(
        leaves
    )
    assert len(path) <= (len(leaves) - 1).bit_length()


@given(hashes, st.data())
def test_no_other_leaf_place_or_path_leads_there(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, size, root = merkle.path(leaves, index), len(leaves), merkle.root(leaves)
    changed = data.draw(st.sampled_from(["leaf", "path", "longer", "shorter"]))

    leaf = bytes(32) if changed == "leaf" else leaves[index]
    if changed == "path" and path:
        at = data.draw(st.integers(0, len(path) - 1))
        path[at] = bytes([path[at][0] ^ 1]) + path[at][1:]
    elif changed == "shorter" and path:
        path = path[:-1]
    elif changed != "leaf" or leaf == leaves[index]:
        path = [*path, bytes(32)]

    try:
        reached = merkle.climbed(leaf, index=index, count=size, path=path)
    except ValueError:
        return
    assert reached != root


@given(hashes, st.integers(-2, 80))
def test_a_place_outside_the_list_has_no_path(leaves, index):
    if 0 <= index < len(leaves):
        index = len(leaves)

    with pytest.raises(ValueError, match="no leaf"):
        merkle.path(leaves, index)
    with pytest.raises(ValueError, match="no leaf"):
        merkle.climbed(leaves[0], index=index, count=len(leaves), path=[])
