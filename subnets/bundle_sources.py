"""Where bundles are found: files, folders, addresses, and whole subnets over the API. No Django, no database."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from urllib.request import urlopen

from subnets.proving import Json, Unreadable

BUNDLE_BYTES_MAX = 64 * 1024 * 1024  # 50 000 scores of about 700 bytes, their results and payroll
FETCH_S = 30
PAGES_MAX = 1_000  # of a hundred epochs each: eleven years of a subnet at the chain's tempo
PAGE_QUERY = "limit=100"  # unless the address asks for something itself, such as ?netuid=1
# The page of a subnet, or its place in the API: both stand for all its epochs.
SUBNET_PATH = re.compile(r"^(?:/api/v1)?/subnets/(\d{1,3})/?$")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a bundle lies. digest: what a list of epochs says of it, empty when no list named it."""

    name: str
    digest: str = ""


def sources(names: list[str], *, since: int = 0) -> Iterator[Source]:
    """Yield files, addresses, and the bundles of folders and lists of epochs, oldest first.

    since: leave out what a list says to be an earlier epoch. Raises: Unreadable.
    """
    for name in names:
        if name.startswith(("http://", "https://")):
            yield from _from_address(name, since=since)
            continue
        path = Path(name)
        inside = sorted(path.glob("*.json"), key=_natural) if path.is_dir() else []
        # A folder without a bundle is named itself, and then cannot be read.
        yield from (Source(str(child)) for child in inside or [path])


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
        yield Source(address)


def _listed(address: str, *, since: int) -> Iterator[Source]:
    """Walk a list of epochs to its end, and yield their bundles, oldest first. Raises: Unreadable."""
    origin, found = _origin(address), []
    page: str | None = address
    for _ in range(PAGES_MAX):
        if page is None or _origin(page) != origin:
            break
        answer = read(page)
        try:
            rows = [(row["number"], row["bundle_url"], row["digest"]) for row in answer["results"]]
            following = answer["next"]
            found += [
                Source(urljoin(page, url), digest)
                for number, url, digest in rows
                if number >= since
            ]
        except (KeyError, TypeError) as fault:
            raise Unreadable(f"{page} is no list of epochs: {fault!r}") from fault
        page = urljoin(page, following) if following else None
    # A list may send its reader anywhere; a bundle of this network lies with this network.
    strangers = [source.name for source in found if _origin(source.name) != origin]
    if page is not None or strangers:
        raise Unreadable(f"{address} leads to {page or strangers[0]}, and is not followed there")
    yield from reversed(found)


def _origin(address: str) -> tuple[str, str]:
    split = urlsplit(address)
    return split.scheme, split.netloc


def read(name: str) -> Json:
    """Return the JSON of a file or an http(s) address. Raises: Unreadable."""
    try:
        if name.startswith(("http://", "https://")):
            with urlopen(name, timeout=FETCH_S) as answer:  # noqa: S310  the schemes are checked above
                content = answer.read(BUNDLE_BYTES_MAX + 1)
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
