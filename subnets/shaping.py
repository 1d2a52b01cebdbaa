"""Turn scores into weights: linear, power, softmax, top-k, winner takes all.

Scores and weights are integers on the scale 2**32, and every step here is integer or correctly
rounded decimal arithmetic in software: the same scores give the same weights on every machine, which
float `pow` and `exp` of different C libraries do not promise.

For each shaping: only scores above zero take part, miners with equal scores get equal weights, and a
miner's weight never falls when only its own score rises.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from types import MappingProxyType
from typing import ClassVar

SCALE = 2**32  # one whole: a score of 1.0, or all of the weight
PPM = 1_000_000
U16_MAX = 65_535  # subtensor set_weights: weights are u16, the greatest scaled up to 65535

# Masses carry 30 decimal places: finer than 2**-32 by twenty orders, so what vanishes has no weight.
_MASS_UNIT = 10**30
_EXACT = Context(prec=45, traps=[])
_NEGLIGIBLE = Decimal(-70)  # exp(-70) < 10**-30, below one unit of mass


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a shaping: its bounds, both inclusive, and what it does. No default: required."""

    low: int
    high: int
    doc: str
    default: int | None = None


@dataclass(frozen=True, slots=True)
class Shaping(ABC):
    """A way from scores to weights; each kind is one subclass whose fields are its parameters."""

    kind: ClassVar[str]
    doc: ClassVar[str]
    parameters: ClassVar[Mapping[str, Parameter]] = MappingProxyType({})

    @abstractmethod
    def masses(self, scores: Mapping[str, int], incumbent: str | None) -> dict[str, int]:
        """Return relative masses, >= 0, of miners whose scores are all above zero (at least one)."""

    def document(self) -> dict[str, str | int]:
        """Return the shaping as it stands in a rule document, defaults written out."""
        return {"kind": self.kind, **{name: getattr(self, name) for name in self.parameters}}


@dataclass(frozen=True, slots=True)
class Linear(Shaping):
    """Give weight in proportion to score. Splitting one miner into two neither gains nor loses."""

    kind: ClassVar[str] = "linear"
    doc: ClassVar[str] = "Weight in proportion to score."

    def masses(self, scores: Mapping[str, int], incumbent: str | None) -> dict[str, int]:
        """Return the scores themselves."""
        del incumbent
        return dict(scores)


@dataclass(frozen=True, slots=True)
class Power(Shaping):
    """Give weight in proportion to score**exponent; above 1 it favours the best."""

    exponent_ppm: int

    kind: ClassVar[str] = "power"
    doc: ClassVar[str] = "Weight in proportion to the score to a power."
    # Up to 16: at 16 a score of 0.9 of the best is paid 0.19 of it; beyond, winner_takes_all says it.
    parameters: ClassVar[Mapping[str, Parameter]] = MappingProxyType(
        {"exponent_ppm": Parameter(100_000, 16_000_000, "The power, in millionths (2000000 = 2).")}
    )

    def masses(self, scores: Mapping[str, int], incumbent: str | None) -> dict[str, int]:
        """Return (score / best)**exponent, as exp(exponent * ln(ratio)), both correctly rounded."""
        del incumbent
        best = Decimal(max(scores.values()))
        exponent = Decimal(self.exponent_ppm) / PPM
        logs = {
            miner: _EXACT.multiply(exponent, _EXACT.ln(_EXACT.divide(Decimal(score), best)))
            for miner, score in scores.items()
        }
        return {miner: _exp_mass(log) for miner, log in logs.items()}


@dataclass(frozen=True, slots=True)
class Softmax(Shaping):
    """Give weight in proportion to exp(score / temperature); low temperatures favour the best."""

    temperature_ppm: int

    kind: ClassVar[str] = "softmax"
    doc: ClassVar[str] = "Weight in proportion to exp(score / temperature)."
    # From 0.001, where a lead of 0.01 in score is worth e**10: in effect winner takes all.
    parameters: ClassVar[Mapping[str, Parameter]] = MappingProxyType(
        {
            "temperature_ppm": Parameter(
                1_000, 1_000_000_000, "The temperature, in millionths of a score (100000 = 0.1)."
            )
        }
    )

    def masses(self, scores: Mapping[str, int], incumbent: str | None) -> dict[str, int]:
        """Return exp((score - best) / temperature): the greatest exponent is 0, nothing overflows."""
        del incumbent
        best = max(scores.values())
        unit = Decimal(SCALE * self.temperature_ppm)
        return {
            miner: _exp_mass(_EXACT.divide(Decimal((score - best) * PPM), unit))
            for miner, score in scores.items()
        }


