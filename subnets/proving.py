"""Check one public bundle: every signature, every commitment, every number. Pure.

The first fault is named by a JSON pointer. What bundles say of each other is `subnets.bundle_chain`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neurons import protocol
from subnets import bundle as bundles
from subnets import bundle_shape, commitments, payroll, rules, signatures
from subnets.bundle_shape import SPOKEN_MAX, Json, Place, escaped
from subnets.errors import RuleEvaluatorUnavailable, RuleInvalid, RuleTooCostly
from subnets.record import Record

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
ABSENT = object()
# What the network says of a result, alike for every validator that scored it.
SAME_FOR_A_RESULT = ("miner", "output_digest", "latency_ms", "work_units", "is_canary")


@dataclass(frozen=True, slots=True)
class Finding:
    """What an audit says. pointer: where the bundle first differs, as a JSON pointer; detail: how.

    signature_count: how many signatures were checked on the way.
    """

    source: str
    pointer: str = ""
    detail: str = ""
    signature_count: int = 0

    @property
    def is_match(self) -> bool:
        """Tell whether nothing differs."""
        return not self.detail

    def __str__(self) -> str:
        if self.is_match:
            return f"MATCH {self.source} ({self.signature_count} signatures)"
        return f"MISMATCH {self.source} at {self.pointer}: {self.detail}"


class Unreadable(Exception):
    """The source is not a bundle."""


def audit(bundle: Json, *, source: str = "bundle") -> Finding:
    """Check one bundle. Raises: Unreadable."""
    try:
        form = bundle["format"]
        # 2.0 and True are no formats, though they equal 2 and 1.
        if type(form) is not int or form not in bundles.FORMATS_READ:
            said = f"{spoken(form)}, not one of {bundles.FORMATS_READ}"
            raise Unreadable(f"{source} has the format {said}")
        if not bundle_shape.is_bundle(bundle):
            raise Unreadable(
                f"{source} is not a bundle: it has no record and payroll, or no digests"
            )
        amiss = bundle_shape.first_misshapen(bundle) or untold_score(bundle["record"])
        if amiss is not None:
            return Finding(source, *amiss)
        record = bundles.record_read(bundle["record"])
        found = _first_fault(bundle, record)
    except NO_BUNDLE as fault:
        raise Unreadable(f"{source} is not a bundle: {fault!r}") from fault
    except RuleEvaluatorUnavailable as error:
        raise Unreadable(f"{source} cannot be recomputed here: {error}") from error
    pointer, detail = found or ("", "")
    return Finding(source, pointer, detail, len(record.scores) + len(record.results))


def _first_fault(bundle: Json, record: Record) -> Place | None:
    """Look where a fault can be told most precisely first; the digest covers whatever is left."""
    form = bundle["format"]
    return (
        first_difference(bundle["record"], bundles.record_json(record, form=form), "/record")
        or wrong_rule_digest(record)
        or (wrong_result(record) if form > 1 else None)
        or wrong_signature(record)
        or (wrong_commitment(record) if form > 1 else None)
        or wrong_emission(bundle)
        or wrong_payroll(bundle, record)
        or wrong_digest(bundle)
    )


def untold_score(written: Json) -> Place | None:
    """Return where a score is of a result of which nothing is told (from format 5 on, beside the scores)."""
    told = {result["result_id"] for result in written.get("scored", written["scores"])}
    for place, score in enumerate(written["scores"]):
        if score["result_id"] not in told:
            return f"/record/scores/{place}/result_id", "nothing is told of a result of this id"
    return None


def wrong_rule_digest(record: Record) -> Place | None:
    """Return where a rule's digest is not that of its document.

    A document that is no rule has none; whether the epoch rightly passed it over shows in the payroll.
    Raises: RuleEvaluatorUnavailable.
    """
    for place, version in enumerate(record.versions):
        try:
            expected = rules.digest(rules.parse(version.document))
        except (RuleInvalid, RuleTooCostly):
            continue
        if version.digest != expected:
            return f"/record/rules/{place}/digest", f"the document's digest is {expected}"
    return None


def wrong_result(record: Record) -> Place | None:
    """Return where scores and the results that miners signed do not belong together, one to one."""
    signed = {result["result_id"] for result in record.results}
    scored: dict[str, Mapping[str, Any]] = {}
    for place, score in enumerate(record.scores):
        first = scored.setdefault(score["result_id"], score)
        for name in SAME_FOR_A_RESULT:
            if score[name] != first[name]:
                detail = f"{score[name]!r}, but {first[name]!r} in another score of the same result"
                return f"/record/scores/{place}/{name}", detail
        if score["result_id"] not in signed:
            return f"/record/scores/{place}/result_id", "no miner signed a result of this id"
    seen: set[str] = set()
    for place, result in enumerate(record.results):
        if result["result_id"] not in scored or result["result_id"] in seen:
            return f"/record/results/{place}/result_id", "no score is about it, or it stands twice"
        seen.add(result["result_id"])
    return None


def wrong_signature(record: Record) -> Place | None:
    """Return where a score is not signed by the validator it names, or a result by its miner."""
    false = signatures.first_false(signatures.claims_of(record))
    return None if false is None else (false.pointer, f"not signed by {false.signer}")


def wrong_commitment(record: Record) -> Place | None:
    """Return where the scores are not those that a validator was committed to, in their order."""
    committed = record.commitments or {}
    scores = commitments.by_validator(record.scores)
    for validator in sorted(committed.keys() | scores.keys()):
        pointer = f"/record/commitments/{escaped(validator)}"
        own, stated = scores.get(validator, []), committed.get(validator)
        if stated is None:
            return pointer, f"{len(own)} scores, and no commitment to them"
        if stated.count != len(own) or not own:
            return f"{pointer}/count", f"{stated.count} scores committed to, {len(own)} shown"
        start = protocol.score_chain_start(netuid=record.netuid, validator=validator)
        if stated.before_count < 0 or (stated.before_count == 0) != (stated.before == start):
            return f"{pointer}/before", f"a chain begins with {start}, and only once"
        after = commitments.heads(stated.before, own)[-1]
        if stated.after != after:
            return f"{pointer}/after", f"the scores shown end at {after}"
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


def wrong_payroll(bundle: Json, record: Record) -> Place | None:
    """Return the first place where the payroll is not what the record gives. Raises: RuleEvaluatorUnavailable."""
    try:
        recomputed = payroll.settle(record)
    except (RuleInvalid, RuleTooCostly) as error:
        return "/record/rules", str(error)
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


def spoken(value: object) -> str:
    """Write a value into a sentence."""
    return "nothing" if value is ABSENT else repr(value)[:SPOKEN_MAX]
