"""The incentive rule's public door: parse a document, evaluate it, explain every weight.

    rule = rules.parse(document)
    evaluation = rules.evaluate(rule, measured[validator], previous)
    evaluation.weights_u16          # {miner: 1..65535}
    evaluation.of(miner).reasons    # why this weight and not another

The road of a score: metrics → a float (`rule_scores`) → an integer on the scale 2**32, the only place
where floats become integers → moving average → shaping → weights on 2**32 → u16 (`rule_weights`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import overload

import numpy as np

from subnets import rule_scores, rule_weights
from subnets.default_rules import DEFAULT_RULES
from subnets.grids import Grid
from subnets.metrics import METRICS, Metrics, Rows, Table
from subnets.rule_document import Gate, Rule, canonical, digest, parse
from subnets.rule_expression import FUNCTIONS
from subnets.rule_scores import SCORE_MAX, Column, Scores
from subnets.rule_weights import Brought, Known, Weighed
from subnets.shaping import SCALE, SHAPINGS

__all__ = [
    "DEFAULT_RULES",
    "FUNCTIONS",
    "METRICS",
    "SCALE",
    "SCORE_MAX",
    "SHAPINGS",
    "Evaluation",
    "GateOutcome",
    "Known",
    "MinerOutcome",
    "Rule",
    "Window",
    "canonical",
    "digest",
    "evaluate",
    "evaluate_windows",
    "fault_of",
    "parse",
    "reasons",
]

NOTHING_KNOWN = Known()
UNSAMPLED = "Not sampled; it keeps its earlier score in part."
OUTDONE = "Another miner of the same owner did better, and this rule pays one of each owner."


@dataclass(frozen=True, slots=True)
class Window:
    """What one validator brings to an epoch.

    metrics_by_miner: the miners it sampled. previous: the smoothed scores (2**32) it ended the last epoch with, of
    miners still registered. incumbent: who held all its weight.
    """

    metrics_by_miner: Mapping[str, Metrics]
    previous: Mapping[str, int] = field(default_factory=dict)
    incumbent: str | None = None

    @property
    def sampled(self) -> tuple[str, ...]:
        """Return the miners it sampled, sorted."""
        by_miner = self.metrics_by_miner
        return by_miner.miners if isinstance(by_miner, Table) else tuple(sorted(by_miner))


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """Whether a miner passed a gate; reason is empty when it did."""

    condition: str
    is_passed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class MinerOutcome:
    """How one miner came to its weight.

    raw_score: what the expression gave; None when unsampled or in error. score, smoothed, weight: on the
    scale 2**32. weight_u16: 0 when it is dropped. reasons: sentences, why it is not paid its score.
    """

    miner: str
    is_sampled: bool
    gates: tuple[GateOutcome, ...]
    raw_score: float | None
    score: int
    smoothed: int
    weight: int
    weight_u16: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A rule applied to one validator's window. How each miner came to its weight is told when asked.

    sampled: the miners sampled, sorted. scores: what the rule said of the rows of all windows; this
    window's begin at `start`. weighed: the weights of all windows; this window's stand in `row`.
    """

    rule: Rule
    rule_digest: str
    sampled: tuple[str, ...]
    scores: Scores = field(repr=False)
    start: int
    weighed: Weighed = field(repr=False)
    row: int

    @cached_property
    def outcomes(self) -> tuple[MinerOutcome, ...]:
        """Return every miner's outcome, sorted by miner."""
        listed = self.weighed.is_listed[self.row].nonzero()[0].tolist()
        return tuple(self._outcome(column, self._rows.get(column)) for column in listed)

    @property
    def weights_u16(self) -> dict[str, int]:
        """Return the weights as the chain stores them: the greatest is 65535, zeros are left out."""
        return self.weighed.row(self.weighed.weights_u16[self.row])

    @property
    def smoothed(self) -> dict[str, int]:
        """Return the scores to hand back as `previous` in the next epoch; empty without smoothing."""
        if self.rule.smoothing is None:
            return {}
        return self.weighed.row(self.weighed.smoothed[self.row])

    @property
    def winner(self) -> str | None:
        """Return the miner that holds all weight, to hand back as `incumbent`; None when shared."""
        return self.weighed.winners[self.row]

    @property
    def computed_count(self) -> int:
        """Return for how many sampled miners the rule has a score, be it zero or behind a gate."""
        return int(self.scores.is_scored[self.start : self._stop].sum())

    @property
    def reasons(self) -> dict[str, tuple[str, ...]]:
        """Return by miner why it is not paid its score; a miner that is does not stand in it."""
        here, weighed = slice(self.start, self._stop), self.weighed
        is_told = weighed.is_outdone[self.row] | (
            weighed.is_listed[self.row] & ~weighed.is_sampled[self.row]
        )
        amiss = ~self.scores.is_valid[here] | (self.scores.raw.values[here] < 0)
        is_told[weighed.is_sampled[self.row].nonzero()[0][amiss]] = True
        return {
            weighed.miners[column]: self._reasons(column, self._rows.get(column))
            for column in is_told.nonzero()[0].tolist()
        }

    def of(self, miner: str) -> MinerOutcome | None:
        """Return one miner's outcome, without putting the others' together; None when it has none."""
        column = self.weighed.column(miner)
        if column is None or not self.weighed.is_listed[self.row, column]:
            return None
        return self._outcome(column, self._rows.get(column))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Evaluation) and (self.rule_digest, self.outcomes) == (
            other.rule_digest,
            other.outcomes,
        )

    __hash__ = None  # type: ignore[assignment]  # equal by what it says, which is long

    @property
    def _stop(self) -> int:
        return self.start + len(self.sampled)

    @cached_property
    def _rows(self) -> dict[int, int]:
        """Return the row of the scores by column, of the miners that were sampled."""
        columns = self.weighed.is_sampled[self.row].nonzero()[0].tolist()
        return dict(zip(columns, range(self.start, self._stop), strict=True))

    def _outcome(self, column: int, row: int | None) -> MinerOutcome:
        """Put one miner's outcome together; without a row it is unsampled and carried."""
        weighed, scores, place = self.weighed, self.scores, (self.row, column)
        gates = () if row is None else self._gates(row)
        return MinerOutcome(
            miner=weighed.miners[column],
            is_sampled=row is not None,
            gates=gates,
            raw_score=None
            if row is None or row in scores.raw.faults
            else float(scores.raw.values[row]),
            score=0 if row is None else int(scores.units[row]),
            smoothed=int(weighed.smoothed[place]) if self.rule.smoothing else 0,
            weight=int(weighed.weights[place]),
            weight_u16=int(weighed.weights_u16[place]),
            reasons=self._reasons(column, row),
        )

    def _reasons(self, column: int, row: int | None) -> tuple[str, ...]:
        """Say why a miner is not paid its score: what stands in its way, in order."""
        outdone = (OUTDONE,) if self.weighed.is_outdone[self.row, column] else ()
        if row is None:
            return (UNSAMPLED, *outdone)
        failed = (
            self._gate_reason(gate, column_said, row)
            for gate, column_said in zip(self.rule.gates, self.scores.gates, strict=True)
            if row in column_said.faults or not column_said.values[row]
        )
        return (*failed, *self._score_reasons(row), *outdone)

    def _gates(self, row: int) -> tuple[GateOutcome, ...]:
        """Read the gates; one that cannot be computed is not passed."""
        outcomes = []
        for gate, column in zip(self.rule.gates, self.scores.gates, strict=True):
            is_passed = row not in column.faults and bool(column.values[row])
            reason = "" if is_passed else self._gate_reason(gate, column, row)
            outcomes.append(GateOutcome(gate.condition, is_passed=is_passed, reason=reason))
        return tuple(outcomes)

    @staticmethod
    def _gate_reason(gate: Gate, column: Column, row: int) -> str:
        """Say what a gate says to whom it keeps out, and why where it could not be computed."""
        fault = column.faults.get(row)
        return (
            gate.reason if fault is None else f"{gate.reason} (It could not be computed: {fault}.)"
        )

    def _score_reasons(self, row: int) -> tuple[str, ...]:
        """Say what is wrong with a score; nothing when it counts as it is."""
        fault = self.scores.raw.faults.get(row)
        if fault is not None:
            return (f"The score could not be computed: {fault}.",)
        raw_score = float(self.scores.raw.values[row])
        if raw_score > SCORE_MAX:
            # In full: rounded, one just above would read like the limit itself.
            return (f"The score {raw_score!r} is above the greatest allowed, {SCORE_MAX}.",)
        if raw_score < 0:
            return (f"The score {raw_score:g} is below zero and counts as zero.",)
        return ()


