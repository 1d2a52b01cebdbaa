"""Carry bonds from epoch to epoch and derive dividends from them: Yuma 2 and Yuma 3.

A bond is a validator's standing claim on a miner, earned by weighing it; dividends are bonds times the
miners' incentive. Letters as in the theory: W weights, B bonds of the last epoch, E their moving
average, a active stake, C consensus, I incentive, D dividends; i is a validator, j a miner.

All numbers are I32F32 ints (see subnets.fixed) unless a name ends in _u16.
Source: opentensor/subtensor 14bc6f9f9, epoch/run_epoch.rs and math.rs (the sparse path the chain runs).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from subnets import fixed
from subnets.fixed import HALF, ONE, Matrix

StoredBonds = Mapping[int, Mapping[int, int]]
"""u16 bonds by validator uid, then miner uid."""

_BONDS_MOVING_AVERAGE_ONE = 1_000_000
_STEEPNESS_ONE = 100


@dataclass(frozen=True, slots=True)
class LiquidAlpha:
    """The lowest and the highest speed of a bond, and the sigmoid's slope in the exponent (so, negated)."""

    low: int
    high: int
    exponent_slope: int

    @classmethod
    def of(cls, *, low_u16: int, high_u16: int, steepness: int) -> Self:
        """Read the hyperparameters: u16 proportions, and the steepness per cent."""
        return cls(
            low=fixed.from_u16(low_u16),
            high=fixed.from_u16(high_u16),
            exponent_slope=fixed.div(steepness, -_STEEPNESS_ONE),
        )


@dataclass(frozen=True, slots=True)
class BondTerms:
    """What bonds give in an epoch: dividends summing to one (or all zero) and the bonds to store."""

    dividends: list[int]
    bonds: Matrix


def weights_for_bonds(weights: Matrix, clipped: Matrix, *, penalty_u16: int) -> Matrix:
    """Return W moved towards its clipped form by the bonds penalty: 0 leaves W, 65535 takes the clipped.

    In between, entries that come out at zero are dropped.
    """
    if penalty_u16 == 0:
        return weights
    if penalty_u16 == fixed.U16_MAX:
        return clipped
    penalty = fixed.from_u16(penalty_u16)
    result: Matrix = []
    for row, clipped_row in zip(weights, clipped, strict=True):
        blended = {
            j: blended_weight(weight, clipped_row.get(j, 0), penalty=penalty)
            for j, weight in row.items()
        }
        result.append({j: value for j, value in blended.items() if value > 0})
    return result


def blended_weight(weight: int, clipped: int, *, penalty: int) -> int:
    """Return the weight moved towards its clipped value by the penalty, a proportion."""
    return weight + fixed.mul(penalty, clipped - weight)


def bonds_in_force(
    stored: StoredBonds, *, registered_block: Sequence[int], last_tempo_block: int
) -> Matrix:
    """Return the stored u16 bonds as whole numbers, without those to miners registered since last tempo."""
    return [
        {
            j: bond_u16 * ONE
            for j, bond_u16 in stored.get(i, {}).items()
            if last_tempo_block > registered_block[j]
        }
        for i in range(len(registered_block))
    ]


def moving_average_alpha(bonds_moving_average: int) -> int:
    """Return how far bonds move each epoch: one minus the part that stays, given per million."""
    return ONE - bonds_moving_average * ONE // _BONDS_MOVING_AVERAGE_ONE


def moved(new: Matrix, old: Matrix, *, alpha: int) -> Matrix:
    """Return alpha * new + (1 - alpha) * old; entries that come out at zero are dropped."""
    result: Matrix = []
    for new_row, old_row in zip(new, old, strict=True):
        row = {j: fixed.mul(alpha, value) for j, value in new_row.items()}
        for j, value in old_row.items():
            row[j] = row.get(j, 0) + fixed.mul(ONE - alpha, value)
        result.append({j: value for j, value in row.items() if value > 0})
    return result


