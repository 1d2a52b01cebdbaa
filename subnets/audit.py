"""Recompute an epoch from its public bundle: `python -m subnets.audit BUNDLE.json`.

Takes files, folders and http(s) addresses. Checks the bundle's digest, the rule's digests and every
score's signature, walks `subnets.payroll` again, and says MATCH, or names the first place that differs.
Needs neither Django nor a database. Exit status: 0 all match, 1 one differs, 2 one could not be read.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from ledger.errors import DomainError
from neurons import keys, protocol
from subnets import bundle as bundles
from subnets import payroll, rules

BUNDLE_BYTES_MAX = 64 * 1024 * 1024  # 50 000 scores of about 700 bytes and their payroll
FETCH_S = 30


@dataclass(frozen=True, slots=True)
class Finding:
    """What an audit says. pointer: where the bundle first differs, as a JSON pointer; empty for a match."""

    source: str
    is_match: bool
    pointer: str = ""
    detail: str = ""

    def __str__(self) -> str:
        if self.is_match:
            return f"MATCH {self.source}"
        return f"MISMATCH {self.source} at {self.pointer}: {self.detail}"


class Unreadable(Exception):
    """The source is not a bundle."""


def audit(bundle: Any, *, source: str = "bundle") -> Finding:
    """Check one bundle. Raises: Unreadable."""
    try:
        return _audit(bundle, source)
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError) as fault:
        raise Unreadable(f"{source} is not a bundle of format 1: {fault!r}") from fault


def _audit(bundle: Any, source: str) -> Finding:
    if bundle["format"] != bundles.FORMAT:
        raise Unreadable(f"{source} has the format {bundle['format']!r}, not {bundles.FORMAT}")
    expected = bundles.digest(bundle)
    if bundle["digest"] != expected:
        return Finding(source, False, "/digest", f"the content's SHA-256 is {expected}")
    record = bundles.record_read(bundle["record"])
    for found in (wrong_rule_digest(record), wrong_signature(record)):
        if found is not None:
            return Finding(source, False, *found)
    try:
        recomputed = bundles.payroll_json(payroll.settle(record))
    except DomainError as error:
        return Finding(source, False, "/record/rules", str(error))
    difference = first_difference(bundle["payroll"], recomputed, "/payroll")
    if difference is not None:
        return Finding(source, False, *difference)
    return Finding(source, True)


def wrong_rule_digest(record: payroll.Record) -> tuple[str, str] | None:
    """Return where a rule's digest is not that of its document."""
    for place, version in enumerate(record.versions):
        expected = rules.digest(rules.parse(version.document))
        if version.digest != expected:
            return f"/record/rules/{place}/digest", f"the document's digest is {expected}"
    return None


def wrong_signature(record: payroll.Record) -> tuple[str, str] | None:
    """Return where a score is not signed by the validator it names."""
    for place, score in enumerate(record.scores):
        message = protocol.score_message(
            result_id=score["result_id"],
            digest=score["output_digest"],
            score_ppm=score["score_ppm"],
            reason=score["reason"],
        )
        if not keys.verify(score["validator"], message, score["signature"]):
            return f"/record/scores/{place}/signature", f"not signed by {score['validator']}"
    return None


def first_difference(stated: Any, recomputed: Any, pointer: str) -> tuple[str, str] | None:
    """Return the first place, in order of names and positions, where two JSON values differ."""
    if isinstance(stated, dict) and isinstance(recomputed, dict):
        keys_ = sorted(stated.keys() | recomputed.keys())
        children = [(key, stated.get(key), recomputed.get(key)) for key in keys_]
    elif isinstance(stated, list) and isinstance(recomputed, list):
        if len(stated) != len(recomputed):
            return pointer, f"{len(stated)} entries stated, {len(recomputed)} recomputed"
        children = [(str(i), a, b) for i, (a, b) in enumerate(zip(stated, recomputed, strict=True))]
    else:
        same = type(stated) is type(recomputed) and stated == recomputed
        return None if same else (pointer, f"{stated!r} stated, {recomputed!r} recomputed")
    for key, left, right in children:
        found = first_difference(left, right, f"{pointer}/{key}")
        if found is not None:
            return found
    return None


def sources(names: list[str]) -> Iterator[str]:
    """Yield files and addresses; a folder yields its *.json files in order of their names."""
    for name in names:
        path = Path(name)
        if path.is_dir():
            yield from (str(child) for child in sorted(path.glob("*.json")))
        else:
            yield name


def read(source: str) -> Any:
    """Return a bundle from a file or an http(s) address. Raises: Unreadable."""
    try:
        if source.startswith(("http://", "https://")):
            with urlopen(source, timeout=FETCH_S) as answer:  # noqa: S310  the schemes are checked above
                content = answer.read(BUNDLE_BYTES_MAX + 1)
        else:
            with Path(source).open("rb") as file:
                content = file.read(BUNDLE_BYTES_MAX + 1)
    except (OSError, URLError) as fault:
        raise Unreadable(f"{source} cannot be read: {fault}") from fault
    if len(content) > BUNDLE_BYTES_MAX:
        raise Unreadable(f"{source} is larger than {BUNDLE_BYTES_MAX} bytes")
    try:
        return json.loads(content)
    except ValueError as fault:
        raise Unreadable(f"{source} is not JSON: {fault}") from fault


def main(arguments: list[str] | None = None) -> int:
    """Audit every source named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m subnets.audit", description=__doc__)
    parser.add_argument("sources", nargs="+", help="files, folders or http(s) addresses of bundles")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    asked = parser.parse_args(arguments)
    worst = 0
    for source in sources(asked.sources):
        try:
            finding = audit(read(source), source=source)
        except Unreadable as fault:
            say(asked.json, {"source": source, "error": str(fault)}, f"UNREADABLE {fault}")
            worst = 2
            continue
        facts = {"source": source, "match": finding.is_match}
        facts |= {"pointer": finding.pointer, "detail": finding.detail}
        say(asked.json, facts, str(finding))
        worst = max(worst, 0 if finding.is_match else 1)
    return worst


def say(as_json: bool, facts: dict[str, Any], words: str) -> None:  # noqa: FBT001  one private caller
    """Print one line for a person or a program."""
    sys.stdout.write((json.dumps(facts) if as_json else words) + "\n")


if __name__ == "__main__":
    sys.exit(main())
