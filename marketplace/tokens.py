"""API keys as text, snm_live_<id>_<secret>, and what is kept of them: the id, and the secret's SHA-256. Pure.

The secret is 160 random bits, so a plain hash is enough (OWASP ASVS 5.0, 6.5.2): there is no list to try.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

PREFIX = "snm_live_"
ID_BYTES = 8
SECRET_BYTES = 20  # 160 bits
NETWORK_LENGTH_MAX = 43  # the longest IPv6 network as text
TOKEN = re.compile(rf"{PREFIX}([0-9a-f]{{{2 * ID_BYTES}}})_([0-9a-f]{{{2 * SECRET_BYTES}}})\Z")


@dataclass(frozen=True, slots=True)
class Token:
    """An API key in the hands of its owner. The secret stays out of every repr, and so out of logs."""

    id: str
    secret: str = field(repr=False)

    @property
    def text(self) -> str:
        """Return the key as its owner sends it."""
        return f"{PREFIX}{self.id}_{self.secret}"


def new_token() -> Token:
    """Draw a key that nobody has seen."""
    return Token(secrets.token_hex(ID_BYTES), secrets.token_hex(SECRET_BYTES))


def read_token(text: str) -> Token | None:
    """Read a key as it was sent; None when it has not the form of one.

    Example:
        >>> read_token("snm_live_0123456789abcdef_" + "0" * 40)
        Token(id='0123456789abcdef')
    """
    found = TOKEN.match(text)
    return Token(found[1], found[2]) if found else None


def digest(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret(secret: str, *, kept: str) -> bool:
    """Compare a secret with what was kept of one, in a time that tells nothing."""
    return hmac.compare_digest(digest(secret), kept)


def read_network(text: str) -> str:
    """Return an address or a network in its one form. Raises: ValueError, also for a network with host bits.

    Example:
        >>> read_network("192.0.2.7"), read_network("2001:DB8::/32")
        ('192.0.2.7/32', '2001:db8::/32')
    """
    return str(ipaddress.ip_network(text.strip()))


def is_within(address: str, networks: Iterable[str]) -> bool:
    """Tell whether an address lies in one of the networks; no networks means anywhere.

    An IPv4 address that came as IPv6 counts as the IPv4 address it is.
    """
    allowed = [ipaddress.ip_network(network) for network in networks]
    if not allowed:
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    plain = getattr(found, "ipv4_mapped", None) or found
    return any(plain in network for network in allowed)
