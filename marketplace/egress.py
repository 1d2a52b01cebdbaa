"""The only door through which the server speaks to addresses that people gave.

A name is looked up once, every answer is checked, and the connection goes to the address that was checked: what a name
answers a moment later changes nothing. The certificate is checked on the name. No redirect is followed, no proxy of the
environment is used, and all of it ends after one length of time, however slowly the other side drips.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import certifi
import httpcore

from marketplace import addresses
from marketplace.addresses import Address, Ip, Rules
from marketplace.errors import AddressRefused

TIMEOUT_S = 15.0  # Standard Webhooks: 15 to 30 s
ANSWER_KEPT_BYTES = 1024  # enough to see why; a receiver's answer is for whoever runs it
# A name with more addresses than these is tried at the first ones; each try takes from the same length of time.
ADDRESSES_TRIED = 3

Resolver = Callable[[str, int], list[Ip]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said. status: None when it said nothing in time, with the fault in words."""

    status: int | None
    body: str
    fault: str
    retry_after: str
    took_ms: int


def resolve(host: str, port: int) -> list[Ip]:
    """Look a name up. An unknown name leads nowhere."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    # A scoped answer ("fe80::1%eth0") keeps its scope and is refused for it.
    return [ipaddress.ip_address(str(entry[4][0])) for entry in found]


def post(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    rules: Rules,
    resolver: Resolver = resolve,
    tls: ssl.SSLContext | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """Send a body and return what came back. Whatever the other side does is an answer, not an exception.

    Raises: AddressRefused, before anything is sent.
    """
    began_s = time.monotonic()
    address = addresses.parse(url, rules=rules)
    ips = addresses.check_resolved(resolver(address.host, address.port), rules=rules)
    wire = _Wire(ips, until_s=began_s + timeout_s)
    sent = {"Host": address.authority, "Accept-Encoding": "identity", "Connection": "close"}
    try:
        status, said, kept = _exchange(address, body, {**sent, **headers}, wire=wire, tls=tls)
        fault = ""
    except httpcore.TimeoutException:
        status, said, kept, fault = None, {}, b"", f"no answer within {timeout_s:g} s"
    except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as broken:
        status, said, kept, fault = None, {}, b"", _in_words(broken)
    return Answer(
        status=status,
        # PostgreSQL keeps no NUL in a text.
        body=kept.decode("utf-8", "replace").replace("\x00", "�"),
        fault=fault,
        retry_after=said.get(b"retry-after", b"").decode("latin-1")[:40],
        took_ms=round((time.monotonic() - began_s) * 1000),
    )


def check(url: str, *, rules: Rules, resolver: Resolver = resolve) -> Address:
    """Check an address as it is given, where its name leads now included. Raises: AddressRefused."""
    address = addresses.parse(url, rules=rules)
    addresses.check_resolved(resolver(address.host, address.port), rules=rules)
    return address


def _exchange(
    address: Address,
    body: bytes,
    headers: Mapping[str, str],
    *,
    wire: "_Wire",
    tls: ssl.SSLContext | None,
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Send and read once: status, headers in small letters, the beginning of the body."""
    url = httpcore.URL(
        scheme=address.scheme.encode(),
        host=address.host.encode(),
        port=address.port,
        target=address.target.encode(),
    )
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    with (
        httpcore.ConnectionPool(
            ssl_context=tls or ssl.create_default_context(cafile=certifi.where()),
            network_backend=wire,
            max_connections=1,
            http2=False,
            retries=0,
        ) as pool,
        pool.stream("POST", url, headers=pairs, content=body) as answer,
    ):
        said = {name.lower(): value for name, value in answer.headers}
        kept = b""
        for part in answer.iter_stream():
            kept += part
            if len(kept) >= ANSWER_KEPT_BYTES:
                break
        return answer.status, said, kept[:ANSWER_KEPT_BYTES]


class _Wire(httpcore.NetworkBackend):
    """Connections to addresses that were checked, and to nothing else; every wait ends at one instant."""

    def __init__(self, ips: list[Ip], *, until_s: float) -> None:
        self._ips = ips[:ADDRESSES_TRIED]
        self._until_s = until_s
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first checked address that answers; the name is not asked again."""
        del host, timeout
        failed: Exception | None = None
        for ip in self._ips:
            try:
                stream = self._sockets.connect_tcp(
                    str(ip), port, _left_s(self._until_s), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as fault:
                failed = fault
            else:
                return _Limited(stream, until_s=self._until_s)
        assert failed is not None
        raise failed


class _Limited(httpcore.NetworkStream):
    """A stream whose every wait ends at one instant: a header that drips is no way to hold a worker."""

    def __init__(self, stream: httpcore.NetworkStream, *, until_s: float) -> None:
        self._stream = stream
        self._until_s = until_s

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        return self._stream.read(max_bytes, _left_s(self._until_s))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        self._stream.write(buffer, _left_s(self._until_s))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        del timeout
        secured = self._stream.start_tls(ssl_context, server_hostname, _left_s(self._until_s))
        return _Limited(secured, until_s=self._until_s)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  httpcore's signature
        return self._stream.get_extra_info(info)


def _left_s(until_s: float) -> float:
    """Return how much of the time is left. Raises: httpcore.ReadTimeout when none is."""
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise httpcore.ReadTimeout
    return left_s


def _in_words(fault: Exception) -> str:
    """Say what broke without the addresses of our own network."""
    text = f"{fault.__class__.__name__} {fault}"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is not valid for its name"
    if isinstance(fault, httpcore.ConnectError):
        return "no connection"
    return "the connection broke"


__all__ = ["Address", "AddressRefused", "Answer", "Rules", "check", "post", "resolve"]
