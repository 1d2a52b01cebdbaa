"""Bonds of Yuma 3, with and without liquid alpha, and the arithmetic under them."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subnets import bonds, fixed
from subnets.bonds import LiquidAlpha
from subnets.consensus import EpochParams, run_yuma
from tests.subnets.epochs import assert_terms, dense, epoch, params, reals, rows
from tests.subnets.vector_files import cases, kinds_of, load

ONE = fixed.ONE

# Shared by all source tables and by the simulator cases (the notes of both files).
TABLE_PARAMS = {
    "kappa": 32_767,
    "bonds_moving_average": 975_000,
    "bonds_penalty": 0,
    "yuma3": True,
    "alpha_low": 6_553,
    "alpha_high": 19_660,
    "alpha_sigmoid_steepness": 1_000,
    "max_validators": 3,
}


class Run:
    """One subnet going from epoch to epoch: three validators, then their miners."""

    def __init__(self, settings):
        self.settings = settings
        self.bonds = {}
        self.block = 2

    def step(self, stakes, weights):
        """Run an epoch; weights: u16 by validator and miner, explicit zeros kept."""
        miners = len(weights[0])
        sparse = {
            i: {len(weights) + j: value for j, value in enumerate(row)}
            for i, row in enumerate(weights)
        }
        stakes = [*stakes, *[0] * (len(weights) + miners - len(stakes))]
        terms = run_yuma(
            epoch(
                stakes,
                rows(sparse),
                bonds=self.bonds,
                last_update=[self.block] * len(stakes),
                block=self.block,
                params=self.settings,
            )
        )
        self.bonds = terms.bonds
        self.block += 1
        return terms

    def reset_bonds_to(self, uid):
        """Clear every bond to one miner, as new metadata of the miner does."""
        self.bonds = {
            i: {j: bond for j, bond in row.items() if j != uid} for i, row in self.bonds.items()
        }


def assert_table(case, terms):
    """Hold an epoch against the source's table, and against the exact integers beside it."""
    n, miners = len(terms.active), case["inputs"].get("server_uids", [3, 4])
    stored = [[row[j] for j in miners] for row in dense(terms.bonds, n)[:3]]
    printed = [[bond / 65_535 for bond in row] for row in stored]

    for row, expected in zip(printed, case["expected"]["bonds"], strict=True):
        assert row == pytest.approx(expected, abs=case["tolerance"])
    dividends = case["expected"]["dividends"]
    assert reals(terms.dividends_q32) == pytest.approx(dividends, abs=case["tolerance"])
    checker = case["checker"]
    assert stored == checker["bonds_u16"]
    assert terms.dividends_u16[:3] == checker["dividends_u16"]
    assert [reals(terms.incentive_q32)[j] for j in miners] == pytest.approx(
        checker["incentive"], abs=1e-6
    )
    if "consensus" in checker:
        assert [reals(terms.consensus_q32)[j] for j in miners] == pytest.approx(
            checker["consensus"], abs=1e-6
        )


def table_epochs():
    """Run the six-epoch tables in order; return (case, terms) pairs."""
    runs, outcome = {}, []
    for case in load("epoch_yuma3"):
        if "weights_in_force" not in case["inputs"]:
            continue
        inputs = case["inputs"]
        settings = EpochParams(**TABLE_PARAMS, liquid_alpha=inputs["liquid_alpha"])
        run = runs.setdefault(case["sequence"], Run(settings))
        terms = run.step(inputs["stakes"][:3], inputs["weights_in_force"])
        outcome.append(pytest.param(case, terms, id=case["id"]))
    return outcome


@pytest.mark.parametrize(("case", "terms"), table_epochs())
def test_bonds_and_dividends_follow_the_tables_of_the_chain(case, terms):
    assert_table(case, terms)


def reset_epochs():
    """Run the 41 epochs of y3_bonds_reset by its schedule; return those that have a vector."""
    run = Run(EpochParams(**TABLE_PARAMS, liquid_alpha=True))
    wanted = {
        case["inputs"]["epoch"]: case
        for case in load("epoch_yuma3")
        if case.get("sequence") == "y3_bonds_reset"
    }
    first, second = [65_535, 0], [0, 65_535]
    moves = {0: [first] * 3, 1: [first, second, second], 21: [second, first, first]}
    outcome = []
    for number in range(41):
        if number == 20:
            run.reset_bonds_to(3)
        weights = moves.get(number, [second if number < 21 else first] * 3)
        terms = run.step([8, 1, 1], weights)
        if number in wanted:
            outcome.append(pytest.param(wanted[number], terms, id=wanted[number]["id"]))
    return outcome


@pytest.mark.parametrize(("case", "terms"), reset_epochs())
def test_bonds_grow_anew_after_a_reset_as_on_the_chain(case, terms):
    assert_table(case, terms)


