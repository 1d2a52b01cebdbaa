"""From validators' scores to their weights: moving average, one miner an owner, shaping, u16.

All integers, in tables: a row a validator, a column a miner. A score is on the scale 2**32; one that is not valid
stands for a miner that was sampled and failed a gate, or whose score could not be computed.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from subnets import sharing
from subnets.grids import Grid, Mask, Units, columns_of, places
from subnets.rule_document import Rule, Smoothing
from subnets.shaping import PPM

# From there on the correction no longer changes; at an alpha of 0.001 it is then worth two per cent of it.
BIAS_EPOCHS_MAX = 4_096
_LOW_BITS = 32  # of a score: what numbers of 64 bits multiply by millionths is cut in halves


@dataclass(frozen=True, slots=True)
class Known:
    """What the network knows of the miners, whoever judges them.

    owners: the account behind a miner; a miner that is not named stands for itself. ages: how many epochs a miner
    has been registered in, this one included.
    """

    owners: Mapping[str, str] = field(default_factory=dict)
    ages: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Brought:
    """What validators bring to an epoch, one after the other.

    sampled: their miners. units, is_valid: the score of each of these in turn, and whether it is one. previous: the
    smoothed scores of miners still registered, of each; incumbents: who held all weight of each.
    """

    sampled: Sequence[tuple[str, ...]]
    units: Units
    is_valid: Mask
    previous: Grid
    incumbents: Sequence[str | None]


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """Weights by validator (row) and miner (column), of the pairs in which a miner was sampled or carried.

    miners: sorted. smoothed, weights: on the scale 2**32. weights_u16: the greatest of a row is 65535.
    is_outdone: unpaid because another of the same owner did better. winners: who holds all weight of a row; one
    of those who divide it where they are one owner's.
    """

    miners: tuple[str, ...]
    is_listed: Mask
    is_sampled: Mask
    smoothed: Units
    weights: Units
    weights_u16: Units
    is_outdone: Mask
    winners: tuple[str | None, ...]

    def column(self, miner: str) -> int | None:
        """Return the column of a miner; None when no validator has it."""
        return _column(self.miners, miner)

    def names(self, row: Mask) -> list[str]:
        """Return the miners whose columns are set in a row, sorted."""
        return [self.miners[column] for column in row.nonzero()[0].tolist()]

    def row(self, numbers: Units) -> dict[str, int]:
        """Return the numbers of a row that are above zero, by miner, sorted."""
        columns = numbers.nonzero()[0]
        names = [self.miners[column] for column in columns.tolist()]
        return dict(zip(names, numbers[columns].tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class _Table:
    """What was brought, laid out: units are zero where nothing valid was sampled, previous where nothing was carried."""

    miners: tuple[str, ...]
    is_sampled: Mask
    is_valid: Mask
    units: Units
    previous: Units
    has_previous: Mask


def weigh(rule: Rule, brought: Brought, known: Known) -> Weighed:
    """Weigh for each validator the miners it sampled, and those whose earlier scores are carried on."""
    table = _laid_out(brought, has_memory=rule.smoothing is not None)
    is_listed = table.is_sampled | (table.previous > 0)
    smoothed = _smoothed(rule.smoothing, table, known)
    payable = np.where(table.is_sampled & ~table.is_valid, 0, smoothed)
    holders = [
        None if miner is None else _column(table.miners, miner) for miner in brought.incumbents
    ]
    owner_at = _owners(table.miners, known)
    weights, is_outdone = _shaped(rule, payable, is_listed, holders, owner_at)
    winners = _winners(rule, weights, holders, owner_at)
    return Weighed(
        miners=table.miners,
        is_listed=is_listed,
        is_sampled=table.is_sampled,
        smoothed=smoothed,
        weights=weights,
        weights_u16=sharing.max_upscaled(weights),
        is_outdone=is_outdone,
        winners=tuple(None if place is None else table.miners[place] for place in winners),
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


def averaged(previous: Units, scores: Units, alpha_ppm: Units) -> Units:
    """Return (previous * (1 - alpha) + score * alpha), half a unit rounds up; exact for all of 63 bits.

    A product with a million takes up to 83 bits, so numbers are taken in halves: what the upper ones leave is brought
    down, as in a division by hand.
    """
    low = (1 << _LOW_BITS) - 1
    upper = (previous >> _LOW_BITS) * (PPM - alpha_ppm) + (scores >> _LOW_BITS) * alpha_ppm
    lower = (previous & low) * (PPM - alpha_ppm) + (scores & low) * alpha_ppm + PPM // 2
    return _by_a_million(upper, lower)


def kept(previous: Units, keep_ppm: int) -> Units:
    """Return previous * keep, rounded down; exact for all of 63 bits."""
    low = (1 << _LOW_BITS) - 1
    return _by_a_million((previous >> _LOW_BITS) * keep_ppm, (previous & low) * keep_ppm)


def _by_a_million(upper: Units, lower: Units) -> Units:
    """Return (upper * 2**32 + lower) // PPM; upper below 2**52, lower below 2**53."""
    whole, rest = np.divmod(upper, PPM)
    result: Units = (whole << _LOW_BITS) + ((rest << _LOW_BITS) + lower) // PPM
    return result


