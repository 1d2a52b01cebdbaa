"""Turn scores into masses: in proportion, by power, softmax, place, or all to one. `subnets.sharing` divides by them.

Scores and weights are integers on the scale 2**32, and every step here is integer arithmetic, curves
included (`subnets.curves`): the same scores give the same weights on every machine, which float `pow` and
`exp` of different C libraries do not promise.

For each shaping, with or without cap and floor: only scores above zero take part, miners with equal scores
get equal weights, a better score is never paid less, and a miner's weight never falls when only its own
score rises.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from subnets import curves

SCALE = 2**32  # one whole: a score of 1.0, or all of the weight
PPM = 1_000_000
U16_MAX = 65_535  # subtensor set_weights: weights are u16, the greatest scaled up to 65535

# The place of a rung that has shrunk below a unit of mass no longer matters: 2**-96 of the first.
_RUNG_ONE = curves.ONE


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of a shaping: its bounds, both inclusive, and what it does. No default: required.

    is_silent: left out of the document at its default, for it came later than rules that are published.
    """

    low: int
    high: int
    doc: str
    default: int | None = None
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class Shaping(ABC):
    """A way from scores to weights; each kind is one subclass whose fields are its parameters."""

    kind: ClassVar[str]
    doc: ClassVar[str]
    parameters: ClassVar[Mapping[str, Parameter]] = MappingProxyType({})
    pays_one: ClassVar[bool] = False
    is_proportional: ClassVar[bool] = False  # the masses are the scores themselves

    @abstractmethod
    def masses(self, scores: Sequence[int], incumbent: int | None) -> list[int]:
        """Return relative masses, >= 0, for scores that are all above zero (at least one).

        incumbent: the place in `scores` of who held all weight last.
        """

    def document(self) -> dict[str, str | int]:
        """Return the shaping as it stands in a rule document, defaults written out but for silent ones."""
        numbers = {
            name: getattr(self, name)
            for name, parameter in self.parameters.items()
            if not (parameter.is_silent and getattr(self, name) == parameter.default)
        }
        return {"kind": self.kind, **numbers}