@dataclass(frozen=True, slots=True)
class TopK(Shaping):
    """Give weight in proportion to score among the k best; all who tie with the k-th take part."""

    k: int

    kind: ClassVar[str] = "top_k"
    doc: ClassVar[str] = "Weight in proportion to score among the k best."
    # A subnet has at most 256 neurons, so a greater k would be linear under another name.
    parameters: ClassVar[Mapping[str, Parameter]] = MappingProxyType(
        {"k": Parameter(1, 256, "How many of the best are paid.")}
    )

    def masses(self, scores: Mapping[str, int], incumbent: str | None) -> dict[str, int]:
        """Return the scores at or above the k-th best, and zero for the rest."""
        del incumbent
        ranked = sorted(scores.values(), reverse=True)
        threshold = ranked[min(self.k, len(ranked)) - 1]
        return {miner: score if score >= threshold else 0 for miner, score in scores.items()}


@dataclass(frozen=True, slots=True)
class WinnerTakesAll(Shaping):
    """Give all weight to the best. The incumbent keeps it until beaten by more than the margin.

    Without an incumbent, miners who tie for best share evenly. A margin absorbs noise and makes a
    copy of the leader worthless.
    """

    margin_ppm: int = 0

    kind: ClassVar[str] = "winner_takes_all"
    doc: ClassVar[str] = "All weight to the best; the holder keeps it until beaten by the margin."
    # At most one half: a holder who could only be beaten by more would hold for ever.
    parameters: ClassVar[Mapping[str, Parameter]] = MappingProxyType(
        {
            "margin_ppm": Parameter(
                0, 500_000, "How much better a challenger must be, in millionths of the holder.", 0
            )
        }
    )

    def masses(self, scores: Mapping[str, int], incumbent: str | None) -> dict[str, int]:
        """Return 1 for the winner, or for each who ties for it, and 0 for the rest."""
        best = max(scores.values())
        defended = scores.get(incumbent, 0) * (PPM + self.margin_ppm) if incumbent else 0
        if defended >= best * PPM:
            return {miner: int(miner == incumbent) for miner in scores}
        return {miner: int(score == best) for miner, score in scores.items()}


SHAPINGS: Mapping[str, type[Shaping]] = MappingProxyType(
    {shaping.kind: shaping for shaping in (Linear, Power, Softmax, TopK, WinnerTakesAll)}
)


def weights(
    shaping: Shaping, scores: Mapping[str, int], *, incumbent: str | None = None
) -> dict[str, int]:
    """Shape scores into weights.

    scores: integers >= 0 on the scale 2**32. incumbent: who held all weight last (winner_takes_all).
    Returns every miner of `scores`, in its order; the weights sum to 2**32 within half a unit a miner,
    or are all zero when no score is above zero.
    """
    assert all(score >= 0 for score in scores.values())
    eligible = {miner: score for miner, score in scores.items() if score > 0}
    if not eligible:
        return dict.fromkeys(scores, 0)
    masses = shaping.masses(eligible, incumbent)
    total = sum(masses.values())
    assert total > 0
    return {miner: _rounded(masses.get(miner, 0) * SCALE, total) for miner in scores}


def max_upscale(shares: Mapping[str, int]) -> dict[str, int]:
    """Scale weights so that the greatest is 65535, as the chain stores them, and drop zeros.

    Source: docs of set_weights, bittensor `convert_weights_and_uids_for_emit`: round(65535 * w / max).
    """
    greatest = max(shares.values(), default=0)
    if greatest == 0:
        return {}
    scaled = {miner: _rounded(share * U16_MAX, greatest) for miner, share in shares.items()}
    return {miner: weight for miner, weight in scaled.items() if weight > 0}


def _exp_mass(exponent: Decimal) -> int:
    """Return exp(exponent) in units of mass, for an exponent <= 0."""
    if exponent < _NEGLIGIBLE:
        return 0
    return int(_EXACT.to_integral_value(_EXACT.multiply(_EXACT.exp(exponent), _MASS_UNIT)))


def _rounded(numerator: int, denominator: int) -> int:
    """Divide and round to the nearest integer, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)