def worked_epochs():
    """Run the worked example, bonds carried from step to step; return (case, terms) pairs."""
    stored, outcome = {}, []
    for case in load("epoch_yuma3"):
        if "step" not in case["inputs"]:
            continue
        inputs, sequence = case["inputs"], case["sequence"]
        terms = run_yuma(
            epoch(
                inputs["stakes"],
                rows(inputs["weights"]),
                bonds=stored.get(sequence, {}),
                params=params(inputs["params"]),
            )
        )
        stored[sequence] = terms.bonds
        outcome.append(pytest.param(case, terms, id=case["id"]))
    return outcome


@pytest.mark.parametrize(("case", "terms"), worked_epochs())
def test_the_worked_example_comes_out(case, terms):
    expected = dict(case["expected"])
    for name in ("consensus", "incentive"):  # printed for the miners only
        expected[name] = [0, 0, 0, *expected[name]]

    assert_terms(terms, expected, tolerance=case["tolerance"]["reals"])


def test_every_yuma3_vector_is_tested():
    tested = table_epochs() + reset_epochs() + worked_epochs()

    assert {param.id for param in tested} == {case["id"] for case in load("epoch_yuma3")}


def simulated(case, *, liquid_alpha):
    """Run all epochs of a simulator case with the chain's maths; return the terms of each."""
    inputs = case["inputs"]
    run = Run(EpochParams(**TABLE_PARAMS, liquid_alpha=liquid_alpha))
    moves = {entry["from_epoch"]: entry for entry in inputs["schedule"]}
    reset = inputs["reset_bonds"]
    now, outcome = moves[0], []
    for number in range(inputs["num_epochs"]):
        now = moves.get(number, now)
        if reset and number == reset["epoch"]:
            run.reset_bonds_to(3 + reset["server_index"])
        weights = [[round(65_535 * value) for value in row] for row in now["weights"]]
        outcome.append(run.step([round(10_000 * stake) for stake in now["stakes"]], weights))
    return outcome


@pytest.mark.parametrize("variant", ["yuma3_liquid_on", "yuma3_liquid_off"])
@pytest.mark.parametrize("case", cases("yuma_sim_cases"))
def test_simulator_cases_come_out_with_the_chains_maths(case, variant):
    expected, tolerance = dict(case["expected"][variant]), case["tolerance"][variant]
    sums = expected.pop("sum_dividends_all_epochs")

    epochs = simulated(case, liquid_alpha=variant.endswith("on"))

    for number, row in expected.items():
        terms = epochs[int(number)]
        stored = [r[3:] for r in dense(terms.bonds, len(terms.active))[:3]]
        assert reals(terms.dividends_q32)[:3] == pytest.approx(row["dividends"], abs=tolerance)
        assert reals(terms.incentive_q32)[3:] == pytest.approx(row["incentive"], abs=tolerance)
        for got, wanted in zip(stored, row["bonds"], strict=True):
            assert [bond / 65_535 for bond in got] == pytest.approx(wanted, abs=tolerance)
    totals = [sum(reals(terms.dividends_q32)[i] for terms in epochs) for i in range(3)]
    assert totals == pytest.approx(sums, abs=tolerance * len(epochs))


# The simulator rescales consensus and adds 1e-6 to denominators; the chain does not, and neither do we.
NOT_THE_CHAINS_MATHS = {"simulator_yuma3_liquid_on"}


def test_every_variant_of_the_simulator_cases_is_tested_or_named():
    variants = {name for case in load("yuma_sim_cases") for name in case["expected"]}

    assert variants == NOT_THE_CHAINS_MATHS | {"yuma3_liquid_on", "yuma3_liquid_off"}


def q32(values):
    return [round(value * ONE) for value in values]


