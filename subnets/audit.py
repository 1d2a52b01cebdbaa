"""Recompute an epoch from its public bundle: `python -m subnets.audit BUNDLE.json`.

Takes files, folders and http(s) addresses. Checks every score's signature and the rules' digests, walks
`subnets.payroll` again, then checks the bundle's own digest, and says MATCH or names the first place that
differs. Bundles of epochs in a row are also checked against each other: what one hands on, the next takes up.
Needs neither Django nor a database. Exit status: 0 all match, 1 one differs, 2 one could not be read.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeAlias
from urllib.request import urlopen

from neurons import keys, protocol
from subnets import bundle as bundles
from subnets import payroll, rules
from subnets.errors import RuleEvaluatorUnavailable, RuleInvalid, RuleTooCostly

BUNDLE_BYTES_MAX = 64 * 1024 * 1024  # 50 000 scores of about 700 bytes and their payroll
FETCH_S = 30

# What a text that is JSON but no bundle can set off while it is read and recomputed.
NO_BUNDLE = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RecursionError,
)
Json: TypeAlias = Any  # what strangers wrote: read with care, see NO_BUNDLE
Place: TypeAlias = tuple[str, str]  # a JSON pointer, and what is wrong there
ABSENT = object()
SPOKEN_MAX = 200  # characters of a value in a sentence: a long one is found by its pointer


@dataclass(frozen=True, slots=True)
class Finding:
    """What an audit says. pointer: where the bundle first differs, as a JSON pointer; detail: how."""

    source: str
    pointer: str = ""
    detail: str = ""

    @property
    def is_match(self) -> bool:
        """Tell whether nothing differs."""
        return not self.detail

    def __str__(self) -> str:
        if self.is_match:
            return f"MATCH {self.source}"
        return f"MISMATCH {self.source} at {self.pointer}: {self.detail}"


class Unreadable(Exception):
    """The source is not a bundle."""


def audit(bundle: Json, *, source: str = "bundle") -> Finding:
    """Check one bundle. Raises: Unreadable."""
    try:
        found = _first_fault(bundle, source)
    except NO_BUNDLE as fault:
        raise Unreadable(f"{source} is not a bundle of format 1: {fault!r}") from fault
    return Finding(source) if found is None else Finding(source, *found)


def _first_fault(bundle: Json, source: str) -> Place | None:
    """Look where a fault can be told most precisely first; the digest covers whatever is left."""
    if bundle["format"] != bundles.FORMAT:
        raise Unreadable(f"{source} has the format {bundle['format']!r}, not {bundles.FORMAT}")
    record = bundles.record_read(bundle["record"])
    return (
        first_difference(bundle["record"], bundles.record_json(record), "/record")
        or wrong_rule_digest(record)
        or wrong_signature(record)
        or wrong_emission(bundle)
        or wrong_payroll(bundle, record, source)
        or wrong_digest(bundle)
    )


def wrong_rule_digest(record: payroll.Record) -> Place | None:
    """Return where a rule's digest is not that of its document.

    A document that is no rule has none; whether the epoch rightly passed it over shows in the payroll.
    """
    for place, version in enumerate(record.versions):
        try:
            expected = rules.digest(rules.parse(version.document))
        except (RuleInvalid, RuleTooCostly, RuleEvaluatorUnavailable):
            continue
        if version.digest != expected:
            return f"/record/rules/{place}/digest", f"the document's digest is {expected}"
    return None


def wrong_signature(record: payroll.Record) -> Place | None:
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


def wrong_emission(bundle: Json) -> Place | None:
    """Return the emission's place when the payroll, sound in itself, shares out another amount."""
    paid = bundle["payroll"]
    parts = [int(paid[name]) for name in ("owner_rao", "miners_rao", "validators_rao")]
    shared_rao = sum(int(amount) for amount in paid["payouts"].values())
    if sum(parts) != shared_rao or bundle["record"]["emission_rao"] == str(
        shared_rao + int(paid["burned_rao"])
    ):
        return None
    return "/record/emission_rao", f"the payroll shares out {shared_rao + int(paid['burned_rao'])}"


def wrong_payroll(bundle: Json, record: payroll.Record, source: str) -> Place | None:
    """Return the first place where the payroll is not what the record gives. Raises: Unreadable."""
    try:
        recomputed = payroll.settle(record)
    except (RuleInvalid, RuleTooCostly) as error:
        return "/record/rules", str(error)
    except RuleEvaluatorUnavailable as error:
        raise Unreadable(f"{source} cannot be recomputed here: {error}") from error
    return first_difference(bundle["payroll"], bundles.payroll_json(recomputed), "/payroll")


def wrong_digest(bundle: Json) -> Place | None:
    """Return the digest's place when the content has another."""
    expected = bundles.digest(bundle)
    if bundle["digest"] == expected:
        return None
    return "/digest", f"the content's SHA-256 is {expected}"


