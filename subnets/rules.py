"""The incentive rule's public door: parse a document, evaluate it, explain every weight.

    rule = rules.parse(document)
    evaluation = rules.evaluate(rule, metrics.metrics_of(...), previous)
    evaluation.weights_u16          # {miner: 1..65535}
    evaluation.of(miner).reasons    # why this weight and not another

The road of a score: CEL gives a float → `score_units` makes it an integer on the scale 2**32, the only
place where floats become integers → moving average → shaping → weights on 2**32 → u16.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from subnets import cel_sandbox, shaping
from subnets.cel_sandbox import Value
from subnets.default_rules import DEFAULT_RULES
from subnets.errors import RuleInvalid
from subnets.metrics import METRICS, Metrics
from subnets.rule_document import Gate, Rule, Smoothing, canonical, digest, parse
from subnets.rule_expression import FUNCTIONS, compile_problem, runtime_problem
from subnets.shaping import PPM, SCALE, SHAPINGS

__all__ = [
    "DEFAULT_RULES",
    "FUNCTIONS",
    "METRICS",
    "SCALE",
    "SHAPINGS",
    "Evaluation",
    "GateOutcome",
    "MinerOutcome",
    "Rule",
    "Window",
    "canonical",
    "digest",
    "evaluate",
    "evaluate_windows",
    "parse",
    "score_units",
]

# score * 2**32 stays below 2**63: a smoothed score fits a signed 64-bit column.
SCORE_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Window:
    """What one validator brings to an epoch.

    metrics_by_miner: the miners it sampled. previous: the smoothed scores (2**32) it ended the last
    epoch with, of miners still registered. incumbent: who held all its weight, for winner_takes_all.
    """

    metrics_by_miner: Mapping[str, Metrics]
    previous: Mapping[str, int] = field(default_factory=dict)
    incumbent: str | None = None


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


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A rule applied to one validator's window: outcomes sorted by miner."""

    rule_digest: str
    outcomes: tuple[MinerOutcome, ...]

    @property
    def weights_u16(self) -> dict[str, int]:
        """Return the weights as the chain stores them: the greatest is 65535, zeros are left out."""
        return {item.miner: item.weight_u16 for item in self.outcomes if item.weight_u16}

    @property
    def smoothed(self) -> dict[str, int]:
        """Return the scores to hand back as `previous` in the next epoch; empty without smoothing."""
        return {item.miner: item.smoothed for item in self.outcomes if item.smoothed}

    @property
    def winner(self) -> str | None:
        """Return the miner that holds all weight, to hand back as `incumbent`; None when shared."""
        paid = [item.miner for item in self.outcomes if item.weight]
        return paid[0] if len(paid) == 1 else None

    def of(self, miner: str) -> MinerOutcome | None:
        """Return one miner's outcome."""
        return next((item for item in self.outcomes if item.miner == miner), None)


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the expressions say about one sampled miner; score is None when it has no valid score."""

    gates: tuple[GateOutcome, ...]
    raw_score: float | None
    score: int | None
    reasons: tuple[str, ...]


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


def evaluate_windows(rule: Rule, windows: Sequence[Window]) -> tuple[Evaluation, ...]:
    """Apply the rule to many validators' windows, with as few child processes as their rows need."""
    rows = [window.metrics_by_miner[key] for window in windows for key in _sampled(window)]
    checked, values = cel_sandbox.evaluate_rows(rule.expressions(), rows)
    problems = [
        {"pointer": "", "detail": compile_problem(item.error)} for item in checked if item.error
    ]
    if problems:
        raise RuleInvalid(problems=problems)
    remaining = iter(values)
    identity = digest(rule)
    return tuple(
        Evaluation(
            identity,
            _outcomes(
                rule, window, {key: _judged(rule, next(remaining)) for key in _sampled(window)}
            ),
        )
        for window in windows
    )


def score_units(raw_score: float) -> int:
    """Turn a finite score >= 0 into an integer on the scale 2**32: exact product, halves to even.

    The one place where floats become integers; everything after it is integer arithmetic.
    """
    return round(Fraction(raw_score) * SCALE)


def _sampled(window: Window) -> list[str]:
    """Return the sampled miners in the one order used everywhere."""
    return sorted(window.metrics_by_miner)


