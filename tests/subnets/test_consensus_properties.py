"""What holds for consensus whatever the epoch: edges and properties."""

import ast
import inspect
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subnets import bonds, consensus, fixed, pairs
from subnets.consensus import EpochParams, EpochTerms, run_yuma
from subnets.fixed import ONE
from subnets.pairs import Matrix, Pairs
from tests.subnets import slow_yuma
from tests.subnets.epochs import epoch, rao

CAP = 21_000_000 * 10**9


def test_nothing_is_shared_where_nobody_has_stake():
    terms = run_yuma(epoch([0, 0], {0: {1: 65_535}}, permits=[True, False]))

    assert terms.server_share == terms.validator_share == [0, 0]
    assert terms.new_permits == [False, False]
    assert run_yuma(epoch([], {})).active == []


def test_an_inactive_validator_has_no_say_but_keeps_its_permit():
    weights = {0: {2: 65_535}, 1: {3: 65_535}}
    inputs = epoch([60, 40, 0, 0], weights, last_update=[1, 5_000, 1, 1])

    assert run_yuma(replace(inputs, block=5_001)).incentive_u16 == [0, 0, 65_535, 0]
    late = run_yuma(replace(inputs, block=5_002))

    assert late.incentive_u16 == [0, 0, 0, 65_535]
    assert late.active == [False, True, False, False]
    assert late.new_permits == [True, True, False, False]


def test_the_owner_is_a_validator_without_permit_and_below_the_threshold():
    settings = EpochParams(yuma3=False, stake_threshold_rao=100, max_validators=1)
    inputs = epoch([10, 50, 0], {0: {2: 65_535}}, permits=[False] * 3, params=settings)
    assert not any(run_yuma(inputs).new_permits)

    terms = run_yuma(replace(inputs, owner_uid=0))

    assert terms.incentive_u16 == [0, 0, 65_535]
    assert terms.new_permits == [True, False, False]


u16 = st.integers(0, 65_535)
kappa = st.one_of(st.sampled_from([0, 32_767, 65_535]), u16)


