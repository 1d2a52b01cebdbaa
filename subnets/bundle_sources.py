"""Where bundles are found: files, folders, addresses, and whole subnets over the API. No Django, no database."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qs, urljoin, urlsplit
from urllib.request import urlopen

from subnets.bundle_shape import Json
from subnets.proving import Unreadable

BUNDLE_BYTES_MAX = 64 * 1024 * 1024  # 50 000 scores of about 700 bytes, their results and payroll
FETCH_S = 30
WAIT_S_MAX = 120  # a limit's window is a minute
WAITS_MAX = 5
PAGES_MAX = 1_000  # of a hundred epochs each: eleven years of a subnet at the chain's tempo
PAGE_QUERY = "limit=100"  # unless the address asks for something itself, such as ?netuid=1
# The page of a subnet, or its place in the API: both stand for all its epochs.
SUBNET_PATH = re.compile(r"^(?:/api/v1)?/subnets/(\d{1,3})/?$", re.ASCII)
# What an address says of the bundles behind it: their subnet, and of one bundle its number too.
EPOCHS_PATH = re.compile(r"/subnets/(\d{1,9})/epochs(?:/(\d{1,15}))?(?:/|$)", re.ASCII)


LIST = "the list of epochs"


@dataclass(frozen=True, slots=True)
class Claim:
    """What was said of a bundle before it was read. pointer: of whom in it; who: that says so."""

    pointer: str
    value: int | str
    who: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a bundle lies, and what its address and the list that named it say of it."""

    name: str
    claims: tuple[Claim, ...] = ()

    @property
    def number(self) -> int | None:
        """Return the number of the epoch that was asked for, when that is known."""
        said = (claim.value for claim in self.claims if claim.pointer == "/record/number")
        return next((value for value in said if isinstance(value, int)), None)

    @property
    def is_listed(self) -> bool:
        """Tell whether a list of epochs named it, which should name every one."""
        return any(claim.who == LIST for claim in self.claims)


def sources(names: list[str], *, since: int = 0) -> Iterator[Source]:
    """Yield files, addresses, and the bundles of folders and lists of epochs, oldest first.

    since: leave out what a list says to be an earlier epoch. Raises: Unreadable.
    """
    for name in names:
        if is_address(name):
            yield from _from_address(name, since=since)
            continue
        path = Path(name)
        inside = sorted(path.glob("*.json"), key=_natural) if path.is_dir() else []
        # A folder without a bundle is named itself, and then cannot be read.
        yield from (Source(str(child)) for child in inside or [path])


def is_address(name: str) -> bool:
    """Tell an address from a file; its scheme may be in any case (RFC 3986, 3.1)."""
    return name.lower().startswith(("http://", "https://"))


def _natural(path: Path) -> list[tuple[int, str]]:
    """Order names as people count: 1-9 before 1-10."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _from_address(address: str, *, since: int) -> Iterator[Source]:
    try:
        split = urlsplit(address)
    except ValueError as fault:
        raise Unreadable(f"{address} cannot be read: {fault}") from fault
    subnet = SUBNET_PATH.match(split.path)
    if subnet:
        path = f"/api/v1/subnets/{subnet[1]}/epochs/?{PAGE_QUERY}"
        yield from _listed(urljoin(address, path), since=since)
    elif split.path.rstrip("/").endswith("/epochs"):
        asked = split.query or PAGE_QUERY
        yield from _listed(split._replace(query=asked).geturl(), since=since)
    else:
        yield Source(address, _address_claims(address))


def _address_claims(address: str) -> tuple[Claim, ...]:
    """Read from an address of which subnet, and of which epoch, it should give the bundle."""
    split = urlsplit(address)
    said = [Claim("/record/netuid", int(n), "the address") for n in _asked_netuids(split.query)]
    found = EPOCHS_PATH.search(split.path)
    if found:
        said.append(Claim("/record/netuid", int(found[1]), "the address"))
    if found and found[2]:
        said.append(Claim("/record/number", int(found[2]), "the address"))
    return tuple(said)


def _asked_netuids(query: str) -> list[str]:
    asked = parse_qs(query).get("netuid", [])
    return [netuid for netuid in asked if re.fullmatch(r"[0-9]{1,9}", netuid)]


def _row_claims(row: Json) -> tuple[Claim, ...]:
    """Read what a list says of one epoch. Raises: KeyError, TypeError when it is no such row."""
    number, netuid, digest = row["number"], row["netuid"], row["digest"]
    if (type(number), type(netuid), type(digest)) != (int, int, str):
        raise TypeError("number and netuid are integers, digest is text")
    return (
        Claim("/record/netuid", netuid, LIST),
        Claim("/record/number", number, LIST),
        Claim("/digest", digest, LIST),
    )


def _listed(address: str, *, since: int) -> Iterator[Source]:
    """Walk a list of epochs to its end, and yield their bundles, oldest first. Raises: Unreadable."""
    origin, asked = _origin(address), _address_claims(address)
    found: list[Source] = []
    page: str | None = address
    for _ in range(PAGES_MAX):
        if page is None or _origin(page) != origin:
            break
        answer = read(page)
        try:
            following = answer["next"]
            for row in answer["results"]:
                name = urljoin(page, row["bundle_url"])
                source = Source(name, _row_claims(row) + asked + _address_claims(name))
                if row["number"] >= since:
                    found.append(source)
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            raise Unreadable(f"{page} is no list of epochs: {fault!r}") from fault
        page = urljoin(page, following) if following else None
    # A list may send its reader anywhere; a bundle of this network lies with this network.
    strangers = [source.name for source in found if _origin(source.name) != origin]
    if page is not None or strangers:
        raise Unreadable(f"{address} leads to {page or strangers[0]}, and is not followed there")
    yield from reversed(found)


def _origin(address: str) -> tuple[str, str]:
    split = urlsplit(address)
    return split.scheme, split.netloc.lower()


def _fetched(address: str) -> bytes:
    """Fetch an address, waiting where the server says that too much was asked for. Raises: OSError and others."""
    for _ in range(WAITS_MAX):
        try:
            with urlopen(address, timeout=FETCH_S) as answer:  # noqa: S310  the schemes were checked
                content: bytes = answer.read(BUNDLE_BYTES_MAX + 1)
                return content
        except HTTPError as refusal:
            wait = refusal.headers.get("Retry-After", "")
            if refusal.code != HTTPStatus.TOO_MANY_REQUESTS or not wait.isdecimal():
                raise
            time.sleep(min(int(wait), WAIT_S_MAX))
    raise OSError("the server goes on to say that too much was asked for")


def read(name: str) -> Json:
    """Return the JSON of a file or an http(s) address. Raises: Unreadable."""
    try:
        if is_address(name):
            content = _fetched(name)
        elif Path(name).is_dir():
            raise Unreadable(f"{name} holds no bundle: no file in it ends in .json")
        else:
            with Path(name).open("rb") as file:
                content = file.read(BUNDLE_BYTES_MAX + 1)
    except (OSError, HTTPException, ValueError) as fault:
        raise Unreadable(f"{name} cannot be read: {fault}") from fault
    if len(content) > BUNDLE_BYTES_MAX:
        raise Unreadable(f"{name} is larger than {BUNDLE_BYTES_MAX} bytes")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as fault:
        raise Unreadable(f"{name} is not JSON: {fault}") from fault