def first_difference(stated: Json, recomputed: Json, pointer: str) -> Place | None:
    """Return the first place, in order of names and positions, where two JSON values differ."""
    if isinstance(stated, dict) and isinstance(recomputed, dict):
        names = sorted(stated.keys() | recomputed.keys())
        children = [
            (escaped(name), stated.get(name, ABSENT), recomputed.get(name, ABSENT))
            for name in names
        ]
    elif isinstance(stated, list) and isinstance(recomputed, list):
        if len(stated) != len(recomputed):
            return pointer, f"{len(stated)} entries stated, {len(recomputed)} recomputed"
        children = [(str(i), a, b) for i, (a, b) in enumerate(zip(stated, recomputed, strict=True))]
    else:
        same = type(stated) is type(recomputed) and stated == recomputed
        return (
            None if same else (pointer, f"{spoken(stated)} stated, {spoken(recomputed)} recomputed")
        )
    for name, left, right in children:
        found = first_difference(left, right, f"{pointer}/{name}")
        if found is not None:
            return found
    return None


def escaped(name: str) -> str:
    """Write a name as a step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def spoken(value: object) -> str:
    """Write a value into a sentence."""
    return "nothing" if value is ABSENT else repr(value)[:SPOKEN_MAX]


@dataclass(frozen=True, slots=True)
class Chain:
    """What the bundles seen so far hand on, by (netuid, number), and what each took up."""

    handed: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    taken: dict[tuple[int, int], tuple[str, dict[str, Any]]] = field(default_factory=dict)

    def add(self, bundle: Json, *, source: str) -> None:
        """Remember a bundle that matches in itself."""
        record, paid = bundle["record"], bundle["payroll"]
        place = (record["netuid"], record["number"])
        self.handed[place] = {
            "/previous_digest": bundle["digest"],
            "/record/start_block": record["end_block"],
            "/record/last_step_block": record["end_block"],
            "/record/smoothed": paid["smoothed"],
            "/record/incumbents": paid["incumbents"],
        }
        took = {
            "/previous_digest": bundle["previous_digest"],
            "/record/start_block": record["start_block"],
            "/record/last_step_block": record["last_step_block"],
            "/record/smoothed": record["smoothed"],
            "/record/incumbents": record["incumbents"],
        }
        self.taken[place] = (source, took)

    def breaks(self) -> Iterator[Finding]:
        """Yield a finding for every bundle that does not take up what its predecessor hands on."""
        for (netuid, number), (source, took) in sorted(self.taken.items()):
            handed = self.handed.get((netuid, number - 1))
            if handed is None:
                continue
            for pointer, value in handed.items():
                found = first_difference(took[pointer], value, pointer)
                if found is not None:
                    yield Finding(source, *found)
                    break


def sources(names: list[str]) -> Iterator[str]:
    """Yield files and addresses; a folder yields its *.json files in order of their names."""
    for name in names:
        path = Path(name)
        inside = sorted(path.glob("*.json")) if path.is_dir() else []
        # A folder without a bundle is named itself, and then cannot be read.
        yield from (str(child) for child in inside) if inside else (name,)


def read(source: str) -> Json:
    """Return a bundle from a file or an http(s) address. Raises: Unreadable."""
    try:
        if source.startswith(("http://", "https://")):
            with urlopen(source, timeout=FETCH_S) as answer:  # noqa: S310  the schemes are checked above
                content = answer.read(BUNDLE_BYTES_MAX + 1)
        else:
            with Path(source).open("rb") as file:
                content = file.read(BUNDLE_BYTES_MAX + 1)
    except (OSError, HTTPException, ValueError) as fault:
        raise Unreadable(f"{source} cannot be read: {fault}") from fault
    if len(content) > BUNDLE_BYTES_MAX:
        raise Unreadable(f"{source} is larger than {BUNDLE_BYTES_MAX} bytes")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as fault:
        raise Unreadable(f"{source} is not JSON: {fault}") from fault


def main(arguments: list[str] | None = None) -> int:
    """Audit every source named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m subnets.audit", description=__doc__)
    parser.add_argument("sources", nargs="+", help="files, folders or http(s) addresses of bundles")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    asked = parser.parse_args(arguments)
    chain, worst = Chain(), 0
    for source in sources(asked.sources):
        try:
            bundle = read(source)
            finding = audit(bundle, source=source)
        except Unreadable as fault:
            say({"source": source, "error": str(fault)}, f"UNREADABLE {fault}", as_json=asked.json)
            worst = 2
            continue
        tell(finding, as_json=asked.json)
        worst = max(worst, 0 if finding.is_match else 1)
        if finding.is_match:
            chain.add(bundle, source=source)
    for finding in chain.breaks():
        tell(finding, as_json=asked.json)
        worst = max(worst, 1)
    return worst


def tell(finding: Finding, *, as_json: bool) -> None:
    """Print a finding."""
    facts = {"source": finding.source, "match": finding.is_match}
    facts |= {"pointer": finding.pointer, "detail": finding.detail}
    say(facts, str(finding), as_json=as_json)


def say(facts: dict[str, Any], words: str, *, as_json: bool) -> None:
    """Print one line for a person or a program."""
    sys.stdout.write((json.dumps(facts) if as_json else words) + "\n")


if __name__ == "__main__":
    sys.exit(main())
