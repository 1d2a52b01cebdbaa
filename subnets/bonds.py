"""Carry bonds from epoch to epoch and derive dividends from them: Yuma 2 and Yuma 3.

A bond is a validator's standing claim on a miner, earned by weighing it; dividends are bonds times the
miners' incentive. Letters as in the theory: W weights, B bonds of the last epoch, E their moving
average, a active stake, C consensus, I incentive, D dividends; i is a validator (row), j a miner (column).

All numbers are I32F32 (see subnets.fixed) unless a name ends in _u16.
Source: opentensor/subtensor 14bc6f9f9, epoch/run_epoch.rs and math.rs (the sparse path the chain runs).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from subnets import fixed
from subnets.fixed import HALF, ONE, SignedWords, Words
from subnets.pairs import Matrix

_BONDS_MOVING_AVERAGE_ONE = 1_000_000
_STEEPNESS_ONE = 100

# Of 256 columns, 32 KiB a matrix: the thirty steps of the exponential then stay within the processor's cache.
_ROWS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class LiquidAlpha:
    """The lowest and the highest speed of a bond, and the sigmoid's slope in the exponent (so, negated)."""

    low: int
    high: int
    exponent_slope: int

    def __post_init__(self) -> None:
        assert 0 <= self.low <= self.high <= ONE

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
    """What bonds give in an epoch: dividends by row, summing to one or all zero, and the bonds to store."""

    dividends: Words
    bonds: Words


def weights_for_bonds(weights: Matrix, clipped: Matrix, *, penalty_u16: int) -> Matrix:
    """Return W moved towards its clipped form by the bonds penalty: 0 leaves W, 65535 takes the clipped.

    In between, entries that come out at zero are dropped.
    """
    if penalty_u16 == 0:
        return weights
    if penalty_u16 == fixed.U16_MAX:
        return clipped
    penalty = fixed.from_u16(penalty_u16)
    values = blended_weights(weights.values, clipped.values, penalty=penalty)
    return Matrix(values, has_entry=values > 0)


def blended_weights(weights: Words, clipped: Words, *, penalty: int) -> Words:
    """Return W + penalty * (clipped - W), the change rounded down."""
    changes = clipped.astype(np.int64) - weights.astype(np.int64)
    return weights + fixed.scaled(changes, penalty).astype(np.uint64)


def bonds_in_force(
    stored: Matrix, *, registered_block: SignedWords, last_tempo_block: int
) -> Words:
    """Return the stored u16 bonds without those to miners that registered since the last tempo."""
    return np.where(registered_block < last_tempo_block, stored.values, np.uint64(0))


def moving_average_alpha(bonds_moving_average: int) -> int:
    """Return how far bonds move each epoch: one minus the part that stays, given per million."""
    assert 0 <= bonds_moving_average <= _BONDS_MOVING_AVERAGE_ONE
    return ONE - bonds_moving_average * ONE // _BONDS_MOVING_AVERAGE_ONE


def moved(new: Words, old: Words, *, alpha: int) -> Words:
    """Return alpha * new + (1 - alpha) * old."""
    result = fixed.products(new, np.uint64(alpha))
    result += fixed.products(old, np.uint64(ONE - alpha))
    return result


def yuma2_terms(
    weights: Matrix,
    bonds_u16: Words,
    *,
    active_stake: Words,
    incentive: Words,
    bonds_moving_average: int,
) -> BondTerms:
    """Return dividends and bonds of Yuma 2: each miner's column of bonds is shared out among validators.

    B and the delta a * W are column-normalised, E is their moving average, D_i = sum_j E_ij * I_j. The
    bonds to store are scaled so that the largest of each column is one.
    """
    old = fixed.column_normalised(bonds_u16)
    delta = fixed.column_normalised(fixed.products(weights.values, active_stake[:, np.newaxis]))
    alpha = moving_average_alpha(bonds_moving_average)
    averaged = fixed.column_normalised(moved(delta, old, alpha=alpha))
    return BondTerms(
        dividends=fixed.normalised(claims(averaged, incentive)),
        bonds=fixed.column_max_upscaled(averaged),
    )


