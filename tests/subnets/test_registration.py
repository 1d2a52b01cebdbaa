"""Prices of slots, and who leaves a full network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subnets import registration
from subnets.registration import NeuronStanding, SubnetStanding
from tests.subnets.vector_files import cases, kinds_of, load

RAO = 10**9
U64_MAX = 2**64 - 1


def test_the_price_does_not_fall_while_the_last_lock_lies_in_the_future():
    (case,) = [case for case in load("lock_cost") if case["id"] == "lock_migration_2000"]

    cost = registration.lock_cost(
        last_lock_rao=case["inputs"]["last_lock"],
        last_lock_block=150_400,
        block=100_000,
        interval_blocks=case["inputs"]["interval"],
        min_lock_rao=RAO,
    )

    assert cost == case["expected"]["lock_cost"]


@pytest.mark.parametrize(
    "case",
    [case for case in cases("lock_cost") if case.id.startswith(("lock_first", "lock_decay"))],
)
def test_lock_costs_follow_the_formula(case):
    inputs = case["inputs"]

    cost = registration.lock_cost(
        last_lock_rao=inputs["last_lock"],
        last_lock_block=inputs["last_lock_block"],
        block=inputs["now"],
        interval_blocks=inputs["interval"],
        min_lock_rao=inputs["min_lock"],
        block_emission_rao=inputs.get("block_emission", RAO),
    )

    assert cost == case["expected"]["lock_cost"]


@pytest.mark.parametrize(
    "case", [case for case in cases("lock_cost") if case.id.startswith("lock_mainnet")]
)
def test_lock_costs_reproduce_real_registrations(case):
    inputs = case["inputs"]

    cost = registration.lock_cost(
        last_lock_rao=round(inputs["previous_lock_tao"] * RAO),
        last_lock_block=1,
        block=1 + inputs["blocks_since_previous_registration"],
        interval_blocks=inputs["effective_interval"],
        min_lock_rao=inputs["min_lock_tao"] * RAO,
    )

    assert cost / RAO == pytest.approx(case["expected"]["lock_cost_tao"], abs=case["tolerance"])


def test_every_lock_cost_vector_is_tested():
    prefixes = ("lock_first", "lock_decay", "lock_mainnet", "lock_migration_2000")

    assert all(case["id"].startswith(prefixes) for case in load("lock_cost"))


def burn_after(blocks, *, burn, half_life):
    return registration.burn_decayed(
        burn_rao=burn,
        blocks=blocks,
        half_life_blocks=half_life,
        min_burn_rao=0,
        max_burn_rao=U64_MAX,
    )


@pytest.mark.parametrize(
    "case", [case for case in cases("burn") if case.id.startswith("burn_half_lives")]
)
def test_burn_prices_halve_with_the_factor_of_the_chain(case):
    inputs = case["inputs"]

    assert registration.burn_decay_factor(inputs["half_life"]) == inputs["factor_q32"]
    assert {
        blocks: burn_after(int(blocks), burn=inputs["initial_burn"], half_life=inputs["half_life"])
        for blocks in case["expected"]
    } == case["expected"]


@pytest.mark.parametrize(
    "case",
    [case for case in cases("burn") if case.id in {"burn_decay_1000", "burn_half_life_2"}],
)
def test_each_block_floors_the_burn_price(case):
    inputs = case["inputs"]
    after = (
        {inputs["blocks"]: case["expected"]["burn"]}
        if "blocks" in inputs
        else {2: case["expected"]["after_2_blocks"], 4: case["expected"]["after_4_blocks"]}
    )

    assert {
        blocks: burn_after(blocks, burn=inputs["burn"], half_life=inputs["half_life"])
        for blocks in after
    } == after


@pytest.mark.parametrize(
    "case", [case for case in cases("burn") if case.id.startswith("burn_table")]
)
def test_each_registration_raises_the_price_for_the_next(case):
    inputs = case["inputs"]
    prices = [inputs["initial_burn"]]

    for _ in range(inputs["registrations_in_one_block"]):
        prices.append(
            registration.burn_after_registration(
                burn_rao=prices[-1],
                increase_per_mille=inputs["mult"] * 1_000,
                min_burn_rao=inputs["min_burn"],
                max_burn_rao=inputs["max_burn"],
            )
        )

    assert prices[1:] == case["expected"]["price_after_each"]
    assert prices[-1] == case["expected"]["final_burn"]
    assert sum(prices[:-1]) == case["expected"]["total_paid"]


def test_every_burn_vector_is_tested():
    prefixes = ("burn_half_lives", "burn_table", "burn_decay_1000", "burn_half_life_2")

    assert all(case["id"].startswith(prefixes) for case in load("burn"))


def test_a_burn_price_stays_between_its_bounds_however_long_it_decays():
    def price(blocks):
        return registration.burn_decayed(
            burn_rao=500 * RAO,
            blocks=blocks,
            half_life_blocks=360,
            min_burn_rao=500_000,
            max_burn_rao=100 * RAO,
        )

    assert price(0) == 500 * RAO
    assert price(1) == 100 * RAO
    assert price(361) == pytest.approx(50 * RAO, rel=1e-6)
    assert price(10**12) == 500_000


@given(
    burn=st.integers(500_000, 100 * RAO),
    first=st.integers(0, 500),
    second=st.integers(0, 500),
)
def test_decaying_in_two_steps_is_decaying_in_one(burn, first, second):
    def decayed(burn_rao, blocks):
        return registration.burn_decayed(
            burn_rao=burn_rao,
            blocks=blocks,
            half_life_blocks=360,
            min_burn_rao=500_000,
            max_burn_rao=100 * RAO,
        )

    assert decayed(decayed(burn, first), second) == decayed(burn, first + second)


def test_the_default_multiplier_raises_a_price_by_26_percent():
    raised = registration.burn_after_registration(
        burn_rao=RAO, increase_per_mille=1_260, min_burn_rao=500_000, max_burn_rao=100 * RAO
    )

    assert raised == 1_260_000_000


IMMUNITY = 100


def immune_block(text):
    """Read a block number, written in the vectors as a distance from the end of immunity."""
    if isinstance(text, int):
        return text
    _, _, blocks = text.partition("+")
    return IMMUNITY + int(blocks)


@pytest.mark.parametrize("case", cases("dissolve_prune", "subnet prune"))
def test_the_subnet_to_prune_is_the_chains_choice(case):
    networks = [
        SubnetStanding(row["id"], row["price"], immune_block(row["reg"]))
        for row in case["inputs"]["networks"]
    ]

    choice = registration.choose_subnet_to_prune(
        networks, block=immune_block(case["inputs"]["now"]), immunity_period=IMMUNITY
    )

    assert choice == case["expected"]


@pytest.mark.parametrize("case", cases("dissolve_prune", "neuron prune"))
def test_the_neuron_to_prune_is_the_chains_choice(case):
    inputs = case["inputs"]
    owned = inputs.get("owner_uids", [])
    neurons = [
        NeuronStanding(uid, emission, registered, uid in owned)
        for uid, (emission, registered) in enumerate(
            zip(inputs["emission"], inputs["reg"], strict=True)
        )
    ]

    choice = registration.choose_neuron_to_prune(
        neurons,
        block=inputs["now"],
        immunity_period=inputs["immunity"],
        min_non_immune_uids=inputs["min_non_immune"],
        owner_uid=inputs.get("owner_uid"),
        immune_owner_uids_limit=inputs.get("immune_owner_uids_limit", 1),
    )

    assert choice == case["expected"]


# Pools of alpha do not exist here yet, so nothing is paid out or priced when a subnet is dissolved.
LATER = {"dissolve payout", "median subnet price", "new subnet pool"}


def test_every_kind_of_pruning_vector_is_tested_or_named_as_later():
    assert kinds_of("dissolve_prune") == {"subnet prune", "neuron prune"} | LATER


def test_no_subnet_is_pruned_while_all_are_immune():
    young = [SubnetStanding(1, 5, 950), SubnetStanding(2, 3, 990)]

    assert registration.choose_subnet_to_prune(young, block=1_000, immunity_period=IMMUNITY) is None
    assert registration.choose_subnet_to_prune([], block=1_000, immunity_period=IMMUNITY) is None


def prunable(neurons, **changes):
    settings = {"block": 1_000, "immunity_period": IMMUNITY, "min_non_immune_uids": 0}
    return registration.choose_neuron_to_prune(neurons, **settings | changes)


def test_an_immune_neuron_goes_when_too_few_are_exposed():
    neurons = [NeuronStanding(0, 5, 0), NeuronStanding(1, 1, 950), NeuronStanding(2, 0, 960)]

    assert prunable(neurons) == 0
    assert prunable(neurons, min_non_immune_uids=1) == 2


def test_the_owners_own_neuron_is_kept_before_newer_ones():
    neurons = [NeuronStanding(0, 1, 10, True), NeuronStanding(1, 0, 500, True)]

    assert prunable(neurons, owner_uid=0) == 1
    assert prunable(neurons, owner_uid=None) == 0
    assert prunable(neurons, owner_uid=0, immune_owner_uids_limit=2) is None
