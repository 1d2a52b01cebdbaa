"""Yuma consensus, stage by stage and whole, with the bonds of Yuma 2."""

from dataclasses import replace

import numpy as np
import pytest

from subnets import consensus, fixed
from subnets.consensus import EpochParams, run_yuma
from subnets.pairs import Pairs
from tests.subnets.epochs import assert_terms, dense, epoch, params, rao, reals, rows
from tests.subnets.vector_files import cases, load

ONE = fixed.ONE


def fixed_points(values):
    """Read decimals of a vector as I32F32, to the nearest."""
    return [round(value * ONE) for value in values]


def by_id(prefix):
    return [case for case in cases("epoch_yuma2") if case.id.startswith(prefix)]


def medians(stake, scores, majority, *, columns):
    """Take the stake-weighted median of each column; rows without stake have no say."""
    stake = fixed.normalised(fixed.words(fixed_points(stake)))
    scores = fixed.words([fixed_points(row) for row in scores]).reshape(len(stake), columns)
    voters = stake > 0
    return consensus.weighted_medians(
        stake[voters], scores[voters], majority=round(majority * ONE)
    ).tolist()


@pytest.mark.parametrize("case", cases("weighted_median", "scalar"))
def test_the_weighted_median_is_the_chains(case):
    inputs = case["inputs"]

    found = medians(
        inputs["stake"], [[score] for score in inputs["score"]], inputs["majority"], columns=1
    )

    assert found == fixed_points([case["expected"]])


@pytest.mark.parametrize("case", cases("weighted_median", "columns"))
def test_the_weighted_median_of_columns_is_the_chains(case):
    inputs = case["inputs"]

    found = medians(
        inputs["stake"],
        inputs["weights"],
        inputs["majority"],
        columns=len(case["expected"]),
    )

    assert found == fixed_points(case["expected"])


def test_every_weighted_median_vector_is_tested():
    assert {case["kind"] for case in load("weighted_median")} == {"scalar", "columns"}


@pytest.mark.parametrize("case", cases("math_helpers", "is_topk_nonzero"))
def test_permits_go_to_the_highest_stakes(case):
    permits = consensus.validator_permits(
        np.array(case["inputs"]["vector"]), max_validators=case["inputs"]["k"], owner_uid=None
    )

    assert permits == case["expected"]


@pytest.mark.parametrize("case", cases("math_helpers", "is_topk"))
def test_permits_are_the_top_k_without_zeros(case):
    vector = case["inputs"]["vector"]

    permits = consensus.validator_permits(
        np.array(vector), max_validators=case["inputs"]["k"], owner_uid=None
    )

    expected = [top and value > 0 for top, value in zip(case["expected"], vector, strict=True)]
    assert permits == expected


def run_case(case, **changes):
    """Run a vector that describes its epoch wholly."""
    inputs = case["inputs"]
    fields = {"params": params(inputs.get("params", {}))}
    for theirs, ours in (
        ("permits", "permits"),
        ("permits_before", "permits"),
        ("last_update", "last_update"),
        ("owner_uid", "owner_uid"),
    ):
        if theirs in inputs:
            fields[ours] = inputs[theirs]
    return run_yuma(epoch(inputs["stakes"], rows(inputs["weights"]), **fields | changes))


@pytest.mark.parametrize(
    "case",
    by_id("y2_one_node") + by_id("y2_ten_nodes") + by_id("y2_derived") + by_id("y2_worked_example"),
)
def test_an_epoch_gives_the_chains_terms(case):
    tolerance = case["tolerance"]

    terms = run_case(case)

    reals_tolerance = tolerance["reals"] if isinstance(tolerance, dict) else 0
    assert_terms(terms, case["expected"], tolerance=reals_tolerance)


@pytest.mark.parametrize("case", by_id("y2_derived_consensus_guarantee"))
def test_a_majority_keeps_at_least_its_stake_of_the_emission(case):
    inputs = case["inputs"]
    assert case["expected"]["property_major_ratio_ge_major_stake"] is True

    emission = rao(run_case(case).combined_share)

    ratio = sum(emission[uid] for uid in inputs["major_uids"]) / sum(emission)
    assert ratio == pytest.approx(case["expected"]["major_emission_ratio"], abs=1e-6)
    assert ratio >= inputs["stakes"][0] / sum(inputs["stakes"]) - 1e-6


