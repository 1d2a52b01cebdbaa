"""Keeping a maximum secret in the database until its auction ends: AES-256-GCM, as pure functions.

Who reads the database, a backup or the staff's pages learns nothing without the operator's secret. What is sealed
has always the same length, so that not even the size of a maximum shows.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from marketplace.errors import SealedBidsUnreadable
from marketplace.sealed import NONCE_BYTES

KEY_BYTES = 32
IV_BYTES = 12  # what GCM is made for (NIST SP 800-38D, 8.2)
TAG_BYTES = 4  # tells the keys in use apart; nobody rotates through more than a few
MAX_BYTES = 8  # a bigint
PURPOSE = b"marketplace sealed bids 1"


@dataclass(frozen=True, slots=True)
class Secret:
    """What a sealed bid hides: the maximum, and the random bytes behind its commitment."""

    max_rao: int
    nonce: bytes


@lru_cache(maxsize=4)
def derived_keys(secrets: tuple[str, ...]) -> tuple[bytes, ...]:
    """Derive a key from each of the operator's secrets, the newest first."""
    assert secrets
    return tuple(
        HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=PURPOSE).derive(secret.encode())
        for secret in secrets
    )


def seal(secret: Secret, *, keys: Sequence[bytes], iv: bytes, auction: UUID, bid: UUID) -> bytes:
    """Seal with the newest key, for one bid of one auction: in another row it cannot be opened.

    iv: IV_BYTES random bytes, never used before.
    """
    assert len(iv) == IV_BYTES
    assert len(secret.nonce) == NONCE_BYTES
    plain = secret.max_rao.to_bytes(MAX_BYTES) + secret.nonce
    return _tag(keys[0]) + iv + AESGCM(keys[0]).encrypt(iv, plain, auction.bytes + bid.bytes)


def unseal(sealed: bytes, *, keys: Sequence[bytes], auction: UUID, bid: UUID) -> Secret:
    """Open what was sealed for this bid. Raises: SealedBidsUnreadable, where its key is gone or the row was changed."""
    tag, iv, cipher = (
        sealed[:TAG_BYTES],
        sealed[TAG_BYTES : TAG_BYTES + IV_BYTES],
        sealed[TAG_BYTES + IV_BYTES :],
    )
    key = next((key for key in keys if _tag(key) == tag), None)
    if key is None:
        raise SealedBidsUnreadable(auction_id=auction)
    try:
        plain = AESGCM(key).decrypt(iv, cipher, auction.bytes + bid.bytes)
    except InvalidTag as changed:
        raise SealedBidsUnreadable(auction_id=auction) from changed
    return Secret(max_rao=int.from_bytes(plain[:MAX_BYTES]), nonce=plain[MAX_BYTES:])


def _tag(key: bytes) -> bytes:
    """Name a key by the beginning of its digest, which says nothing about the key."""
    return hashlib.sha256(key).digest()[:TAG_BYTES]