@dataclass(frozen=True, slots=True)
class Linear(Shaping):
    """Give weight in proportion to score. Splitting one miner into two neither gains nor loses."""

    kind: ClassVar[str] = "linear"
    doc: ClassVar[str] = "Weight in proportion to score."
    is_proportional: ClassVar[bool] = True

    def masses(self, scores: Sequence[int], incumbent: int | None) -> list[int]:
        """Return the scores themselves."""
        del incumbent
        return list(scores)


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

    def masses(self, scores: Sequence[int], incumbent: int | None) -> list[int]:
        """Return score**exponent for a whole exponent, else (score / best)**exponent by logarithms."""
        del incumbent
        whole, part = divmod(self.exponent_ppm, PPM)
        if part == 0:
            return [score**whole for score in scores]
        best = curves.ln_of(max(scores))
        return [
            curves.exp_of_minus(max(0, best - curves.ln_of(score)) * self.exponent_ppm // PPM)
            for score in scores
        ]


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

    def masses(self, scores: Sequence[int], incumbent: int | None) -> list[int]:
        """Return exp((score - best) / temperature): the greatest exponent is 0, nothing overflows."""
        del incumbent
        best = max(scores)
        scale = curves.ONE * PPM
        unit = SCALE * self.temperature_ppm
        return [curves.exp_of_minus((best - score) * scale // unit) for score in scores]


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

    def masses(self, scores: Sequence[int], incumbent: int | None) -> list[int]:
        """Return the scores at or above the k-th best, and zero for the rest."""
        del incumbent
        ranked = sorted(scores, reverse=True)
        threshold = ranked[min(self.k, len(ranked)) - 1]
        return [score if score >= threshold else 0 for score in scores]


# From 0.001, below which the second best gets nothing that a u16 could hold beside the best, to 0.999,
# above which place hardly counts any more.
_DECAY = Parameter(
    1_000,
    999_000,
    "What each place is worth of the place before it, in millionths (500000 = half).",
)


@dataclass(frozen=True, slots=True)
class RankDecay(Shaping):
    """Give weight by place alone: decay**(rank - 1). Who tie share the weights of their places evenly.

    How far ahead the best is does not count, so one outstanding miner cannot starve the rest.
    """

    decay_ppm: int

    kind: ClassVar[str] = "rank_decay"
    doc: ClassVar[str] = "Weight by place: each place is worth a fixed part of the place before it."
    parameters: ClassVar[Mapping[str, Parameter]] = MappingProxyType({"decay_ppm": _DECAY})

    def masses(self, scores: Sequence[int], incumbent: int | None) -> list[int]:
        """Return decay**(rank - 1)."""
        del incumbent
        rungs = _rungs(scores, self.decay_ppm)
        return [rungs[score] for score in scores]


@dataclass(frozen=True, slots=True)
class ScoreRankDecay(Shaping):
    """Give weight in proportion to score * decay**(rank - 1). Who tie share the factors of their places."""

    decay_ppm: int

    kind: ClassVar[str] = "score_rank_decay"
    doc: ClassVar[str] = (
        "Weight in proportion to score, reduced by a fixed part from place to place."
    )
    parameters: ClassVar[Mapping[str, Parameter]] = MappingProxyType({"decay_ppm": _DECAY})

    def masses(self, scores: Sequence[int], incumbent: int | None) -> list[int]:
        """Return score * decay**(rank - 1)."""
        del incumbent
        rungs = _rungs(scores, self.decay_ppm)
        return [score * rungs[score] for score in scores]


@dataclass(frozen=True, slots=True)
class WinnerTakesAll(Shaping):
    """Give all weight to the best. The incumbent keeps it until beaten by more than the margin.

    Without an incumbent, miners who tie for best share evenly. A margin absorbs noise and makes a
    copy of the leader worthless.
    """

    margin_ppm: int = 0
    margin_score_ppm: int = 0

    kind: ClassVar[str] = "winner_takes_all"
    doc: ClassVar[str] = "All weight to the best; the holder keeps it until beaten by the margin."
    pays_one: ClassVar[bool] = True
    # At most one half: a holder who could only be beaten by more would hold for ever.
    parameters: ClassVar[Mapping[str, Parameter]] = MappingProxyType(
        {
            "margin_ppm": Parameter(
                0, 500_000, "How much better a challenger must be, in millionths of the holder.", 0
            ),
            "margin_score_ppm": Parameter(
                0,
                500_000,
                "How much better besides, in millionths of a score, whatever the holder has.",
                0,
                is_silent=True,
            ),
        }
    )

    def masses(self, scores: Sequence[int], incumbent: int | None) -> list[int]:
        """Return 1 for the winner, or for each who ties for it, and 0 for the rest."""
        best = max(scores)
        if incumbent is not None:
            defended = scores[incumbent] * (PPM + self.margin_ppm) + self.margin_score_ppm * SCALE
            if defended >= best * PPM:
                return [int(place == incumbent) for place in range(len(scores))]
        return [int(score == best) for score in scores]


SHAPINGS: Mapping[str, type[Shaping]] = MappingProxyType(
    {
        shaping.kind: shaping
        for shaping in (Linear, Power, Softmax, TopK, RankDecay, ScoreRankDecay, WinnerTakesAll)
    }
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one miner may get of the whole at most (a cap), and what each paid miner gets at least.

    In millionths. A cap that the paid miners cannot fill together, being too few, gives way: they share
    alike. The floors of all paid miners must fit into the whole.
    """

    max_share_ppm: int = PPM
    floor_ppm: int = 0


UNBOUND = Bounds()


def _rungs(scores: Sequence[int], decay_ppm: int) -> dict[int, int]:
    """Return decay**(rank - 1) by score; scores that tie get the mean of their places."""
    rungs: dict[int, int] = {}
    rung, place = _RUNG_ONE, 0
    ranked = sorted(scores, reverse=True)
    while place < len(ranked):
        score, tied, whole = ranked[place], 0, 0
        while place < len(ranked) and ranked[place] == score:
            whole, tied, place = whole + rung, tied + 1, place + 1
            rung = rung * decay_ppm // PPM
        rungs[score] = whole // tied
    return rungs