def graph_512(position):
    """Return 64 validators that all weigh 448 miners alike, each role at the uid `position` gives it."""
    validators = [position[i] for i in range(64)]
    servers = [position[i] for i in range(64, 512)]
    stakes = [0] * 512
    for uid in validators:
        stakes[uid] = 328_125_000_000_000
    weights = {uid: dict.fromkeys(servers, 65_535) for uid in validators}
    return validators, servers, stakes, weights


@pytest.mark.parametrize("stride", [1, 5])
@pytest.mark.parametrize("case", by_id("y2_512_graph"))
def test_a_full_subnet_gives_the_chains_terms_however_uids_interleave(case, stride):
    position = [i * stride % 512 for i in range(512)]
    validators, servers, stakes, weights = graph_512(position)
    inputs = epoch(stakes, weights, params=params(case["inputs"]["params"]))

    for block in (3, 4):  # bonds carried over
        terms = run_yuma(inputs)
        inputs = replace(inputs, bonds=terms.bonds, permits=terms.new_permits, block=block)

    emission = rao(terms.combined_share)
    for uids, expected in (
        (validators, case["expected"]["validators"]),
        (servers, case["expected"]["servers"]),
    ):
        assert {terms.consensus_u16[uid] for uid in uids} == {expected["consensus_u16"]}
        assert {terms.incentive_u16[uid] for uid in uids} == {expected["incentive_u16"]}
        assert {terms.dividends_u16[uid] for uid in uids} == {expected["dividends_u16"]}
        assert {emission[uid] for uid in uids} == {expected["emission_rao"]}
    bond = case["expected"]["validators"]["bond_to_any_server_u16"]
    assert terms.bonds == {uid: dict.fromkeys(servers, bond) for uid in validators}


def bond_steps():
    """Run the eight steps of y2_bonds on one state; return (case, terms) pairs."""
    bonds, last_update, outcome = {}, [0] * 8, []
    for case in load("epoch_yuma2"):
        if not case["id"].startswith("y2_bonds_step"):
            continue
        inputs = case["inputs"]
        for uid in inputs["new_weights_this_step"]:
            last_update[int(uid)] = inputs["block"]
        terms = run_yuma(
            epoch(
                inputs["stakes"],
                rows(inputs["weights_in_force"]),
                bonds=bonds,
                last_update=list(last_update),
                block=inputs["block"],
                tempo=inputs["tempo"],
                params=params(inputs["params"]),
            )
        )
        bonds = terms.bonds
        outcome.append(pytest.param(case, terms, id=case["id"]))
    return outcome


@pytest.mark.parametrize(("case", "terms"), bond_steps())
def test_bonds_follow_the_chain_over_eight_steps(case, terms):
    column = case["inputs"]["bond_column_reported"]

    stored = [row[column] for row in dense(terms.bonds, 8)]

    assert stored[:4] == case["expected"]["bonds_u16_column"]
    assert_terms(terms, case["expected"], tolerance=case["tolerance"]["others"])


def test_weights_on_a_replaced_miner_are_outdated_until_set_again():
    first, second = [case for case in load("epoch_yuma2") if "y2_outdated" in case["id"]]
    inputs = epoch(
        first["inputs"]["stakes"],
        rows(first["inputs"]["weights"]),
        permits=[True] * 4,
        block=1,
        tempo=0,
        params=params(first["inputs"]["params"]),
    )
    assert inputs.weights[0] == {
        int(uid): value
        for uid, value in first["inputs"]["stored_weights_after_upscale"]["0"].items()
    }
    terms = run_yuma(inputs)
    assert_terms(terms, first["expected"], tolerance=first["tolerance"])

    inputs = replace(
        inputs,
        stakes_rao=second["inputs"]["stakes"],
        permits=second["inputs"]["stored_permits"],
        last_update=second["inputs"]["last_update"],
        registered_block=second["inputs"]["block_at_registration"],
        block=2,
        bonds=terms.bonds,
    )
    uids = range(inputs.n)
    stored = Pairs.of(inputs.weights, n=inputs.n).rows(uids)
    used = consensus.weights_in_force(inputs, stored, rows=uids, permits=inputs.permits)
    for uid, row in second["expected"]["weights_used"].items():
        entries = used.values[int(uid)][used.has_entry[int(uid)]].tolist()
        assert reals(entries) == pytest.approx(list(row.values()), abs=1e-9)
    assert_terms(run_yuma(inputs), second["expected"], tolerance=second["tolerance"]["reals"])


