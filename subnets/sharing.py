"""Divide the weight of each validator among its miners: by the masses of a shaping, capped and floored, then as u16.

A row a validator, a column a miner. Scores and weights are integers on the scale 2**32, and every step is integer
arithmetic. Where a shaping pays in proportion and nothing is capped or floored, which most rules say, all rows are
divided at once; else row by row, in Python's own integers, as masses may have any size.
"""

from collections.abc import Sequence

import numpy as np

from subnets.grids import Units
from subnets.shaping import PPM, SCALE, U16_MAX, UNBOUND, Bounds, Shaping

# A sum of scores up to here leaves a long division at least two binary digits a step.
TOTAL_BITS_MAX = 62
_DIGITS = 32  # binary, of a weight: SCALE is two to this power
_DIGITS_A_STEP_MAX = 16


def weights(
    shaping: Shaping, scores: Units, *, holders: Sequence[int | None], bounds: Bounds = UNBOUND
) -> Units:
    """Shape each row of scores into weights.

    scores: from zero up. holders: the column that held all weight last, of each row (winner_takes_all).
    The weights of a row sum to 2**32 within half a unit a miner (a whole one with a floor), or are all zero when no
    score is above zero.
    """
    assert scores.min(initial=0) >= 0
    if shaping.is_proportional and bounds == UNBOUND and _can_divide(scores):
        return _divided(scores)
    rows = [
        _row(shaping, row, holder, bounds)
        for row, holder in zip(scores.tolist(), holders, strict=True)
    ]
    return np.array(rows, dtype=np.int64).reshape(scores.shape)


def max_upscaled(shares: Units) -> Units:
    """Scale each row so that its greatest is 65535, as the chain stores weights; all zero stays zero.

    shares: up to about 2**32. Source: docs of set_weights, bittensor `convert_weights_and_uids_for_emit`:
    round(65535 * w / max).
    """
    greatest = np.maximum(shares.max(axis=1, initial=0), 1)[:, np.newaxis]
    scaled: Units = (shares * (2 * U16_MAX) + greatest) // (2 * greatest)
    return scaled


def _can_divide(scores: Units) -> bool:
    greatest, count = int(scores.max(initial=0)), int(scores.shape[1])
    return greatest * count < 1 << TOTAL_BITS_MAX


def _divided(scores: Units) -> Units:
    """Return round(2**32 * score / sum) of each row, halves up: a long division, some binary digits a step."""
    totals = scores.sum(axis=1, dtype=np.uint64)
    digits = min(_DIGITS_A_STEP_MAX, 64 - int(totals.max(initial=1)).bit_length())
    divisors = np.maximum(totals, np.uint64(1))[:, np.newaxis]
    # One score alone is the whole, and would need a digit more than the others.
    result, rest = np.divmod(scores.astype(np.uint64), divisors)
    done = 0
    while done < _DIGITS:
        step = np.uint64(min(digits, _DIGITS - done))
        rest <<= step
        digit = rest // divisors
        rest -= digit * divisors
        result = (result << step) | digit
        done += int(step)
    result += rest << np.uint64(1) >= divisors
    return result.astype(np.int64)


def _row(shaping: Shaping, scores: Sequence[int], holder: int | None, bounds: Bounds) -> list[int]:
    """Shape the scores of one row; only those above zero take part."""
    paid = [place for place, score in enumerate(scores) if score > 0]
    if not paid:
        return [0] * len(scores)
    incumbent = paid.index(holder) if holder is not None and scores[holder] > 0 else None
    masses = shaping.masses([scores[place] for place in paid], incumbent)
    parts = _floored(_capped(masses, bounds.max_share_ppm), bounds.floor_ppm)
    shared = [0] * len(scores)
    for place, part in zip(paid, parts, strict=True):
        shared[place] = part
    return shared


def _capped(masses: Sequence[int], max_share_ppm: int) -> list[int]:
    """Share the whole by mass, no part above the cap; what is cut goes to the others by mass.

    Source: water-filling, min(cap, level * mass) with the level at which the parts sum to the whole.
    """
    total = sum(masses)
    assert total > 0
    cap = SCALE * max_share_ppm // PPM
    left, at_cap = SCALE, total + 1
    # From the greatest down: whoever would pass the cap gets it and leaves the rest to the others.
    for mass in sorted(masses, reverse=True) if cap < SCALE else ():
        if mass * left <= cap * total:
            break
        if mass == total:  # the last of them: all are at the cap, and something is left
            return _even(masses)
        left, total, at_cap = left - cap, total - mass, mass
    double, whole = 2 * total, 2 * left
    return [cap if mass >= at_cap else (mass * whole + total) // double for mass in masses]


def _even(masses: Sequence[int]) -> list[int]:
    """Share the whole evenly among all with a mass."""
    count = sum(1 for mass in masses if mass)
    return [_rounded(SCALE, count) if mass else 0 for mass in masses]


def _floored(parts: list[int], floor_ppm: int) -> list[int]:
    """Give each part the floor and divide what is left as before."""
    if floor_ppm == 0:
        return parts
    free_ppm = PPM - floor_ppm * len(parts)
    assert free_ppm >= 0
    return [_rounded(part * free_ppm + SCALE * floor_ppm, PPM) for part in parts]


def _rounded(numerator: int, denominator: int) -> int:
    """Divide and round to the nearest integer, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)
