"""What holds for consensus whatever the epoch: edges and properties."""

import subprocess
import sys
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from subnets.consensus import EpochParams, run_yuma
from subnets.fixed import ONE
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


@st.composite
def epochs(draw):
    """Return inputs of up to eight neurons, with any stake, weights, bonds, blocks and parameters."""
    n = draw(st.integers(1, 8))
    each = {"min_size": n, "max_size": n}
    matrix = st.dictionaries(
        st.integers(0, n - 1), st.dictionaries(st.integers(0, n - 1), u16, max_size=n), max_size=n
    )
    stake = st.one_of(st.integers(0, 100), st.integers(0, CAP // n))
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
            kappa=draw(u16),
            bonds_moving_average=draw(st.integers(0, 1_000_000)),
            bonds_penalty=draw(u16 | st.sampled_from([0, 65_535])),
            yuma3=draw(st.booleans()),
            liquid_alpha=draw(st.booleans()),
            alpha_sigmoid_steepness=draw(st.integers(-32_768, 32_767)),
            activity_cutoff_blocks=draw(st.integers(1, 40)),
            max_validators=n,
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
@given(inputs=epochs(), data=st.data())
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


def test_the_whole_supply_on_one_hotkey_overflows_nothing():
    terms = run_yuma(epoch([CAP, 1, 0], {0: {2: 65_535}, 1: {2: 1}}))

    assert terms.stake_q32 == [ONE - 1, 0, 0]
    assert rao(terms.server_share) == [0, 0, 500_000_000]
    assert rao(terms.validator_share) == [500_000_000, 0, 0]


def test_consensus_runs_without_django():
    """An epoch can be recomputed from its public bundle without Django installed."""
    program = "import subnets.consensus, sys; sys.exit('django' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
