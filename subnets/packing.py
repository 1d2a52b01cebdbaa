"""How an epoch's public JSON lies in the database: its canonical bytes, deflated. Pure.

A full subnet's bundle has megabytes. PostgreSQL would take jsonb apart and compress it while the row is
locked; packed beforehand it is only stored, and its reader gets the very bytes that were hashed.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any

from isal import isal_zlib

from neurons.protocol import canonical_json

# Digests and signatures, half of a bundle, hold nothing to find: higher levels take longer for no room.
LEVEL = 1


def deflated(*parts: bytes) -> bytes:
    """Return bytes, given in parts, in zlib's format, made by ISA-L: a sixth of zlib's time for the same room."""
    stream = isal_zlib.compressobj(LEVEL)
    return b"".join([*map(stream.compress, parts), stream.flush()])


def packed(value: Mapping[str, Any]) -> bytes:
    """Return a JSON object as it is stored. Raises: ValueError when it is no JSON."""
    return deflated(canonical_json(dict(value)))


def text(at_rest: bytes) -> bytes:
    """Return the canonical JSON of what was packed."""
    return zlib.decompress(at_rest)


def unpacked(at_rest: bytes) -> dict[str, Any]:
    """Return the JSON object that was packed."""
    found: dict[str, Any] = json.loads(text(at_rest))
    return found
