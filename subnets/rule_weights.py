"""From one validator's scores to its weights: moving average, one miner an owner, shaping, u16.

All integers. A score is on the scale 2**32; None stands for a miner that was sampled and has no valid
score, because it failed a gate or its score could not be computed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from subnets import shaping
from subnets.rule_document import Rule, Smoothing
from subnets.shaping import PPM

# From there on the correction no longer changes; at an alpha of 0.001 it is then worth two per cent of it.
BIAS_EPOCHS_MAX = 4_096


@dataclass(frozen=True, slots=True)
class History:
    """What a validator's last epoch handed on, and what the network knows of the miners.

    previous: smoothed scores of miners still registered. incumbent: who held all weight. owners: the
    account behind a miner; a miner that is not named stands for itself. ages: how many epochs a miner
    has been registered in, this one included.
    """

    previous: Mapping[str, int] = field(default_factory=dict)
    incumbent: str | None = None
    owners: Mapping[str, str] = field(default_factory=dict)
    ages: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Weighed:
    """Weights of every miner that was sampled or carried, by miner, sorted.

    smoothed, weights: on the scale 2**32. weights_u16: the greatest is 65535, zeros are left out.
    outdone: miners unpaid because another of the same owner did better. winner: who holds all weight; one
    of those who divide it where they are one owner's.
    """

    smoothed: dict[str, int]
    weights: dict[str, int]
    weights_u16: dict[str, int]
    outdone: frozenset[str]
    winner: str | None


def weigh(rule: Rule, scores: Mapping[str, int | None], history: History) -> Weighed:
    """Weigh the sampled miners, and those whose earlier scores are carried on."""
    previous = history.previous if rule.smoothing else {}
    carried = [miner for miner, score in previous.items() if score and miner not in scores]
    miners = sorted([*scores, *carried])
    smoothed = _smoothed(rule.smoothing, miners, scores, history)
    payable = {
        miner: 0 if scores.get(miner, 0) is None else score for miner, score in smoothed.items()
    }
    weights, outdone = _shaped(rule, payable, history)
    return Weighed(
        smoothed=smoothed,
        weights=weights,
        weights_u16=shaping.max_upscale(weights),
        outdone=outdone,
        winner=_winner(rule, weights, history),
    )


@lru_cache(maxsize=65_536)
def corrected_alpha_ppm(alpha_ppm: int, epochs: int) -> int:
    """Return the newest score's share in an average of few epochs: alpha / (1 - (1 - alpha)**epochs).

    One for the first epoch, about a half for the second, alpha in the end. Source: the correction of
    the bias of an average that starts at zero, s / (1 - (1 - a)**n), solved for the newest term.
    """
    whole: int = PPM**epochs
    missing: int = whole - (PPM - alpha_ppm) ** epochs
    return (2 * alpha_ppm * whole + missing) // (2 * missing)


def _smoothed(
    smoothing: Smoothing | None,
    miners: Iterable[str],
    scores: Mapping[str, int | None],
    history: History,
) -> dict[str, int]:
    """Average valid scores into previous ones; a first score counts whole, so no newcomer starts low.

    Without a valid score (unsampled, a gate not passed, an error) the previous one is kept in part.
    Source: s = (1 - a) * s + a * x, only when sampled; half a unit rounds up.
    """
    if smoothing is None:
        return {miner: scores.get(miner) or 0 for miner in miners}
    alpha_ppm, averages = smoothing.ema_alpha_ppm, {}
    for miner in miners:
        score, previous = scores.get(miner), history.previous.get(miner)
        if score is None:
            averages[miner] = (previous or 0) * smoothing.idle_keep_ppm // PPM
        elif previous is None:
            averages[miner] = score
        else:
            if smoothing.is_bias_corrected:
                alpha_ppm = _alpha_at(smoothing.ema_alpha_ppm, history.ages.get(miner))
            averages[miner] = (previous * (PPM - alpha_ppm) + score * alpha_ppm + PPM // 2) // PPM
    return averages


def _alpha_at(alpha_ppm: int, age: int | None) -> int:
    """Return the newest score's share at an age; an unknown age is a great one."""
    if age is None:
        return alpha_ppm
    return corrected_alpha_ppm(alpha_ppm, min(max(age, 1), BIAS_EPOCHS_MAX))


def _shaped(
    rule: Rule, payable: Mapping[str, int], history: History
) -> tuple[dict[str, int], frozenset[str]]:
    """Shape the scores, of all miners or of the best of each owner; return who was outdone, too.

    Miners of one owner that tie for its best divide the owner's weight, so that names decide nothing.
    """
    if not rule.one_per_owner:
        weights = shaping.weights(
            rule.shaping, payable, incumbent=history.incumbent, bounds=rule.bounds
        )
        return weights, frozenset()
    owner_of = {miner: history.owners.get(miner, miner) for miner in payable}
    best: dict[str, int] = {}
    for miner, score in payable.items():
        best[owner_of[miner]] = max(score, best.get(owner_of[miner], 0))
    tied: dict[str, int] = {}
    for miner, score in payable.items():
        if score == best[owner_of[miner]]:
            tied[owner_of[miner]] = tied.get(owner_of[miner], 0) + 1
    holder = owner_of.get(history.incumbent) if history.incumbent else None
    by_owner = shaping.weights(rule.shaping, best, incumbent=holder, bounds=rule.bounds)
    outdone = frozenset(
        miner for miner, score in payable.items() if 0 < score < best[owner_of[miner]]
    )
    weights = {
        miner: by_owner[owner] // tied[owner] if payable[miner] == best[owner] else 0
        for miner, owner in owner_of.items()
    }
    return weights, outdone


def _winner(rule: Rule, weights: Mapping[str, int], history: History) -> str | None:
    """Return who alone is paid; under a floor, which pays all, who won. None when weight is shared.

    Where owners count once, miners of one owner that tie share nothing with anybody: the holder among them
    stays it, else the first by name stands for all, as any of them defends the win.
    """
    is_floored = rule.shaping.pays_one and rule.bounds.floor_ppm > 0
    least = max(weights.values(), default=0) if is_floored else 1
    paid = [miner for miner, weight in weights.items() if weight and weight >= least]
    if rule.one_per_owner and rule.shaping.pays_one:
        if len({history.owners.get(miner, miner) for miner in paid}) == 1:
            return history.incumbent if history.incumbent in paid else min(paid)
        return None
    return paid[0] if len(paid) == 1 else None
