"""When the demo has shown all it is to show: an auction settled, jobs verified, epochs paid, books balanced, audits MATCH."""

import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launch.programs import ROOT

ANSWER_TIMEOUT_S = 5.0
AUDIT_TIMEOUT_S = 300.0  # hundreds of bundles, should a demo have run for long before
FAULT_MAX = 200  # characters of what an audit that fell over said last
ANSWER_BYTES_MAX = 64 * 1024 * 1024  # a bundle of 256 neurons is far below
PAGES_MAX = 1_000  # no demo has more epochs than that many pages hold
GOALS = (
    ("auctions_settled_count", 1, "auctions settled"),
    ("jobs_verified_count", 50, "jobs verified"),
    ("epochs_paid_count", 2, "epochs paid"),
)
# The demo's own server: a proxy of the environment cannot reach it.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(url: str) -> bytes:
    """Return what is at the address. Raises: OSError, also for an answer that is not 200."""
    with _opener.open(url, timeout=ANSWER_TIMEOUT_S) as answer:
        body: bytes = answer.read(ANSWER_BYTES_MAX)
        return body


def get(url: str) -> dict[str, Any]:
    """Return the JSON object at the address. Raises: OSError, ValueError."""
    found: dict[str, Any] = json.loads(fetch(url))
    return found


def is_answering(url: str) -> bool:
    """Say whether a server answers at the address, be it that the page is not there."""
    try:
        _opener.open(url, timeout=ANSWER_TIMEOUT_S).close()
    except urllib.error.HTTPError as error:
        error.close()
        return error.code < 500
    except OSError:
        return False
    return True


def missing(network: Mapping[str, Any]) -> list[str]:
    """Return what the network's figures still lack, in words; empty when nothing."""
    lacks = [
        f"{network.get(name, 0)} of {wanted_count} {words}"
        for name, wanted_count, words in GOALS
        if int(network.get(name, 0)) < wanted_count
    ]
    if network.get("is_balanced") is not True:
        lacks.append("the books are not balanced")
    return lacks


def status_line(network: Mapping[str, Any]) -> str:
    """Return the network's figures as one line."""
    words = (
        ("block", "block"),
        ("jobs_verified_count", "jobs verified"),
        ("epochs_paid_count", "epochs paid"),
        ("auctions_open_count", "auctions open"),
        ("auctions_settled_count", "auctions settled"),
    )
    parts = [f"{label} {network[name]}" for name, label in words if name in network]
    if "is_balanced" in network:
        parts.append("books balanced" if network["is_balanced"] else "BOOKS NOT BALANCED")
    return ", ".join(parts) or "no figures yet"


class Audits:
    """Recompute every epoch's public bundle, each once, as many at a time as are new."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address = address
        self.folder = folder
        self.matched: set[tuple[int, int]] = set()

    def missing(self) -> list[str]:
        """Audit the bundles not audited yet; return those that do not match, in words.

        Raises: OSError, ValueError when the list or a bundle cannot be read.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = {(netuid, number): url for netuid, number, url in self._epochs()}
        fresh = {epoch: url for epoch, url in fresh.items() if epoch not in self.matched}
        for epoch, url in fresh.items():
            file = self._file(epoch)
            file.write_bytes(fetch(urllib.parse.urljoin(self.address, url)))
        faults = self._audit(sorted(fresh)) if fresh else {}
        self.matched |= fresh.keys() - faults.keys()
        return [
            f"epoch {number} of subnet {netuid}: {fault}"
            for (netuid, number), fault in sorted(faults.items())
        ]

    def _epochs(self) -> list[tuple[int, int, str]]:
        """Return (netuid, number, address of the bundle) of every epoch, over all pages of the list."""
        found: list[tuple[int, int, str]] = []
        url: str | None = urllib.parse.urljoin(self.address, "/api/v1/epochs/")
        for _ in range(PAGES_MAX):
            if url is None:
                break
            page = get(url)
            found += [(e["netuid"], e["number"], e["bundle_url"]) for e in page["results"]]
            following = page.get("next")
            url = urllib.parse.urljoin(self.address, following) if following else None
        return found

    def _file(self, epoch: tuple[int, int]) -> Path:
        netuid, number = epoch
        return self.folder / f"{netuid}-{number}.json"

    def _audit(self, fresh: list[tuple[int, int]]) -> dict[tuple[int, int], str]:
        """Audit new bundles in one process, each beside its predecessor; return what is wrong with which."""
        before = {(netuid, number - 1) for netuid, number in fresh} & self.matched
        epoch_of = {str(self._file(epoch)): epoch for epoch in sorted(before) + fresh}
        run = subprocess.run(
            [sys.executable, "-m", "subnets.audit", "--json", *epoch_of],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=AUDIT_TIMEOUT_S,
        )
        faults, said = {}, set()
        for line in run.stdout.splitlines():
            finding = json.loads(line)
            epoch = epoch_of[finding["source"]]
            said.add(epoch)
            if not finding.get("match"):
                place = finding.get("pointer", "")
                faults[epoch] = f"{place} {finding.get('detail') or finding.get('error')}".strip()
        unsaid = {epoch: run.stderr.strip()[-FAULT_MAX:] or "not audited" for epoch in fresh}
        return {epoch: fault for epoch, fault in unsaid.items() if epoch not in said} | faults