@dataclass(frozen=True, slots=True, eq=False)
class Evaluations(Sequence[Evaluation]):
    """A rule applied to the windows of validators: an evaluation for each, and all their weights in one table."""

    each: tuple[Evaluation, ...]
    weighed: Weighed

    @overload
    def __getitem__(self, place: int) -> Evaluation: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Evaluation, ...]: ...
    def __getitem__(self, place: int | slice) -> Evaluation | tuple[Evaluation, ...]:
        """Return the evaluation of one window."""
        return self.each[place]

    def __len__(self) -> int:
        return len(self.each)


def evaluate(
    rule: Rule,
    metrics_by_miner: Mapping[str, Metrics],
    previous: Mapping[str, int] | None = None,
    *,
    incumbent: str | None = None,
) -> Evaluation:
    """Apply the rule to one validator's metrics.

    previous: `Evaluation.smoothed` of the last epoch, without miners no longer registered. A miner whose
    expression fails is paid nothing and told why; it never stops the others.
    Raises: RuleTooCostly, RuleEvaluatorUnavailable; RuleInvalid when the rule was not made by `parse`.
    """
    return evaluate_windows(rule, [Window(metrics_by_miner, previous or {}, incumbent)])[0]


def evaluate_windows(
    rule: Rule, windows: Sequence[Window], known: Known = NOTHING_KNOWN
) -> Evaluations:
    """Apply the rule to many validators' windows, all their rows at once.

    Raises: ValueError when a previous score is below zero or past 64 bits.
    """
    sampled = [window.sampled for window in windows]
    scores = rule_scores.score(rule, Rows([window.metrics_by_miner for window in windows]))
    brought = Brought(
        sampled=sampled,
        units=scores.units,
        is_valid=scores.is_valid,
        previous=Grid.of_rows([window.previous for window in windows]),
        incumbents=[window.incumbent for window in windows],
    )
    weighed, identity = rule_weights.weigh(rule, brought, known), digest(rule)
    starts = accumulate(map(len, sampled), initial=0)
    return Evaluations(
        tuple(
            Evaluation(rule, identity, own, scores, start, weighed, row)
            for row, (own, start) in enumerate(zip(sampled, starts, strict=False))
        ),
        weighed,
    )


def fault_of(said: Sequence[Evaluation]) -> str:
    """Say why a rule cannot be paid by: it failed for every miner that was sampled. Empty when it can.

    It failed for a miner whose score cannot be computed, such as by a division by zero, or is too great.
    """
    sampled = [one for one in said if one.sampled]
    if not sampled or any(one.computed_count for one in sampled):
        return ""
    if np.any(sampled[0].scores.raw.values > SCORE_MAX):
        return f"its score was above {SCORE_MAX}, or could not be computed, for every miner."
    return "its score could be computed for no miner."


def reasons(said: Iterable[Evaluation]) -> dict[str, tuple[str, ...]]:
    """Collect, by miner, why the rule did not pay it what it scored, over many windows."""
    collected: dict[str, set[str]] = {}
    for evaluation in said:
        for miner, told in evaluation.reasons.items():
            collected.setdefault(miner, set()).update(told)
    return {miner: tuple(sorted(told)) for miner, told in sorted(collected.items())}