def _laid_out(brought: Brought, *, has_memory: bool) -> _Table:
    """Lay out what was brought; without smoothing the previous scores do not count."""
    grid = brought.previous
    carried = grid.miners if has_memory else ()
    miners = columns_of([carried, *set(brought.sampled)])
    shape = (len(brought.sampled), len(miners))
    is_sampled, is_valid, has_previous = (np.zeros(shape, dtype=np.bool_) for _ in range(3))
    units, previous = (np.zeros(shape, dtype=np.int64) for _ in range(2))
    cells = places(brought.sampled, miners)
    is_sampled[cells] = True
    is_valid[cells] = brought.is_valid
    units[cells] = np.where(brought.is_valid, brought.units, 0)
    if carried:
        _, columns = places([carried], miners)
        has_previous[:, columns] = grid.has_entry
        previous[:, columns] = np.where(grid.has_entry, grid.numbers, 0)
    return _Table(miners, is_sampled, is_valid, units, previous, has_previous)


def _smoothed(smoothing: Smoothing | None, table: _Table, known: Known) -> Units:
    """Average valid scores into previous ones; a first score counts whole, so no newcomer starts low.

    Without a valid score (unsampled, a gate not passed, an error) the previous one is kept in part.
    Source: s = (1 - a) * s + a * x, only when sampled; half a unit rounds up.
    """
    if smoothing is None:
        return table.units
    alpha_ppm = smoothing.ema_alpha_ppm
    alphas = [
        _alpha_at(alpha_ppm, known.ages.get(miner)) if smoothing.is_bias_corrected else alpha_ppm
        for miner in table.miners
    ]
    moved = averaged(table.previous, table.units, np.array(alphas, dtype=np.int64))
    fresh = np.where(table.has_previous, moved, table.units)
    return np.where(table.is_valid, fresh, kept(table.previous, smoothing.idle_keep_ppm))


def _alpha_at(alpha_ppm: int, age: int | None) -> int:
    """Return the newest score's share at an age; an unknown age is a great one."""
    if age is None:
        return alpha_ppm
    return corrected_alpha_ppm(alpha_ppm, min(max(age, 1), BIAS_EPOCHS_MAX))


def _owners(miners: Sequence[str], known: Known) -> Units:
    """Return a number of its owner for each miner, from zero up in the order in which owners occur."""
    numbers: dict[str, int] = {}
    owners = (known.owners.get(miner, miner) for miner in miners)
    return np.array([numbers.setdefault(owner, len(numbers)) for owner in owners], dtype=np.int64)


def _shaped(
    rule: Rule,
    payable: Units,
    is_listed: Mask,
    holders: Sequence[int | None],
    owner_at: Units,
) -> tuple[Units, Mask]:
    """Shape the scores, of all miners or of the best of each owner; tell who was outdone, too.

    Miners of one owner that tie for its best divide the owner's weight, so that names decide nothing.
    """
    if not rule.one_per_owner:
        shared = sharing.weights(rule.shaping, payable, holders=holders, bounds=rule.bounds)
        return shared, np.zeros(payable.shape, dtype=np.bool_)
    best = np.zeros((len(payable), int(owner_at.max(initial=-1)) + 1), dtype=np.int64)
    np.maximum.at(best.T, owner_at, payable.T)
    is_best = is_listed & (payable == best[:, owner_at])
    tied = np.zeros(best.shape, dtype=np.int64)
    np.add.at(tied.T, owner_at, is_best.T)
    by_owner = sharing.weights(
        rule.shaping,
        best,
        holders=[
            int(owner_at[holder]) if holder is not None and is_listed[row, holder] else None
            for row, holder in enumerate(holders)
        ],
        bounds=rule.bounds,
    )
    shared = np.where(is_best, (by_owner // np.maximum(tied, 1))[:, owner_at], 0)
    return shared, (payable > 0) & ~is_best


def _winners(
    rule: Rule, weights: Units, holders: Sequence[int | None], owner_at: Units
) -> list[int | None]:
    """Return who alone is paid; under a floor, which pays all, who won. None when weight is shared.

    Where owners count once, miners of one owner that tie share nothing with anybody: the holder among them
    stays it, else the first by name stands for all, as any of them defends the win.
    """
    is_paid = weights > 0
    if rule.shaping.pays_one and rule.bounds.floor_ppm > 0:
        is_paid &= weights >= weights.max(axis=1, initial=0)[:, np.newaxis]
    winners: list[int | None] = []
    for paid, holder in zip(is_paid, holders, strict=True):
        columns = paid.nonzero()[0]
        # An owner whose miners tie counts as one; miners are sorted, so the first column is the first by name.
        sides = owner_at[columns] if rule.one_per_owner and rule.shaping.pays_one else columns
        if len(columns) == 0 or (sides != sides[0]).any():
            winners.append(None)
        else:
            winners.append(holder if holder is not None and paid[holder] else int(columns[0]))
    return winners


def _column(miners: tuple[str, ...], miner: str) -> int | None:
    place = bisect_left(miners, miner)
    return place if miners[place : place + 1] == (miner,) else None
