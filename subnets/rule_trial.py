"""Try a rule on sample miners before it is saved or published: what is wrong with it, and what to beware of.

A rule that has a score for nobody is refused. One that fails for some kind of miner is good, but its owner
should know: a warning says for which miners, and that they would be paid nothing. One that fails for every
miner of the last epoch may be good for others; the warning says that the version before it would pay.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

import numpy as np

from subnets import cel_arrays, naming, rule_document, rule_scores
from subnets.errors import RuleInvalid, RuleTooCostly
from subnets.metrics import LATENCY_FLOOR_MS, Metrics
from subnets.rule_document import Rule
from subnets.rule_scores import SCORE_MAX, Column, Scores

WARNINGS_MAX = 20  # what a person reads before publishing; the first ones are of the sample miners
KINDS_NAMED_MAX = 3  # kinds of miners named in one sentence
MINERS_TRIED_MAX = 512  # of the last epoch: twice a full subnet

_GOOD = Metrics(
    quality=0.97,
    sample_count=12,
    canary_quality=1.0,
    canary_count=3,
    latency_ms=240.0,
    work_units=60_000_000,
    credited_work_units=58_200_000.0,
    offered_count=40,
    completed_count=39,
    failed_count=1,
    success_rate=0.975,
)
# What a subnet sees in practice, and the edges of every metric. A miner nobody sampled has no metrics at
# all and no rule is asked about it, so `sample_count` is 1 at least, as in subnets.metrics.
SAMPLES: Mapping[str, Metrics] = {
    "a good miner": _GOOD,
    "a middling miner": replace(
        _GOOD,
        quality=0.6,
        canary_quality=0.67,
        latency_ms=900.0,
        credited_work_units=36_000_000.0,
        completed_count=30,
        failed_count=10,
        success_rate=0.75,
    ),
    "a newcomer with one result": replace(
        _GOOD,
        quality=1.0,
        sample_count=1,
        canary_count=0,
        work_units=1_000_000,
        credited_work_units=1_000_000.0,
        offered_count=1,
        completed_count=1,
        failed_count=0,
        success_rate=1.0,
    ),
    "a miner without a failure": replace(
        _GOOD, completed_count=40, failed_count=0, success_rate=1.0
    ),
    "a miner without a known answer among its samples": replace(_GOOD, canary_count=0),
    "a miner whose deliveries were not counted": replace(
        _GOOD, offered_count=0, completed_count=0, failed_count=0, success_rate=1.0
    ),
    "a miner that is always wrong": replace(
        _GOOD, quality=0.0, canary_quality=0.0, credited_work_units=0.0
    ),
    "a miner that hardly ever delivers": replace(
        _GOOD,
        sample_count=1,
        canary_count=0,
        offered_count=40,
        completed_count=0,
        failed_count=40,
        success_rate=0.0,
    ),
    "a miner faster than the clock": replace(_GOOD, latency_ms=LATENCY_FLOOR_MS),
    "a miner that takes a day": replace(_GOOD, latency_ms=86_400_000.0),
    "a miner whose results held no work": replace(_GOOD, work_units=0, credited_work_units=0.0),
    "a miner of enormous work": replace(
        _GOOD,
        sample_count=50_000,
        canary_count=50_000,
        work_units=10**15,
        credited_work_units=1e15,
        offered_count=10**6,
        completed_count=10**6,
        failed_count=10**6,
        success_rate=0.5,
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence about the part of the document at a JSON pointer."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What a trial found: problems forbid the rule, warnings are for its owner to weigh."""

    problems: tuple[Finding, ...]
    warnings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Opinion:
    """What an author hears of a document: the trial, and the digest where there is no problem."""

    trial: Trial
    digest: str


def opinion(
    document: str | bytes | Mapping[str, object], miners: Mapping[str, Metrics] | None = None
) -> Opinion:
    """Say all that is wrong with a document and all that its author should know; refuse nothing.

    Raises: RuleEvaluatorUnavailable.
    """
    try:
        rule = rule_document.parse(document)
        trial = tried(rule, miners)
    except RuleInvalid as refusal:
        listed = refusal.fields["problems"]
        assert isinstance(listed, list)
        problems = tuple(Finding(item["pointer"], item["detail"]) for item in listed)
        return Opinion(Trial(problems, ()), "")
    except RuleTooCostly as refusal:
        return Opinion(Trial((Finding("", str(refusal)),), ()), "")
    return Opinion(trial, "" if trial.problems else rule_document.digest(rule))


def checked(document: str | bytes | Mapping[str, object]) -> Rule:
    """Parse a document that is to be saved or published, and try it on the sample miners.

    Raises: RuleInvalid with every problem; RuleTooCostly, RuleEvaluatorUnavailable.
    """
    rule = rule_document.parse(document)
    problems = tried(rule).problems
    if problems:
        raise RuleInvalid(
            problems=[{"pointer": item.pointer, "detail": item.detail} for item in problems]
        )
    return rule


def tried(rule: Rule, miners: Mapping[str, Metrics] | None = None) -> Trial:
    """Evaluate a rule for the sample miners and, where given, for miners of the last epoch, by hotkey.

    Raises: RuleTooCostly, RuleEvaluatorUnavailable.
    """
    scores = _sampled(rule)
    problems = (*_unreadable(rule), *_problems(rule, scores))
    if problems:
        return Trial(problems, ())
    warnings = [*_faults(rule, scores, list(SAMPLES)), *_unpaid(rule, scores)]
    real = dict(islice((miners or {}).items(), MINERS_TRIED_MAX))
    if real:
        seen = rule_scores.score(rule, list(real.values()))
        who = [f"{hotkey[:8]}…" for hotkey in real]
        # First: it takes effect at once, and on all.
        warnings[:0] = _passed_over(seen)
        warnings += _faults(rule, seen, who, of="the last epoch’s miners")
    return Trial((), tuple(warnings[:WARNINGS_MAX]))


