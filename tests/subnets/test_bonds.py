"""Bonds of Yuma 3 from epoch to epoch, with and without liquid alpha."""

import pytest

from subnets import fixed
from subnets.consensus import EpochParams, run_yuma
from tests.subnets.epochs import assert_terms, dense, epoch, params, reals, rows
from tests.subnets.vector_files import cases, load

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


def test_bonds_of_a_validator_that_loses_its_permit_are_cleared():
    settings = EpochParams(max_validators=1)
    weights = {0: {2: 65_535}, 1: {2: 65_535}}
    first = run_yuma(epoch([60, 40, 0], weights, params=settings))
    assert list(first.bonds) == [0]

    second = run_yuma(epoch([30, 40, 0], weights, bonds=first.bonds, params=settings))

    assert list(second.bonds) == [1]


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
