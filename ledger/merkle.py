"""The Merkle tree of RFC 6962, with SHA-256: one hash for a list, and a short proof that something is in it. Pure.

A leaf is hashed behind a zero byte and a node behind a one, so that no node can pass for a leaf.

>>> leaves = [leaf_hash(data) for data in (b"a", b"b", b"c")]
>>> climbed(leaves[2], index=2, count=3, path=path(leaves, 2)) == root(leaves)
True
"""

import hashlib
from collections.abc import Sequence

LEAF, NODE = b"\x00", b"\x01"
EMPTY = hashlib.sha256().digest()
HASH_BYTES = 32


def leaf_hash(data: bytes) -> bytes:
    """Hash what stands at one place of the list."""
    return hashlib.sha256(LEAF + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into the one above them."""
    return hashlib.sha256(NODE + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the hash of a list of leaf hashes; of none, the hash of nothing."""
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0] if level else EMPTY


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes beside the way from a leaf to the root, the lowest first."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"there is no leaf {index} among {len(leaves)}")
    level, beside = list(leaves), []
    while len(level) > 1:
        if (index ^ 1) < len(level):
            beside.append(level[index ^ 1])
        level, index = _above(level), index // 2
    return beside


def climbed(leaf: bytes, *, index: int, count: int, path: Sequence[bytes]) -> bytes:
    """Return the root that a leaf at an index among so many has by a path (RFC 9162, 2.1.3.2).

    Raises: ValueError when the path is longer or shorter than the way.
    """
    if not 0 <= index < count:
        raise ValueError(f"there is no leaf {index} among {count}")
    reached, last, left = leaf, count - 1, list(path)
    while last:
        if index % 2 or index < last:
            if not left:
                raise ValueError("the path ends below the root")
            beside = left.pop(0)
            reached = node_hash(beside, reached) if index % 2 else node_hash(reached, beside)
        index, last = index // 2, last // 2
    if left:
        raise ValueError("the path goes on above the root")
    return reached


def _above(level: Sequence[bytes]) -> list[bytes]:
    """Pair a level; an odd last one rises as it is, which is how RFC 6962 splits at powers of two."""
    pairs = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    return pairs + list(level[len(pairs) * 2 :])
