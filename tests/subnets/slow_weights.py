"""Weights once more, a validator and a miner at a time in Python's own integers: what the tables are held against."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from subnets.rule_document import Rule, Smoothing
from subnets.rule_weights import BIAS_EPOCHS_MAX, corrected_alpha_ppm
from subnets.shaping import PPM, SCALE, U16_MAX, UNBOUND, Bounds, Shaping


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
        weights_u16=max_upscaled(weights),
        outdone=outdone,
        winner=_winner(rule, weights, history),
    )


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
        weights = shared(rule.shaping, payable, incumbent=history.incumbent, bounds=rule.bounds)
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
    by_owner = shared(rule.shaping, best, incumbent=holder, bounds=rule.bounds)
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


def shared(
    shaping: Shaping,
    scores: Mapping[str, int],
    *,
    incumbent: str | None = None,
    bounds: Bounds = UNBOUND,
) -> dict[str, int]:
    """Shape scores into weights.

    scores: integers >= 0 on the scale 2**32. incumbent: who held all weight last (winner_takes_all).
    Returns every miner of `scores`, in its order; the weights sum to 2**32 within half a unit a miner
    (a whole one with a floor), or are all zero when no score is above zero.
    """
    assert min(scores.values(), default=0) >= 0
    paid = [miner for miner, score in scores.items() if score > 0]
    if not paid:
        return dict.fromkeys(scores, 0)
    holder = paid.index(incumbent) if incumbent and scores.get(incumbent, 0) > 0 else None
    masses = shaping.masses([scores[miner] for miner in paid], holder)
    parts = floored(capped(masses, bounds.max_share_ppm), bounds.floor_ppm)
    return dict.fromkeys(scores, 0) | dict(zip(paid, parts, strict=True))


def max_upscaled(shares: Mapping[str, int]) -> dict[str, int]:
    """Scale weights so that the greatest is 65535, as the chain stores them, and drop zeros.

    Source: docs of set_weights, bittensor `convert_weights_and_uids_for_emit`: round(65535 * w / max).
    """
    greatest = max(shares.values(), default=0)
    if greatest == 0:
        return {}
    double, whole = 2 * greatest, 2 * U16_MAX
    return {
        miner: weight
        for miner, share in shares.items()
        if (weight := (share * whole + greatest) // double)
    }


def capped(masses: Sequence[int], max_share_ppm: int) -> list[int]:
    """Share the whole by mass, no part above the cap; what is cut goes to the others by mass.

    By its definition, in fractions: whoever would pass the cap is held at it, and the others are looked at again,
    until nobody passes. Where all are held and something is left, they share evenly.
    """
    cap = Fraction(SCALE * max_share_ppm // PPM)
    held: set[int] = set()
    while True:
        free = [place for place, mass in enumerate(masses) if mass and place not in held]
        if not free:
            return even(masses)
        level = (SCALE - cap * len(held)) / sum(masses[place] for place in free)
        passing = {place for place in free if cap < SCALE and level * masses[place] > cap}
        if not passing:
            parts = [cap if place in held else level * mass for place, mass in enumerate(masses)]
            return [half_up(part) for part in parts]
        held |= passing


def even(masses: Sequence[int]) -> list[int]:
    """Share the whole evenly among all with a mass."""
    sharers = [mass for mass in masses if mass]
    return [half_up(Fraction(SCALE, len(sharers))) if mass else 0 for mass in masses]


def floored(parts: Sequence[int], floor_ppm: int) -> list[int]:
    """Give each part the floor and divide what is left as before."""
    floor = Fraction(floor_ppm, PPM)
    left = 1 - floor * len(parts)
    assert left >= 0
    return [half_up(SCALE * floor + part * left) for part in parts]


def half_up(exact: Fraction) -> int:
    """Return the nearest whole number, of two the greater."""
    return math.floor(exact + Fraction(1, 2))
