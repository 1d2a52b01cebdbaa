"""The bytes of an entry that are sealed: its parts, each a JSON object of texts, in one order. Pure.

A part is one fact: what happened, what was asked, a transfer, each of its two sides, a hold that was set aside or
ended. Its bytes are its JSON by RFC 8785 (names sorted, no spaces; there are no numbers, only texts and null).
Behind a nonce of its own each part is a leaf of the entry's tree, whose root is the entry's digest in a seal: so a
receipt shows the parts that are somebody's own, and of the others not even a guess can be checked.
docs/ledger-proofs.md has the format in full.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ledger import merkle

Value = Mapping[str, str | None]
# Half of a SHA-256: nobody tries 2**128 nonces to guess at a part they were not shown.
NONCE_BYTES = 16
SALT_BYTES = 32
BEFORE_THE_FIRST = bytes(merkle.HASH_BYTES)


@dataclass(frozen=True, slots=True)
class Part:
    """One fact of an entry. account: whose it is, by code; none where it is everybody's who has a part in the entry."""

    value: Value
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SealFacts:
    """What a seal says. hash: of everything else in it, so that the next one binds it by `previous`."""

    number: int
    previous: bytes
    root: bytes
    entry_count: int
    first_entry: int
    last_entry: int
    sealed_at: datetime

    def value(self) -> dict[str, str]:
        """Return the seal as it is hashed."""
        return {
            "seal": str(self.number),
            "previous": self.previous.hex(),
            "root": self.root.hex(),
            "entry_count": str(self.entry_count),
            "first_entry": str(self.first_entry),
            "last_entry": str(self.last_entry),
            "sealed_at": instant(self.sealed_at),
        }

    def hash(self) -> bytes:
        """Return the hash that the next seal carries."""
        return seal_hash(self.value())


def seal_hash(value: Value) -> bytes:
    """Hash a seal, given as JSON."""
    return hashlib.sha256(spelled(value)).digest()


def spelled(value: Value) -> bytes:
    """Write an object of texts by RFC 8785."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def instant(at: datetime) -> str:
    """Write an instant to the microsecond, which is what the database keeps.

    >>> instant(datetime(2026, 11, 22, 12, 0, tzinfo=UTC))
    '2026-11-22T12:00:00.000000Z'
    """
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def nonce(salt: bytes, index: int) -> bytes:
    """Make the nonce of one part out of its entry's salt: it says nothing of the other parts' nonces."""
    return hashlib.sha256(salt + index.to_bytes(4, "big")).digest()[:NONCE_BYTES]


def part_leaf(value: Value, nonce: bytes) -> bytes:
    """Hash a part behind its nonce."""
    return merkle.leaf_hash(nonce + spelled(value))


def part_leaves(parts: Sequence[Part], salt: bytes) -> list[bytes]:
    """Hash the parts of an entry."""
    return [part_leaf(part.value, nonce(salt, index)) for index, part in enumerate(parts)]


def digest(parts: Sequence[Part], salt: bytes) -> bytes:
    """Return the root of an entry's parts."""
    return merkle.root(part_leaves(parts, salt))


def seal_root(digests: Iterable[bytes]) -> bytes:
    """Return the root of the entries of a seal, in its order."""
    return merkle.root([merkle.leaf_hash(entry) for entry in digests])
