"""Recompute epochs from their public bundles: `python -m subnets.audit BUNDLE.json`.

Takes files, folders and http(s) addresses; the address of a subnet (…/subnets/1/) or of a list of epochs
(…/api/v1/epochs/?netuid=1) stands for all the bundles it leads to. Checks every signature, the commitments
and the rules' digests, walks `subnets.payroll` again, then checks the bundle's own digest, and says MATCH
or names the first place that differs. A bundle behind an address must be of the subnet and epoch that the
address and the list of epochs name. Bundles of epochs in a row are also checked against each other: what one
hands on, the next takes up, and no format is older than one before it. An epoch between two of them that none
is of, and one before them that a list of epochs leaves out, is MISSING. A kept commitment (--commitments) that
lies in none of the bundles is UNSEEN: give all bundles since it was kept, once its epoch has closed.
Needs neither Django nor a database.

exit status:
  0  all match, and all kept commitments were honoured
  1  one differs: its place is named as a JSON pointer; an epoch is MISSING; or a kept commitment is UNSEEN
  2  one could not be read, is no bundle, or there was nothing to audit; or the options are wrong
"""

import argparse
import json
import sys
import time
from typing import Any

from subnets import explain, explain_words
from subnets.bundle_chain import Chain, Promise, gaps, promises, unkept
from subnets.bundle_shape import Json
from subnets.bundle_sources import Source, read, sources
from subnets.errors import RuleEvaluatorUnavailable, UidUnknown
from subnets.proving import NO_BUNDLE, Finding, Unreadable, audit

__all__ = ["Finding", "Unreadable", "audit", "main"]

NOTHING = "NOTHING to audit: no closed epoch from number {since} on was found there."
PROGRESS_S = 5.0  # a reader who waits longer than this wants to know how far it is


