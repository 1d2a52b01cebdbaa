"""Yuma in floating point, as one writes it in an afternoon with numpy: the peer of `subnets.consensus`.

Dense matrices of doubles, one row per validator, everyone active and permitted. It is right to about nine
digits, and gives other last digits on other machines: what exact integers are held against.
Letters as in the theory: W weights, B bonds, a active stake, C consensus, I incentive, D dividends.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class FloatParams:
    kappa: float = 32_767 / 65_535
    bonds_moving_average: float = 0.9
    yuma3: bool = True
    liquid_alpha: bool = False
    alpha_low: float = 45_875 / 65_535
    alpha_high: float = 58_982 / 65_535
    steepness: float = 10.0


@dataclass(frozen=True, slots=True)
class FloatTerms:
    consensus: np.ndarray
    incentive: np.ndarray
    dividends: np.ndarray
    validator_trust: np.ndarray
    bonds: np.ndarray


def divided(numerators, denominators):
    """Divide; 0 / 0 is 0."""
    return numerators / np.where(denominators > 0, denominators, 1.0)


def weighted_medians(stake, scores, kappa):
    """Return each column's largest score that `kappa` of the stake gives or exceeds."""
    order = np.argsort(scores, axis=0)
    reached = np.cumsum(stake[order], axis=0)
    at = np.minimum((reached <= stake.sum() - kappa).sum(axis=0), len(stake) - 1)
    columns = np.arange(scores.shape[1])
    return scores[order[at, columns], columns]


def run(stakes, weights_u16, bonds_u16, *, validators, params):
    """Return the terms of an epoch. stakes: one per uid; weights, bonds: (validators, uids)."""
    stake = stakes / stakes.sum()
    active = divided(stake[validators], stake[validators].sum())
    W = weights_u16.astype(np.float64)  # noqa: N806 - the theory's letters
    W[np.arange(len(validators)), validators] = 0.0
    W = divided(W, W.sum(axis=1, keepdims=True))  # noqa: N806
    C = weighted_medians(active, W, params.kappa)  # noqa: N806
    clipped = np.minimum(W, C)
    ranks = active @ clipped
    incentive = divided(ranks, ranks.sum())
    dividends, bonds = (yuma3 if params.yuma3 else yuma2)(
        clipped, bonds_u16, active, C, incentive, params
    )
    laid_out = np.zeros(len(stakes))
    laid_out[validators] = divided(dividends, dividends.sum())
    return FloatTerms(C, incentive, laid_out, clipped.sum(axis=1), np.floor(bonds * 65_535))


def yuma2(W, bonds_u16, active, _consensus, incentive, params):  # noqa: N803
    """Return dividends and bonds that share out each miner's column."""
    B = divided(bonds_u16, bonds_u16.sum(axis=0))  # noqa: N806
    delta = active[:, np.newaxis] * W
    alpha = 1.0 - params.bonds_moving_average
    E = alpha * divided(delta, delta.sum(axis=0)) + (1.0 - alpha) * B  # noqa: N806
    E = divided(E, E.sum(axis=0))  # noqa: N806
    return E @ incentive, divided(E, E.max(axis=0))


def yuma3(W, bonds_u16, active, consensus, incentive, params):  # noqa: N803
    """Return dividends and bonds that are fractions of their own."""
    B = bonds_u16 / 65_535.0  # noqa: N806
    alpha = 1.0 - params.bonds_moving_average
    if params.liquid_alpha:
        distance = np.where(W >= B, np.clip(W - consensus, 0.0, 1.0), np.clip(B - W, 0.0, 1.0))
        sigmoid = 1.0 / (1.0 + np.exp(-params.steepness * (distance - 0.5)))
        alpha = params.alpha_low + sigmoid * (params.alpha_high - params.alpha_low)
    E = np.minimum(1.0, (1.0 - alpha) * B + alpha * W)  # noqa: N806
    return active * (divided(E, E.sum(axis=0)) @ incentive), E
