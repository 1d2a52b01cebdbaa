"""Addresses that people give for the server to speak to: which are taken, and which lead where nobody outside may go. Pure.

Everything is refused that one program may read otherwise than another (WHATWG and RFC 3986 differ on it): user-info,
backslashes, other alphabets, numbers that are hosts. What is left has one meaning.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from marketplace.errors import AddressRefused

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

URL_LENGTH_MAX = 500  # as long as anybody's; a column of the database holds it
HOST_LENGTH_MAX = 253  # RFC 1035
LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
# The whole of an URL: what RFC 3986 allows, without user-info, brackets outside an IPv6 host, or anything beyond ASCII.
CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?\[\]!$&'()*+,;=%]+")

# IANA's special-purpose registries, and what stands in for them. Python's own `is_global` changed between its versions.
CLOSED_IPV4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's NAT; Alibaba's metadata lies in it
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's own wire server, a public address in every machine of it
        "169.254.0.0/16",  # link-local, and the metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata lies in it
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# Of IPv6 only global unicast is open. That closes loopback, ULA, link-local, multicast, IPv4-mapped (::ffff:0:0/96) and
# NAT64 (64:ff9b::/96); what lies within it and reaches IPv4 or nobody is closed by name.
OPEN_IPV6 = ipaddress.IPv6Network("2000::/3")
CLOSED_IPV6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator allows.  is_loopback_open: for a developer's own machine, where http is allowed too."""

    ports: frozenset[int] = frozenset({443, 8443})
    is_loopback_open: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """An address that may be asked for: its parts, each with one meaning. target: path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Return host and port as the Host header carries them."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"https": 443, "http": 80}[self.scheme]
        return shown if self.port == usual else f"{shown}:{self.port}"


def parse(url: str, *, rules: Rules) -> Address:
    """Read an address that somebody gave. Raises: AddressRefused, with the reason.

    Example:
        >>> parse("https://Example.com/hooks?of=me", rules=Rules()).host
        'example.com'
    """
    if len(url) > URL_LENGTH_MAX:
        raise AddressRefused(reason=f"it has more than {URL_LENGTH_MAX} characters")
    if "@" in url.partition("//")[2].partition("/")[0]:
        raise AddressRefused(reason="it carries a user name or a password")
    if not CHARACTERS.fullmatch(url):
        raise AddressRefused(reason="it has characters that do not belong in an address")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as fault:
        raise AddressRefused(reason="it cannot be read") from fault
    ip = _checked_host(host, rules=rules)
    scheme = _checked_scheme(parts.scheme, ip=ip, host=host, rules=rules)
    port = {"https": 443, "http": 80}[scheme] if port is None else port
    if port not in rules.ports and not (rules.is_loopback_open and _is_loopback(host, ip)):
        allowed = ", ".join(str(number) for number in sorted(rules.ports))
        raise AddressRefused(reason=f"its port is none of {allowed}")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(scheme=scheme, host=host, port=port, target=target)


def check_resolved(ips: list[Ip], *, rules: Rules) -> list[Ip]:
    """Return where a name leads. One closed address among several closes the name. Raises: AddressRefused."""
    if not ips:
        raise AddressRefused(reason="its name leads nowhere")
    for ip in ips:
        if not (is_open(ip) or (rules.is_loopback_open and ip.is_loopback)):
            raise AddressRefused(reason="it leads into a network that is not public")
    return ips


def is_open(ip: Ip) -> bool:
    """Tell whether an address belongs to the public Internet, so that a stranger may send us there.

    Example:
        >>> is_open(ipaddress.ip_address("169.254.169.254"))
        False
    """
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in CLOSED_IPV4)
    if ip.scope_id is not None or ip not in OPEN_IPV6:
        return False
    return not any(ip in network for network in CLOSED_IPV6)


def _checked_host(host: str, *, rules: Rules) -> Ip | None:
    """Check a host: a literal address that is open, or a name of the DNS; return the literal."""
    ip = _literal(host)
    if ip is not None:
        check_resolved([ip], rules=rules)
        return ip
    labels = host.split(".")
    if len(host) > HOST_LENGTH_MAX or not all(LABEL.fullmatch(label) for label in labels):
        raise AddressRefused(reason="its host is neither a name nor an address")
    # "127.1", "0x7f.0.0.1" and "2130706433" are addresses to some programs (WHATWG: a host that ends in a number).
    if labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        raise AddressRefused(reason="its host is a number in disguise")
    if len(labels) < 2 and not (rules.is_loopback_open and host == "localhost"):
        raise AddressRefused(reason="its host is not a full name")
    return None


def _literal(host: str) -> Ip | None:
    """Read a literal address in its one full form; octets with leading zeros are refused by Python."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _checked_scheme(scheme: str, *, ip: Ip | None, host: str, rules: Rules) -> str:
    if scheme == "https":
        return scheme
    if scheme == "http" and rules.is_loopback_open and _is_loopback(host, ip):
        return scheme
    raise AddressRefused(reason="it does not begin with https://")


def _is_loopback(host: str, ip: Ip | None) -> bool:
    return ip.is_loopback if ip is not None else host == "localhost"