@st.composite
def epochs(draw, *, is_ranked=True):
    """Return inputs of up to eight neurons, with any stake, weights, bonds, blocks and parameters.

    is_ranked: there may be fewer permits than neurons, so that equal stakes are told apart by uid.
    """
    n = draw(st.integers(1, 8))
    each = {"min_size": n, "max_size": n}
    matrix = st.dictionaries(
        st.integers(0, n - 1), st.dictionaries(st.integers(0, n - 1), u16, max_size=n), max_size=n
    )
    stake = st.one_of(st.integers(0, 100), st.integers(0, CAP // n), st.just(CAP))
    low, high = sorted((draw(u16), draw(u16)))
    return epoch(
        draw(st.lists(stake, **each)),
        draw(matrix),
        permits=draw(st.lists(st.booleans(), **each)),
        bonds=draw(matrix),
        last_update=draw(st.lists(st.integers(0, 20), **each)),
        registered_block=draw(st.lists(st.integers(0, 20), **each)),
        block=draw(st.integers(20, 30)),
        tempo=draw(st.integers(1, 30)),
        last_step_block=draw(st.integers(0, 20)),
        owner_uid=draw(st.none() | st.integers(0, n - 1)),
        params=EpochParams(
            kappa=draw(kappa),
            bonds_moving_average=draw(st.integers(0, 1_000_000)),
            bonds_penalty=draw(u16 | st.sampled_from([0, 65_535])),
            yuma3=draw(st.booleans()),
            liquid_alpha=draw(st.booleans()),
            alpha_low=low,
            alpha_high=high,
            alpha_sigmoid_steepness=draw(st.integers(-32_768, 32_767)),
            activity_cutoff_blocks=draw(st.integers(1, 40)),
            max_validators=draw(st.integers(1, n)) if is_ranked else n,
            stake_threshold_rao=draw(st.integers(0, 10)),
        ),
    )


def permuted(inputs, order):
    """Return the inputs with uid i renamed to order[i]."""
    at = {new: old for old, new in enumerate(order)}

    def moved(values):
        return [values[at[uid]] for uid in range(inputs.n)]

    def moved_matrix(matrix):
        return {order[i]: {order[j]: v for j, v in row.items()} for i, row in matrix.items()}

    return replace(
        inputs,
        stakes_rao=moved(inputs.stakes_rao),
        permits=moved(inputs.permits),
        weights=moved_matrix(inputs.weights),
        bonds=moved_matrix(inputs.bonds),
        last_update=moved(inputs.last_update),
        registered_block=moved(inputs.registered_block),
        owner_uid=None if inputs.owner_uid is None else order[inputs.owner_uid],
    )


@settings(deadline=None)
@given(inputs=epochs(is_ranked=False), data=st.data())
def test_permuting_uids_permutes_the_terms(inputs, data):
    order = data.draw(st.permutations(range(inputs.n)))

    terms, other = run_yuma(inputs), run_yuma(permuted(inputs, order))

    for name in (
        "active",
        "new_permits",
        "stake_q32",
        "consensus_q32",
        "incentive_q32",
        "dividends_q32",
        "validator_trust_q32",
        "server_share",
        "validator_share",
        "combined_share",
    ):
        values, others = getattr(terms, name), getattr(other, name)
        assert [others[order[uid]] for uid in range(inputs.n)] == values, name
    assert other.bonds == {
        order[i]: {order[j]: bond for j, bond in row.items()} for i, row in terms.bonds.items()
    }


@settings(deadline=None)
@given(inputs=epochs())
def test_shares_are_proportions_that_sum_to_one_or_to_nothing(inputs):
    terms = run_yuma(inputs)

    whole = sum(terms.server_share) + sum(terms.validator_share)
    counted = any(terms.stake_q32)
    assert (abs(whole - ONE) <= 2 * inputs.n) if counted or whole else whole == 0
    assert all(0 <= share <= ONE for share in terms.server_share + terms.validator_share)
    assert all(0 < bond <= 65_535 for row in terms.bonds.values() for bond in row.values())


FIELDS = [field.name for field in fields(EpochTerms)]


def assert_equal_terms(terms, said):
    """Hold every field of the terms against what the slow way says."""
    assert said.keys() == set(FIELDS)
    for name in FIELDS:
        assert getattr(terms, name) == said[name], name


@settings(deadline=None, max_examples=300)
@given(inputs=epochs())
def test_the_terms_equal_the_slow_way_to_the_bit(inputs):
    assert_equal_terms(run_yuma(inputs), slow_yuma.run(inputs))


@settings(deadline=None)
@given(inputs=epochs())
def test_sparse_and_dense_inputs_agree(inputs):
    """Ready matrices say the same as dicts; empty rows and, without liquid alpha, zeros change nothing."""
    n = inputs.n
    full = {i: dict.fromkeys(range(n), 0) | dict(inputs.bonds.get(i, {})) for i in range(n)}
    ready = replace(
        inputs,
        weights=Pairs.of({i: inputs.weights.get(i, {}) for i in reversed(range(n))}, n=n),
        bonds=Pairs.of(full, n=n),
    )

    terms = run_yuma(inputs)

    assert_equal_terms(run_yuma(ready), {name: getattr(terms, name) for name in FIELDS})
    if not inputs.params.liquid_alpha:
        zeros = {i: dict.fromkeys(range(n), 0) | dict(inputs.weights.get(i, {})) for i in range(n)}
        dense = run_yuma(replace(inputs, weights=zeros))
        assert_equal_terms(dense, {name: getattr(terms, name) for name in FIELDS})


@settings(deadline=None)
@given(inputs=epochs())
def test_the_terms_of_an_epoch_feed_the_next(inputs):
    first = run_yuma(inputs)
    following = replace(
        inputs,
        bonds=first.bonds,
        permits=first.new_permits,
        last_step_block=inputs.block,
        block=inputs.block + 5,
    )
    written = {i: dict(row) for i, row in first.bonds.items()}

    assert_equal_terms(run_yuma(following), slow_yuma.run(replace(following, bonds=written)))


def full_subnet(**changes):
    """Return 256 validators that all weigh all 256 neurons, with bonds, and the supply on one hotkey."""
    numbers = np.random.default_rng(7)
    values = numbers.integers(0, 65_536, (2, 256, 256)).astype(np.uint64)
    values[:, numbers.random((256, 256)) < 0.05] = 65_535
    weights, stored = (
        Pairs(tuple(range(256)), Matrix(matrix, np.ones((256, 256), dtype=np.bool_)))
        for matrix in values
    )
    return epoch(
        [1] * 100 + [CAP] + [1] * 155,
        weights,
        bonds=stored,
        permits=[True] * 256,
        params=EpochParams(max_validators=256, **changes),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"yuma3": False},
        {"yuma3": False, "kappa": 65_535, "bonds_penalty": 40_000},
        {"kappa": 0, "bonds_penalty": 0},
        {"liquid_alpha": True, "kappa": 0, "bonds_penalty": 0},
        {"liquid_alpha": True, "alpha_high": 65_535, "alpha_sigmoid_steepness": 32_767},
    ],
)
def test_the_whole_supply_on_one_of_256_hotkeys_overflows_nothing(changes):
    inputs = full_subnet(**changes)

    with np.errstate(all="raise"):
        terms = run_yuma(inputs)

    assert_equal_terms(terms, slow_yuma.run(inputs))


def test_equal_stakes_of_256_full_validators_overflow_nothing():
    inputs = replace(full_subnet(yuma3=False), stakes_rao=[CAP] * 256)

    assert_equal_terms(run_yuma(inputs), slow_yuma.run(inputs))


def test_the_whole_supply_and_one_rao_are_told_apart():
    terms = run_yuma(epoch([CAP, 1, 0], {0: {2: 65_535}, 1: {2: 1}}))

    assert terms.stake_q32 == [ONE - 1, 0, 0]
    assert rao(terms.server_share) == [0, 0, 500_000_000]
    assert rao(terms.validator_share) == [500_000_000, 0, 0]


@pytest.mark.parametrize("module", [fixed, pairs, bonds, consensus])
def test_no_float_stands_in_the_arithmetic(module):
    nodes = list(ast.walk(ast.parse(inspect.getsource(module))))

    assert not [node for node in nodes if isinstance(node, ast.Div)]
    assert not [n for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, float)]
    assert not [n for n in nodes if "float" in getattr(n, "attr", getattr(n, "id", ""))]


def test_consensus_runs_without_django():
    """An epoch can be recomputed from its public bundle without Django installed."""
    program = "import subnets.consensus, sys; sys.exit('django' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