def _judged(rule: Rule, values: tuple[Value, ...]) -> _Judged:
    """Read the gates' values and the score's."""
    *gate_values, score_value = values
    gates = tuple(
        _gate_outcome(gate, value) for gate, value in zip(rule.gates, gate_values, strict=True)
    )
    reasons = [gate.reason for gate in gates if not gate.is_passed]
    if score_value.error or score_value.value is None:
        reasons.append(f"The score could not be computed: {runtime_problem(score_value.error)}.")
        return _Judged(gates, None, None, tuple(reasons))
    raw_score = score_value.value
    if raw_score > SCORE_MAX:
        reasons.append(f"The score {raw_score:g} is above the greatest allowed, {SCORE_MAX}.")
        return _Judged(gates, float(raw_score), None, tuple(reasons))
    if raw_score < 0:
        reasons.append(f"The score {raw_score:g} is below zero and counts as zero.")
    is_valid = all(gate.is_passed for gate in gates)
    score = score_units(max(raw_score, 0)) if is_valid else None
    return _Judged(gates, float(raw_score), score, tuple(reasons))


def _gate_outcome(gate: Gate, value: Value) -> GateOutcome:
    """Read one gate; a gate that cannot be computed is not passed."""
    if value.error:
        reason = f"{gate.reason} (It could not be computed: {runtime_problem(value.error)}.)"
        return GateOutcome(gate.condition, is_passed=False, reason=reason)
    is_passed = value.value is True
    return GateOutcome(gate.condition, is_passed=is_passed, reason="" if is_passed else gate.reason)


def _outcomes(
    rule: Rule, window: Window, judged: Mapping[str, _Judged]
) -> tuple[MinerOutcome, ...]:
    """Smooth, shape and scale the scores of one window."""
    previous = window.previous if rule.smoothing else {}
    assert all(score >= 0 for score in previous.values())
    miners = sorted({*judged, *(miner for miner, score in previous.items() if score)})
    smoothed = {
        miner: _smoothed(rule.smoothing, previous.get(miner), judged.get(miner)) for miner in miners
    }
    payable = {
        miner: score if _is_paid(judged.get(miner)) else 0 for miner, score in smoothed.items()
    }
    weights = shaping.weights(rule.shaping, payable, incumbent=window.incumbent)
    scaled = shaping.max_upscale(weights)
    return tuple(
        _outcome(
            miner,
            judged.get(miner),
            smoothed=smoothed[miner] if rule.smoothing else 0,
            weight=weights[miner],
            weight_u16=scaled.get(miner, 0),
        )
        for miner in miners
    )


def _is_paid(judged: _Judged | None) -> bool:
    """Say whether a miner may be paid now: it is unsampled and carried, or it has a valid score."""
    return judged is None or judged.score is not None


def _smoothed(smoothing: Smoothing | None, previous: int | None, judged: _Judged | None) -> int:
    """Average a valid score into the previous one; a first score counts whole, so no newcomer starts low.

    Without a valid score (unsampled, a gate not passed, an error) the previous one is kept in part.
    Source: s = (1 - a) * s + a * x, only when sampled; half a unit rounds up.
    """
    score = judged.score if judged else None
    if smoothing is None:
        return score or 0
    if score is None:
        return (previous or 0) * smoothing.idle_keep_ppm // PPM
    if previous is None:
        return score
    alpha = smoothing.ema_alpha_ppm
    return (previous * (PPM - alpha) + score * alpha + PPM // 2) // PPM


def _outcome(
    miner: str, judged: _Judged | None, *, smoothed: int, weight: int, weight_u16: int
) -> MinerOutcome:
    """Put one miner's outcome together; without a judgement it is unsampled and carried."""
    if judged is None:
        judged = _Judged((), None, None, ("Not sampled; it keeps its earlier score in part.",))
        is_sampled = False
    else:
        is_sampled = True
    return MinerOutcome(
        miner=miner,
        is_sampled=is_sampled,
        gates=judged.gates,
        raw_score=judged.raw_score,
        score=judged.score or 0,
        smoothed=smoothed,
        weight=weight,
        weight_u16=weight_u16,
        reasons=judged.reasons,
    )
