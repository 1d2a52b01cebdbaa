"""Secrets that must be read again, encrypted at rest: Fernet (AES-128-CBC, HMAC-SHA-256) under a key derived from SECRET_KEY. Pure.

A copy of the database alone reads none of them. Whoever changes SECRET_KEY loses them all: their owners make new ones.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def _cipher(master: str, purpose: str) -> Fernet:
    """Derive the key of one purpose (RFC 5869), so that no two purposes share one."""
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose.encode())
    return Fernet(base64.urlsafe_b64encode(derived.derive(master.encode())))


def lock(secret: str, *, master: str, purpose: str) -> str:
    """Encrypt a secret for keeping."""
    return _cipher(master, purpose).encrypt(secret.encode()).decode()


def unlock(kept: str, *, master: str, purpose: str) -> str | None:
    """Read a kept secret; None when it was kept under another master or purpose, or was changed.

    Example:
        >>> unlock(lock("s", master="m", purpose="p"), master="m", purpose="p")
        's'
    """
    try:
        return _cipher(master, purpose).decrypt(kept.encode()).decode()
    except InvalidToken:
        return None