def yuma3_terms(
    weights: Matrix,
    bonds_u16: Words,
    *,
    active_stake: Words,
    incentive: Words,
    consensus: Words,
    bonds_moving_average: int,
    liquid_alpha: LiquidAlpha | None,
) -> BondTerms:
    """Return dividends and bonds of Yuma 3: each bond is a fraction of its own, stake enters at the end.

    D_i = a_i * sum_j (E_ij / sum_k E_kj) * I_j. With liquid alpha (and any consensus at all) each pair
    moves at its own speed.
    """
    old = fixed.proportions(bonds_u16)
    if liquid_alpha is not None and consensus.any():
        averaged = moved_liquidly(weights, old, consensus=consensus, liquid_alpha=liquid_alpha)
    else:
        averaged = moved(weights.values, old, alpha=moving_average_alpha(bonds_moving_average))
    claimed = claims(fixed.column_normalised(averaged), incentive)
    return BondTerms(
        dividends=fixed.normalised(fixed.products(claimed, active_stake)), bonds=averaged
    )


def claims(bonds: Words, incentive: Words) -> Words:
    """Return what each validator's bonds claim of the miners' incentive: sum_j E_ij * I_j."""
    claimed: Words = fixed.products(bonds, incentive).sum(axis=1, dtype=np.uint64)
    return claimed


def moved_liquidly(
    weights: Matrix, bonds: Words, *, consensus: Words, liquid_alpha: LiquidAlpha
) -> Words:
    """Return min(1, (1 - alpha_ij) * B_ij + alpha_ij * W_ij) for every pair that has a weight entry.

    A bond without one is gone at once instead of decaying: what the chain's sparse path does. An
    explicit weight of zero keeps the pair.
    """
    result = np.zeros_like(bonds)
    for start in range(0, len(bonds), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        new, old = weights.values[rows], bonds[rows]
        alphas = pair_alphas(new, old, consensus=consensus, liquid_alpha=liquid_alpha)
        np.multiply(
            blended_bonds(new, old, alphas=alphas), weights.has_entry[rows], out=result[rows]
        )
    return result


def blended_bonds(weights: Words, bonds: Words, *, alphas: Words) -> Words:
    """Return each bond moved by its alpha towards its weight, at most one."""
    result = fixed.products(alphas, weights)
    result += fixed.products(np.uint64(ONE) - alphas, bonds)
    return np.minimum(result, np.uint64(ONE))


def pair_alphas(
    weights: Words, bonds: Words, *, consensus: Words, liquid_alpha: LiquidAlpha
) -> Words:
    """Return the speed of each bond: low near consensus, high far from it, along a sigmoid.

    The distance is from consensus when buying (weight at or above the bond), from the weight when selling.
    """
    bought = np.maximum(weights, consensus) - consensus
    distance = np.where(weights >= bonds, bought, bonds - weights)
    sigmoid = sigmoids(distance, exponent_slope=liquid_alpha.exponent_slope)
    # A sigmoid lies between zero and one, so alpha needs no clamp to low and high.
    result = fixed.products(sigmoid, np.uint64(liquid_alpha.high - liquid_alpha.low))
    result += np.uint64(liquid_alpha.low)
    return result


def sigmoids(distance: Words, *, exponent_slope: int) -> Words:
    """Return 1 / (1 + exp(slope * (distance - 1/2))) for distances from zero to one."""
    offset = distance.astype(np.int64) - HALF
    # The slope in halves, as the product takes up to 72 bits; shifts of signed numbers floor.
    exponent = offset * (exponent_slope & 0xFFFF)
    exponent >>= 16
    exponent += offset * (exponent_slope >> 16)
    exponent >>= 16
    return fixed.reciprocals(fixed.exponentials(exponent) + np.uint64(ONE))