class Audit:
    """One run: what was asked for, what was seen, and how it went. exit_status: the worst so far."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.chain = Chain()
        self.exit_status = 0
        self.bundle_count = self.signature_count = 0
        self.started_s = self.spoken_s = time.monotonic()
        self.promised: set[Promise] = set()
        self.kept: set[Promise] = set()
        self.numbers: dict[int, set[int]] = {}  # netuid → epochs of which there was a bundle
        self.listed: set[int] = set()

    def run(self) -> int:
        """Audit everything; return the exit status."""
        self._read_promises()
        try:
            for source in sources(self.asked.sources, since=self.asked.since):
                self._one(source)
        except Unreadable as fault:
            self._unreadable(fault, "")
        self._sum_up()
        return self.exit_status

    def _one(self, source: Source) -> None:
        try:
            bundle = read(source.name)
            # A bundle that was asked for by its number is audited, whatever number it claims to have.
            number = number_of(bundle) if source.number is None else source.number
            if number < self.asked.since:
                return
            finding = audit(bundle, source=source.name)
        except Unreadable as fault:
            self._unreadable(fault, source.name)
            return
        self._count_in(bundle, source)
        self.bundle_count += 1
        self.signature_count += finding.signature_count
        if finding.is_match:
            finding = self._beyond(bundle, source) or finding
        self._tell(finding)
        if finding.is_match:
            for broken in self.chain.add(bundle, source=source.name):
                self._tell(broken)
            self._explain(bundle)
        self._progress()

    def _count_in(self, bundle: Json, source: Source) -> None:
        netuid, number = bundle["record"]["netuid"], bundle["record"]["number"]
        if type(netuid) is not int or type(number) is not int:
            return  # a mismatch that has been told; such a bundle is no epoch's
        self.numbers.setdefault(netuid, set()).add(number)
        if source.is_listed:
            self.listed.add(netuid)

    def _beyond(self, bundle: Json, source: Source) -> Finding | None:
        """Hold a bundle that matches in itself against what was said of it elsewhere."""
        stated = {
            "/record/netuid": bundle["record"]["netuid"],
            "/record/number": bundle["record"]["number"],
            "/digest": bundle["digest"],
        }
        for claim in source.claims:
            if stated[claim.pointer] != claim.value:
                detail = f"{stated[claim.pointer]}, but {claim.who} says {claim.value}"
                return Finding(source.name, claim.pointer, detail)
        place, kept = unkept(bundle, self.promised)
        self.kept |= kept
        return Finding(source.name, *place) if place else None

    def _explain(self, bundle: Json) -> None:
        if self.asked.explain is None:
            return
        try:
            told = explain.of_bundle(bundle, uid=self.asked.explain)
        except (UidUnknown, RuleEvaluatorUnavailable) as fault:
            self.exit_status = max(self.exit_status, 2)
            said = str(fault)
            say({"error": said}, f"  {said}", as_json=self.asked.json)
            return
        words = "\n".join(f"  {line}" for line in explain_words.sentences(told))
        say({"explanation": explain.as_json(told)}, words, as_json=self.asked.json)

    def _read_promises(self) -> None:
        for name in self.asked.commitments:
            try:
                self.promised |= set(promises(read(name)))
            except Unreadable as fault:
                self._unreadable(fault, name)
            except NO_BUNDLE as fault:
                self._unreadable(Unreadable(f"{name} holds no commitments: {fault!r}"), name)

    def _tell(self, finding: Finding) -> None:
        facts = {"source": finding.source, "match": finding.is_match}
        facts |= {"pointer": finding.pointer, "detail": finding.detail}
        facts |= {"signature_count": finding.signature_count}
        say(facts, str(finding), as_json=self.asked.json)
        self.exit_status = max(self.exit_status, 0 if finding.is_match else 1)

    def _unreadable(self, fault: Unreadable, name: str) -> None:
        facts = {"source": name, "error": str(fault)}
        say(facts, f"UNREADABLE {fault}", as_json=self.asked.json)
        self.exit_status = 2

    def _progress(self) -> None:
        now_s = time.monotonic()
        if now_s - self.spoken_s >= PROGRESS_S:
            self.spoken_s = now_s
            sys.stderr.write(f"{self._count()} so far\n")

    def _sum_up(self) -> None:
        if not self.bundle_count and not self.exit_status:
            self.exit_status = 2
            said = NOTHING.format(since=self.asked.since)
            say({"error": said}, said, as_json=self.asked.json)
        self._tell_missing()
        for promise in sorted(self.promised - self.kept, key=lambda one: one.validator):
            self.exit_status = max(self.exit_status, 1)
            who = f"{promise.total_count} scores of {promise.validator} on subnet {promise.netuid}"
            say(
                {"unseen": promise.digest, "validator": promise.validator},
                f"UNSEEN the commitment to {who} lies in none of these bundles",
                as_json=self.asked.json,
            )
        if self.bundle_count > 1 and not self.asked.json:
            sys.stdout.write(f"{self._count()}, {time.monotonic() - self.started_s:.1f} s\n")

    def _tell_missing(self) -> None:
        for netuid, numbers in sorted(self.numbers.items()):
            first = max(1, self.asked.since) if netuid in self.listed else None
            for start, stop in gaps(numbers, first=first):
                self.exit_status = max(self.exit_status, 1)
                which = f"epoch {start}" if start == stop else f"epochs {start} to {stop}"
                say(
                    {"missing": [start, stop], "netuid": netuid},
                    f"MISSING {which} of subnet {netuid}: none of these bundles, though later ones are here",
                    as_json=self.asked.json,
                )

    def _count(self) -> str:
        return f"{self.bundle_count} bundles, {self.signature_count} signatures"


def number_of(bundle: Json) -> float:
    """Return an epoch's number; infinity for what has none, which the audit will say."""
    try:
        number = bundle["record"]["number"]
    except NO_BUNDLE:
        return float("inf")
    return number if type(number) is int and number > 0 else float("inf")


def main(arguments: list[str] | None = None) -> int:
    """Audit every source named on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m subnets.audit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sources", nargs="+", help="files, folders or http(s) addresses")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument(
        "--since", type=int, default=0, metavar="N", help="leave out epochs before number N"
    )
    parser.add_argument(
        "--explain", type=int, metavar="UID", help="say why the neuron was paid what it was"
    )
    parser.add_argument(
        "--commitments",
        action="append",
        default=[],
        metavar="KEPT.json",
        help="an answer of …/subnets/N/commitments/ kept while scores were sealed: was it honoured?",
    )
    return Audit(parser.parse_args(arguments)).run()


def say(facts: dict[str, Any], words: str, *, as_json: bool) -> None:
    """Print one line for a person or a program."""
    sys.stdout.write((json.dumps(facts) if as_json else words) + "\n")


if __name__ == "__main__":
    sys.exit(main())