def yuma2_terms(
    weights: Matrix,
    bonds: Matrix,
    *,
    active_stake: Sequence[int],
    incentive: Sequence[int],
    bonds_moving_average: int,
) -> BondTerms:
    """Return dividends and bonds of Yuma 2: each miner's column of bonds is shared out among validators.

    B and the delta a * W are column-normalised, E is their moving average, D_i = sum_j E_ij * I_j. The
    bonds to store are scaled so that the largest of each column is one.
    """
    old = fixed.column_normalised(bonds)
    delta = fixed.column_normalised(
        [
            {j: fixed.mul(weight, stake) for j, weight in row.items()}
            for row, stake in zip(weights, active_stake, strict=True)
        ]
    )
    alpha = moving_average_alpha(bonds_moving_average)
    averaged = fixed.column_normalised(moved(delta, old, alpha=alpha))
    dividends = fixed.normalised([_claim(row, incentive) for row in averaged])
    return BondTerms(dividends=dividends, bonds=fixed.column_max_upscaled(averaged))


def yuma3_terms(
    weights: Matrix,
    bonds: Matrix,
    *,
    active_stake: Sequence[int],
    incentive: Sequence[int],
    consensus: Sequence[int],
    bonds_moving_average: int,
    liquid_alpha: LiquidAlpha | None,
) -> BondTerms:
    """Return dividends and bonds of Yuma 3: each bond is a fraction of its own, stake enters at the end.

    D_i = a_i * sum_j (E_ij / sum_k E_kj) * I_j. `bonds` are whole u16 numbers, as `bonds_in_force` gives.
    With liquid alpha (and any consensus at all) each pair moves at its own speed.
    """
    old = [{j: bond // fixed.U16_MAX for j, bond in row.items()} for row in bonds]
    if liquid_alpha is not None and any(consensus):
        averaged = moved_liquidly(weights, old, consensus=consensus, liquid_alpha=liquid_alpha)
    else:
        averaged = moved(weights, old, alpha=moving_average_alpha(bonds_moving_average))
    claims = [_claim(row, incentive) for row in fixed.column_normalised(averaged)]
    dividends = fixed.normalised(
        [fixed.mul(claim, stake) for claim, stake in zip(claims, active_stake, strict=True)]
    )
    return BondTerms(dividends=dividends, bonds=averaged)


def _claim(bonds: Mapping[int, int], incentive: Sequence[int]) -> int:
    return sum(fixed.mul(bond, incentive[j]) for j, bond in bonds.items())


def moved_liquidly(
    weights: Matrix, bonds: Matrix, *, consensus: Sequence[int], liquid_alpha: LiquidAlpha
) -> Matrix:
    """Return min(1, (1 - alpha_ij) * B_ij + alpha_ij * W_ij) for every pair that has a weight entry.

    A bond without one is gone at once instead of decaying: what the chain's sparse path does. An
    explicit weight of zero keeps the pair.
    """
    result: Matrix = []
    for row, bond_row in zip(weights, bonds, strict=True):
        moved_row = {}
        for j, weight in row.items():
            bond = bond_row.get(j, 0)
            alpha = pair_alpha(weight, bond, consensus=consensus[j], liquid_alpha=liquid_alpha)
            moved_row[j] = blended_bond(weight, bond, alpha=alpha)
        result.append({j: value for j, value in moved_row.items() if value > 0})
    return result


def blended_bond(weight: int, bond: int, *, alpha: int) -> int:
    """Return the bond moved by alpha towards the weight, at most one."""
    return min(ONE, fixed.mul(ONE - alpha, bond) + max(0, fixed.mul(alpha, weight)))


def pair_alpha(weight: int, bond: int, *, consensus: int, liquid_alpha: LiquidAlpha) -> int:
    """Return the speed of one bond: low near consensus, high far from it, along a sigmoid.

    The distance is from consensus when buying (weight at or above the bond), from the weight when selling.
    """
    low, high = liquid_alpha.low, liquid_alpha.high
    distance = fixed.clamped(weight - consensus if weight >= bond else bond - weight, 0, ONE)
    exponent = fixed.mul(liquid_alpha.exponent_slope, distance - HALF)
    sigmoid = fixed.div(ONE, ONE + fixed.exp(exponent))
    return fixed.clamped(low + fixed.mul(sigmoid, high - low), low, high)