@pytest.mark.parametrize("case", cases("math_helpers", "sigmoid_safe"))
def test_the_exponential_gives_the_chains_sigmoid(case):
    inputs = case["inputs"]
    assert inputs["exp_argument_clamp"] == [-20, 20]

    sigmoid = [
        fixed.div(ONE, ONE + fixed.exp(fixed.mul(-inputs["rho"] * ONE, x - ONE // 2)))
        for x in q32(inputs["x"])
    ]

    assert inputs["kappa"] == 0.5
    assert reals(sigmoid) == pytest.approx(case["expected"], abs=case["tolerance"])


@pytest.mark.parametrize("case", cases("math_helpers", "interpolate (bonds penalty blend)"))
def test_the_bonds_penalty_blends_as_the_chain_does(case):
    inputs = case["inputs"]
    penalty = round(inputs["ratio"] * ONE)

    blended = [
        bonds.blended_weight(weight, clipped, penalty=penalty)
        for weight, clipped in zip(q32(inputs["a"]), q32(inputs["b"]), strict=True)
    ]

    assert reals(blended) == pytest.approx(case["expected"], abs=case["tolerance"] or 0)


def single(value):
    """Round to a 32-bit float, in which the source writes both its inputs and its answers."""
    return struct.unpack("f", struct.pack("f", value))[0]


EMA_KIND = "per-pair alpha EMA capped at 1 (liquid alpha bonds)"


@pytest.mark.parametrize("case", cases("math_helpers", EMA_KIND))
def test_each_bond_moves_by_its_own_alpha_and_never_above_one(case):
    inputs = case["inputs"]

    weights, old, alphas = (
        q32(map(single, inputs[name])) for name in ("new_weights", "old_bonds", "alpha")
    )

    moved = [
        bonds.blended_bond(weight, bond, alpha=alpha)
        for weight, bond, alpha in zip(weights, old, alphas, strict=True)
    ]

    expected = [single(value) for value in case["expected"]]
    assert reals(moved) == pytest.approx(expected, abs=case["tolerance"])


@pytest.mark.parametrize("case", cases("math_helpers", "liquid alpha per pair"))
def test_the_alpha_of_a_pair_is_the_chains(case):
    inputs = case["inputs"]
    low, high, weight, bond, agreed = q32(
        inputs[name] for name in ("alpha_low", "alpha_high", "weight", "bond", "consensus")
    )
    slope = LiquidAlpha.of(low_u16=0, high_u16=0, steepness=inputs["steepness_param"])
    assert slope.exponent_slope == -inputs["slope"] * ONE

    alpha = bonds.pair_alpha(
        weight,
        bond,
        consensus=agreed,
        liquid_alpha=LiquidAlpha(low=low, high=high, exponent_slope=slope.exponent_slope),
    )

    assert alpha / ONE == pytest.approx(case["expected"], abs=case["tolerance"])


IN_OTHER_TESTS = {"max_upscale_to_u16", "max_weight_limit_ok", "is_topk", "is_topk_nonzero"}


def test_every_kind_of_helper_vector_is_tested():
    assert kinds_of("math_helpers") == IN_OTHER_TESTS | {
        "sigmoid_safe",
        "interpolate (bonds penalty blend)",
        EMA_KIND,
        "liquid alpha per pair",
    }


def test_under_liquid_alpha_a_bond_without_a_weight_entry_is_gone_at_once():
    alpha = LiquidAlpha.of(low_u16=6_553, high_u16=19_660, steepness=1_000)
    consensus = [0, 0, ONE]
    old = [{1: ONE // 2, 2: ONE // 2}]

    kept = bonds.moved_liquidly([{1: 0, 2: ONE}], old, consensus=consensus, liquid_alpha=alpha)
    dropped = bonds.moved_liquidly([{2: ONE}], old, consensus=consensus, liquid_alpha=alpha)

    assert kept[0][2] == dropped[0][2] > ONE // 2
    assert 0 < kept[0][1] < ONE // 2
    assert 1 not in dropped[0]


def test_bonds_of_a_validator_that_loses_its_permit_are_cleared():
    settings = EpochParams(max_validators=1)
    weights = {0: {2: 65_535}, 1: {2: 65_535}}
    first = run_yuma(epoch([60, 40, 0], weights, params=settings))
    assert list(first.bonds) == [0]

    second = run_yuma(epoch([30, 40, 0], weights, bonds=first.bonds, params=settings))

    assert list(second.bonds) == [1]


def test_bonds_to_a_miner_registered_since_the_last_epoch_are_dropped():
    stored = {0: {1: 100, 2: 200}}

    kept = bonds.bonds_in_force(stored, registered_block=[0, 9, 10], last_tempo_block=10)

    assert kept == [{1: 100 * ONE}, {}, {}]


@given(st.floats(-20, 20))
def test_the_exponential_is_exact_to_the_last_bits(x):
    value = round(x * ONE)

    # A double carries 53 bits of e**20, so allow for its own error.
    assert fixed.exp(value) / ONE == pytest.approx(math.exp(value / ONE), rel=1e-12, abs=2 / ONE)


def test_the_exponential_is_clamped():
    assert fixed.exp(21 * ONE) == fixed.exp(20 * ONE)
    assert fixed.exp(-100 * ONE) == fixed.exp(-20 * ONE) == int(math.exp(-20) * ONE)
    assert fixed.exp(0) == ONE


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

    far = bonds.pair_alpha(ONE // 2, ONE // 2, consensus=0, liquid_alpha=alpha)
    near = bonds.pair_alpha(ONE // 2, ONE // 2, consensus=ONE // 2, liquid_alpha=alpha)

    assert far == (alpha.low + alpha.high) // 2
    assert near < far


def test_only_registrations_after_the_last_step_void_bonds():
    weights = {0: {1: 65_535, 2: 65_535}}
    stored = {0: {1: 65_535, 2: 65_535}}
    settings = EpochParams(bonds_moving_average=1_000_000)  # bonds stay as they are

    terms = run_yuma(
        epoch(
            [1, 0, 0],
            weights,
            bonds=stored,
            registered_block=[0, 100, 101],
            last_update=[110, 0, 0],
            block=110,
            last_step_block=100,
            params=settings,
        )
    )

    assert terms.bonds == {0: {1: 65_535}}
