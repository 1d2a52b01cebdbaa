"""How one bond moves: the blend with clipped weights, its own speed, and what drops it."""

import struct

import numpy as np
import pytest

from subnets import bonds, fixed
from subnets.bonds import LiquidAlpha
from subnets.consensus import EpochParams, run_yuma
from subnets.pairs import Matrix, Pairs
from tests.subnets import slow_yuma
from tests.subnets.epochs import epoch, reals
from tests.subnets.vector_files import cases, kinds_of

ONE = fixed.ONE


def q32(values):
    return fixed.words([round(value * ONE) for value in values])


def single(value):
    """Round to a 32-bit float, in which the source writes both its inputs and its answers."""
    return struct.unpack("f", struct.pack("f", value))[0]


@pytest.mark.parametrize("case", cases("math_helpers", "interpolate (bonds penalty blend)"))
def test_the_bonds_penalty_blends_as_the_chain_does(case):
    inputs = case["inputs"]

    blended = bonds.blended_weights(
        q32(inputs["a"]), q32(inputs["b"]), penalty=round(inputs["ratio"] * ONE)
    )

    assert reals(blended.tolist()) == pytest.approx(case["expected"], abs=case["tolerance"])


EMA_KIND = "per-pair alpha EMA capped at 1 (liquid alpha bonds)"


@pytest.mark.parametrize("case", cases("math_helpers", EMA_KIND))
def test_each_bond_moves_by_its_own_alpha_and_never_above_one(case):
    weights, old, alphas = (
        q32(map(single, case["inputs"][name])) for name in ("new_weights", "old_bonds", "alpha")
    )

    moved = bonds.blended_bonds(weights, old, alphas=alphas)

    expected = [single(value) for value in case["expected"]]
    assert reals(moved.tolist()) == pytest.approx(expected, abs=case["tolerance"])


@pytest.mark.parametrize("case", cases("math_helpers", "liquid alpha per pair"))
def test_the_alpha_of_a_pair_is_the_chains(case):
    inputs = case["inputs"]
    low, high, weight, bond, agreed = (
        q32([inputs[name]]) for name in ("alpha_low", "alpha_high", "weight", "bond", "consensus")
    )
    slope = LiquidAlpha.of(low_u16=0, high_u16=0, steepness=inputs["steepness_param"])
    assert slope.exponent_slope == -inputs["slope"] * ONE

    alpha = bonds.pair_alphas(
        weight,
        bond,
        consensus=agreed,
        liquid_alpha=LiquidAlpha(int(low[0]), int(high[0]), slope.exponent_slope),
    )

    assert reals(alpha.tolist()) == pytest.approx([case["expected"]], abs=case["tolerance"])


@pytest.mark.parametrize("steepness", [-32_768, -4_001, -1_000, -200, 0, 1, 200, 1_000, 32_767])
def test_the_alphas_of_all_pairs_equal_the_slow_way_to_the_bit(steepness):
    numbers = np.random.default_rng(3)
    edges = [0, 1, ONE // 2, ONE - 1, ONE]
    weights, old, agreed = (
        np.concatenate([numbers.integers(0, ONE + 1, 300), numbers.choice(edges, 300)]).astype(
            np.uint64
        )
        for _ in range(3)
    )
    settings = {"low_u16": 6_553, "high_u16": 58_982, "steepness": steepness}

    alphas = bonds.pair_alphas(
        weights, old, consensus=agreed, liquid_alpha=LiquidAlpha.of(**settings)
    )

    low, high = fixed.from_u16(6_553), fixed.from_u16(58_982)
    assert alphas.tolist() == [
        slow_yuma.pair_alpha(w, b, consensus=c, low=low, high=high, steepness=steepness)
        for w, b, c in zip(weights.tolist(), old.tolist(), agreed.tolist(), strict=True)
    ]


IN_OTHER_TESTS = {
    "max_upscale_to_u16",
    "max_weight_limit_ok",
    "is_topk",
    "is_topk_nonzero",
    "sigmoid_safe",
}


def test_every_kind_of_helper_vector_is_tested():
    assert kinds_of("math_helpers") == IN_OTHER_TESTS | {
        "interpolate (bonds penalty blend)",
        EMA_KIND,
        "liquid alpha per pair",
    }


def test_under_liquid_alpha_a_bond_without_a_weight_entry_is_gone_at_once():
    alpha = LiquidAlpha.of(low_u16=6_553, high_u16=19_660, steepness=1_000)
    weights, old = q32([0, 0, 1]).reshape(1, 3), q32([0, 0.5, 0.5]).reshape(1, 3)

    kept, dropped = (
        bonds.moved_liquidly(
            Matrix(weights, np.array([entries])),
            old,
            consensus=q32([0, 0, 1]),
            liquid_alpha=alpha,
        ).tolist()[0]
        for entries in ([False, True, True], [False, False, True])
    )

    assert kept[2] == dropped[2] > ONE // 2
    assert 0 < kept[1] < ONE // 2
    assert dropped[1] == 0


def test_an_explicit_zero_keeps_a_bond_even_to_a_miner_without_consensus():
    settings = EpochParams(liquid_alpha=True, max_validators=2)
    inputs = {"bonds": {0: {3: 40_000}}, "params": settings}

    kept = run_yuma(epoch([60, 40, 0, 0], {0: {2: 65_535, 3: 0}, 1: {2: 65_535}}, **inputs))
    dropped = run_yuma(epoch([60, 40, 0, 0], {0: {2: 65_535}, 1: {2: 65_535}}, **inputs))

    assert kept.consensus_u16[3] == 0
    assert 0 < kept.bonds[0][3] < 40_000
    assert 3 not in dropped.bonds[0]


def test_a_weight_equal_to_its_bond_counts_as_buying():
    alpha = LiquidAlpha.of(low_u16=6_553, high_u16=19_660, steepness=1_000)
    half = q32([0.5, 0.5])

    far, near = bonds.pair_alphas(half, half, consensus=q32([0, 0.5]), liquid_alpha=alpha).tolist()

    assert far == (alpha.low + alpha.high) // 2
    assert near < far


def test_bonds_to_a_miner_registered_since_the_last_epoch_are_dropped():
    stored = Pairs.of({0: {1: 100, 2: 200}}, n=3).rows(range(3))

    kept = bonds.bonds_in_force(stored, registered_block=np.array([0, 9, 10]), last_tempo_block=10)

    assert kept.tolist() == [[0, 100, 0], [0, 0, 0], [0, 0, 0]]