@lru_cache(
    maxsize=256
)  # a rule is tried when it is sent, saved and published; samples never change
def _sampled(rule: Rule) -> Scores:
    """Score the sample miners."""
    return rule_scores.score(rule, list(SAMPLES.values()))


def _unreadable(rule: Rule) -> Iterator[Finding]:
    """Find words that cannot be shown to those they are for; older rules may still hold such."""
    reasons = ((f"/gates/{place}/reason", gate.reason) for place, gate in enumerate(rule.gates))
    for pointer, text in (("/title", rule.title), *reasons):
        amiss = naming.unseen(text) or naming.towering(text)
        if amiss:
            yield Finding(pointer, f"{pointer[1:]} cannot be shown: {amiss}.")


def _problems(rule: Rule, scores: Scores) -> Iterator[Finding]:
    """Find what forbids a rule to be paid by: a score that exists for nobody, or values that CEL does not confirm."""
    if not scores.is_scored.any():
        yield Finding(
            "/score",
            f"The score could not be computed for any of {len(SAMPLES)} sample miners: "
            f"{_why_unscored(scores)}.",
        )
    for pointer in _unconfirmed(rule.expressions()):
        yield Finding(
            pointer, "Two ways of computing it gave different answers. Write it more simply."
        )


def _passed_over(seen: Scores) -> Iterator[Finding]:
    """Warn of a rule that, as in `rules.fault_of`, would not pay miners such as the last epoch's."""
    if not seen.is_scored.any():
        yield Finding(
            "/score",
            f"The score could not be computed for any of the last epoch’s {len(seen.units)} miners: "
            f"{_why_unscored(seen)}. In such an epoch this rule is passed over and the version before it "
            "pays.",
        )


def _why_unscored(scores: Scores) -> str:
    """Say every reason for which a miner has no score."""
    reasons = sorted(set(scores.raw.faults.values()))
    if np.any(scores.raw.values > SCORE_MAX):
        reasons.append(f"it is above the greatest allowed, {SCORE_MAX}")
    return "; ".join(reasons)


@lru_cache(maxsize=256)
def _unconfirmed(expressions: tuple[str, ...]) -> tuple[str, ...]:
    """Return the places where columns and CEL itself differ for a sample miner; none, as it should be."""
    rows = list(SAMPLES.values())
    both = zip(
        rule_scores.evaluated(expressions, rows), rule_scores.by_cel(expressions, rows), strict=True
    )
    return tuple(
        _pointer(place, of=len(expressions))
        for place, (ours, theirs) in enumerate(both)
        if ours.faults != theirs.faults
        or not np.array_equal(ours.values.astype(np.float64), theirs.values)
    )


def _faults(rule: Rule, scores: Scores, who: Sequence[str], *, of: str = "") -> Iterator[Finding]:
    """Warn of each fault of a gate or the score, naming the miners it strikes and what they show."""
    columns: tuple[Column, ...] = (*scores.gates, scores.raw)
    for place, (column, expression) in enumerate(zip(columns, rule.expressions(), strict=True)):
        pointer, is_score = _pointer(place, of=len(columns)), place == len(rule.gates)
        what = "The score" if is_score else "The gate"
        for fault in sorted(set(column.faults.values())):
            struck = [who[row] for row, why in column.faults.items() if why == fault]
            yield Finding(
                pointer,
                f"{what} cannot be computed for {_named(struck, of)}: {fault}. "
                f"Such a miner is paid nothing{_reading(expression)}.",
            )
    raw = scores.raw.values
    for amiss, why in (
        (
            raw > SCORE_MAX,
            f"is above the greatest allowed, {SCORE_MAX}; such a miner is paid nothing",
        ),
        (raw < 0, "is below zero and counts as zero"),
    ):
        struck = [who[row] for row in np.flatnonzero(amiss).tolist()]
        if struck:
            yield Finding("/score", f"The score of {_named(struck, of)} {why}.")


def _unpaid(rule: Rule, scores: Scores) -> Iterator[Finding]:
    """Warn of a rule that pays no sample miner, and name the gate that none of them passes."""
    if np.any(scores.units > 0):
        return
    for place, column in enumerate(scores.gates):
        if not column.values.any():
            yield Finding(
                f"/gates/{place}/if",
                f"None of {len(SAMPLES)} sample miners passes this gate. "
                "While nobody does, the miners’ part goes to the validators.",
            )
            return
    yield Finding(
        "/score",
        f"None of {len(SAMPLES)} sample miners would be paid. "
        "While nobody is, the miners’ part goes to the validators.",
    )


def _pointer(place: int, *, of: int) -> str:
    """Return where the expression at a place of `Rule.expressions` stands: the score is the last."""
    return "/score" if place == of - 1 else f"/gates/{place}/if"


def _named(struck: Sequence[str], of: str) -> str:
    """Name a few of those struck: "a good miner and 2 more"."""
    few = list(struck[:KINDS_NAMED_MAX])
    more = len(struck) - len(few)
    told = f"{', '.join(few)} and {more} more" if more else _listed(few)
    return f"{len(struck)} of {of} ({told})" if of else told


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _reading(expression: str) -> str:
    """Say which metrics an expression reads; nothing when it reads none."""
    read = sorted(cel_arrays.metrics_read([expression]))
    return f" (the formula reads {_listed(read)})" if read else ""