def test_emission_follows_stake_until_weights_in_force_exist():
    permits, weights = [False, False], {}
    for case in load("epoch_yuma2"):
        if not case["id"].startswith("y2_zero_weights"):
            continue
        inputs = case["inputs"]
        weights |= rows(inputs["new_weights"])
        # The vector gives last_update as it was after step 4; its note says when weights were set.
        last_update = inputs["last_update"]
        if "same block 2" in case["note"]:
            last_update = [2, 1]
        terms = run_yuma(
            epoch(
                inputs["stakes"],
                weights,
                permits=permits,
                last_update=last_update,
                registered_block=inputs["block_at_registration"],
                block=inputs["block"],
                params=params(inputs["params"]),
            )
        )
        permits = terms.new_permits

        assert_terms(terms, case["expected"], tolerance=0)


def test_bonds_to_a_replaced_miner_start_anew():
    (case,) = [case for case in load("epoch_yuma2") if case["id"] == "y2_deregistered_miner_bonds"]
    assert len(case["expected"]["inequalities"]) == 2
    weights = {0: {2: 65_535, 3: 65_535}, 1: {2: 65_535, 3: 65_535}}
    inputs = epoch([1, 1, 0, 0], weights, block=4, tempo=2)
    before = run_yuma(inputs)
    assert before.bonds[0] == {2: 65_535, 3: 65_535}

    after = run_yuma(
        replace(
            inputs,
            bonds=before.bonds,
            registered_block=[0, 0, 0, 5],
            last_update=[5, 5, 1, 1],
            block=6,
        )
    )

    assert after.bonds[0] == {2: 65_535}


@pytest.mark.parametrize("case", by_id("y2_permits"))
def test_permits_follow_stake_from_one_epoch_to_the_next(case):
    inputs = case["inputs"]
    n = inputs["n"]
    settings = EpochParams(
        max_validators=inputs["max_validators"], stake_threshold_rao=inputs["stake_threshold"]
    )

    first = run_yuma(epoch(inputs["stakes_epoch1"], {}, permits=[False] * n, params=settings))
    second = run_yuma(
        epoch(inputs["stakes_epoch2"], {}, permits=first.new_permits, params=settings)
    )

    assert first.new_permits == case["expected"]["permits_after_epoch1"]
    assert second.new_permits == case["expected"]["permits_after_epoch2"]


@pytest.mark.parametrize("case", by_id("y2_owner_self_weight"))
def test_only_the_owners_neuron_may_weigh_itself(case):
    owned = run_case(case)
    assert rao(owned.server_share) == [250_000_000, 250_000_000]
    assert rao(owned.validator_share) == [500_000_000, 0]
    assert case["expected"] == {"server_emission_equal": True, "both_positive": True}

    other = run_case(case, owner_uid=None)

    assert rao(other.server_share) == [0, 500_000_000]


@pytest.mark.parametrize("case", by_id("y2_single_staker"))
def test_a_single_staker_without_permit_gets_all(case):
    terms = run_case(case)

    total = sum(rao(terms.server_share)) + sum(rao(terms.validator_share))
    assert total == case["expected"]["sum_incentives_plus_dividends"]


def test_every_yuma2_vector_is_tested():
    prefixes = (
        "y2_one_node",
        "y2_ten_nodes",
        "y2_512_graph",
        "y2_bonds_step",
        "y2_outdated_step",
        "y2_zero_weights_step",
        "y2_deregistered_miner_bonds",
        "y2_permits",
        "y2_owner_self_weight",
        "y2_single_staker",
        "y2_derived",
        "y2_worked_example",
    )

    assert all(case["id"].startswith(prefixes) for case in load("epoch_yuma2"))


@pytest.mark.parametrize("case", cases("emission_coinbase", "mechanism incentive"))
def test_incentive_follows_the_weights_of_a_mechanism(case):
    inputs, expected = case["inputs"], case["expected"]
    if "validator" in expected:  # nobody weighs anybody
        terms = run_case(case)
        assert rao(terms.server_share, inputs["emission"]) == expected["server"]
        paid = rao(terms.validator_share, inputs["emission"])
        assert paid == pytest.approx(expected["validator"], abs=case["tolerance"])
        return
    for weights, incentive in zip(inputs["validator_weights"], expected.values(), strict=True):
        terms = run_yuma(epoch([1, 0, 0], rows({"0": weights})))
        got = {str(uid): terms.incentive_u16[uid] for uid in (1, 2)}
        assert got == pytest.approx(incentive, abs=case["tolerance"])
