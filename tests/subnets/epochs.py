"""Build epochs from vectors: inputs with everyone fresh, unless a case says otherwise."""

import pytest

from subnets import weights as weight_rows
from subnets.consensus import EpochInputs, EpochParams

EMISSION_RAO = 10**9


def params(case_params, **changes):
    """Read the params of a vector; what it leaves out is off or as on a new subnet."""
    known = dict(case_params)
    if "alpha_values_u16" in known:
        known["alpha_low"], known["alpha_high"] = known.pop("alpha_values_u16")
    return EpochParams(**{"yuma3": False} | known | changes)


def rows(matrix):
    """Read a sparse matrix of a vector (JSON keys are text) and upscale its rows as storing does."""
    return {
        int(uid): weight_rows.upscaled({int(other): value for other, value in row.items()})
        for uid, row in matrix.items()
    }


def epoch(stakes, weights, **changes):
    """Return inputs in which all is registered at block 0, updated at block 1, and permitted by stake."""
    n = len(stakes)
    fields = {
        "stakes_rao": stakes,
        "permits": [stake > 0 for stake in stakes],
        "weights": weights,
        "bonds": {},
        "last_update": [1] * n,
        "registered_block": [0] * n,
        "block": 2,
        "tempo": 1,
        "params": EpochParams(yuma3=False),
    }
    return EpochInputs(**fields | changes)


def rao(shares, emission_rao=EMISSION_RAO):
    """Return each uid's floor of its share, as the chain stores emission."""
    return [share * emission_rao >> 32 for share in shares]


def reals(values):
    """Return q32 numbers as floats, for vectors that print decimals."""
    return [value / 2**32 for value in values]


def dense(bonds, n):
    """Return sparse u16 bonds as a full matrix."""
    return [[bonds.get(i, {}).get(j, 0) for j in range(n)] for i in range(n)]


INTEGERS = {
    "consensus_u16": lambda terms: terms.consensus_u16,
    "incentive_u16": lambda terms: terms.incentive_u16,
    "dividends_u16": lambda terms: terms.dividends_u16,
    "emission_rao": lambda terms: rao(terms.combined_share),
    "server_emission_rao": lambda terms: rao(terms.server_share),
    "validator_emission_rao": lambda terms: rao(terms.validator_share),
    "bonds_u16": lambda terms: dense(terms.bonds, len(terms.active)),
    "bonds_u16_uid0": lambda terms: dense(terms.bonds, len(terms.active))[0],
}
REALS = {
    "consensus": lambda terms: reals(terms.consensus_q32),
    "incentive": lambda terms: reals(terms.incentive_q32),
    "dividends": lambda terms: reals(terms.dividends_q32),
    "validator_trust": lambda terms: reals(terms.validator_trust_q32),
}


def assert_terms(terms, expected, *, tolerance):
    """Hold terms against a vector: integers to the last unit, decimals to what is printed of them."""
    checked = {name for name in expected if name in INTEGERS or name in REALS}
    assert checked, "the vector expects something"
    for name in checked & INTEGERS.keys():
        assert INTEGERS[name](terms) == expected[name], name
    for name in checked & REALS.keys():
        assert REALS[name](terms) == pytest.approx(expected[name], abs=tolerance), name
