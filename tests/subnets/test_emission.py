"""What is issued, and who gets it."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subnets import emission
from tests.subnets.vector_files import cases, kinds_of, load

CAP = 21_000_000 * 10**9
TAO = 10**9


@pytest.mark.parametrize(
    "case",
    [case for case in cases("halving") if case.id.startswith(("halving_point", "halving_mainnet"))],
)
def test_block_emission_follows_the_issuance(case):
    issued = case["inputs"]["total_issuance_rao"]

    assert emission.block_emission_rao(issued) == case["expected"]["block_emission_rao"]


@pytest.mark.parametrize(
    "case", [case for case in cases("halving") if case.id.startswith("halving_threshold")]
)
def test_block_emission_halves_exactly_at_its_threshold(case):
    inputs, expected = case["inputs"], case["expected"]

    before = emission.block_emission_rao(inputs["total_issuance_rao_before"])
    at = emission.block_emission_rao(inputs["total_issuance_rao_at"])

    assert (before, at) == (expected["block_emission_before"], expected["block_emission_at"])


def test_a_halving_period_lasts_ten_and_a_half_million_blocks():
    (case,) = [case for case in load("halving") if case["id"] == "halving_blocks_between"]
    blocks = case["expected"]["blocks_per_period"]

    assert emission.emission_over_blocks(0, blocks) == 10_500_000 * TAO
    assert emission.emission_over_blocks(0, 2 * blocks) == 15_750_000 * TAO


def test_every_halving_vector_is_tested():
    prefixes = (
        "halving_point",
        "halving_mainnet",
        "halving_threshold",
        "halving_blocks_between",
    )

    assert all(case["id"].startswith(prefixes) for case in load("halving"))


def issued_block_by_block(issued, blocks):
    total = 0
    for _ in range(blocks):
        total += emission.block_emission_rao(issued + total)
    return total


@given(
    halving=st.integers(1, 30),
    below_rao=st.integers(0, 3 * TAO),
    blocks=st.integers(0, 300),
)
def test_emission_over_blocks_is_the_sum_of_its_blocks(halving, below_rao, blocks):
    issued = max(0, CAP - (CAP >> halving) - below_rao)

    assert emission.emission_over_blocks(issued, blocks) == issued_block_by_block(issued, blocks)


def test_emission_never_passes_the_cap_however_many_blocks_pass():
    issued = emission.emission_over_blocks(0, 10**18)

    assert CAP - 20_000_000 < issued <= CAP
    assert emission.block_emission_rao(issued) == 0
    assert emission.emission_over_blocks(issued, 10**9) == 0
    assert emission.emission_over_blocks(CAP + 5, 10) == 0


ISSUED = st.one_of(
    st.integers(0, CAP),
    st.builds(
        lambda k, rao: max(0, CAP - (CAP >> k) - rao), st.integers(1, 31), st.integers(0, 10**13)
    ),
)


@given(issued=ISSUED, spans=st.lists(st.integers(0, 10**7), max_size=12))
def test_however_a_span_of_blocks_is_split_into_accruals_the_sum_is_the_same(issued, spans):
    accrued = 0
    for blocks in spans:
        accrued += emission.emission_over_blocks(issued + accrued, blocks)

    assert accrued == emission.emission_over_blocks(issued, sum(spans))
    assert issued + accrued <= CAP


def test_an_accrual_across_a_halving_pays_each_block_by_its_own_rate():
    threshold = 10_500_000 * TAO

    assert emission.emission_over_blocks(threshold - 3 * TAO, 5) == 3 * TAO + 2 * (TAO // 2)
    # Half a TAO short of the threshold one more whole block is due.
    assert emission.emission_over_blocks(threshold - TAO // 2, 2) == TAO + TAO // 2


@given(
    pending=st.integers(0, CAP),
    start=st.integers(0, 10**9),
    tempos=st.lists(st.integers(1, 50_400), min_size=1, max_size=8),
    beyond=st.integers(0, 50_400),
)
def test_the_epochs_of_an_outage_share_the_bucket_by_their_blocks_and_leave_what_is_not_theirs(
    pending, start, tempos, beyond
):
    accrued_block = start + sum(tempos) + beyond
    left, parts, block = pending, [], start
    for tempo in tempos:
        parts.append(
            emission.epoch_part_rao(
                left, start_block=block, end_block=block + tempo, accrued_block=accrued_block
            )
        )
        left, block = left - parts[-1], block + tempo

    assert all(part >= 0 for part in parts)
    assert left >= 0
    assert beyond or left == 0
    span = accrued_block - start
    for part, tempo in zip(parts, tempos, strict=True):
        assert abs(part * span - pending * tempo) <= span * len(tempos)


def test_a_bucket_that_ends_with_its_epoch_is_paid_whole():
    for accrued_block in (350, 360):
        part = emission.epoch_part_rao(
            77, start_block=0, end_block=360, accrued_block=accrued_block
        )
        assert part == 77


SHARE_KIND = "subnet TAO emission split"


def shares_of(inputs, **settings):
    """Feed decimals of a vector as integers: prices in thousandths, burned parts in hundredths."""
    prices = [round(price * 1_000) for price in inputs["moving_prices"]]
    burned = inputs.get("miner_burned", [0] * len(prices))
    return emission.subnet_shares(
        prices,
        miner_burned=[round(part * 100) for part in burned],
        burned_one=100,
        is_enabled=[bool(flag) for flag in inputs["enabled"]],
        **settings,
    )


@pytest.mark.parametrize(
    "case",
    [case for case in cases("emission_coinbase", SHARE_KIND) if case.id != "share_zero_prices"],
)
def test_subnet_shares_follow_the_chain(case):
    shares = shares_of(case["inputs"])

    assert sum(shares) == emission.SHARE_ONE
    if "tao" in case["expected"]:
        block_emission = case["inputs"]["block_emission"]
        taos = [share * block_emission // emission.SHARE_ONE for share in shares]
        assert taos == pytest.approx(case["expected"]["tao"], abs=case["tolerance"])
    else:
        parts = [share / emission.SHARE_ONE for share in shares]
        assert parts == pytest.approx(case["expected"]["shares"], abs=case["tolerance"])


def test_no_subnet_gets_a_share_while_no_price_is_positive():
    (case,) = [case for case in load("emission_coinbase") if case["id"] == "share_zero_prices"]

    assert shares_of(case["inputs"]) == case["expected"]["tao_in"] == [0, 0]


@pytest.mark.parametrize("case", cases("emission_coinbase", "alpha_out split per block"))
def test_owner_and_miners_get_their_part_of_an_epoch(case):
    inputs, expected = case["inputs"], case["expected"]

    split = emission.split_epoch(
        inputs["alpha_out"],
        owner_cut_u16=inputs["owner_cut_u16"],
        server_share=[0, 1],
        validator_share=[1, 0],
    )

    assert split.owner_rao == expected["owner"]
    assert split.miner_rao[1] == pytest.approx(expected["server"], abs=case["tolerance"])
    # There is no root here: its part stays with the validators.
    validators = expected["validator"] + expected["root"]
    assert split.validator_rao[0] == pytest.approx(validators, abs=case["tolerance"] + 1)


def test_validators_also_get_the_miners_part_when_no_miner_has_incentive():
    (case,) = [case for case in load("emission_coinbase") if case["id"] == "drain_no_miners"]
    pending = case["inputs"]["pending"]
    stake = case["inputs"]["stakes"]["h1"]

    split = emission.split_epoch(
        pending, owner_cut_u16=0, server_share=[0], validator_share=[emission.SHARE_ONE]
    )

    assert stake + split.validator_rao[0] == case["expected"]["stake_after"]["h1"]


@pytest.mark.parametrize("case", cases("emission_coinbase", "owner incentive withheld"))
def test_incentive_of_the_owners_neurons_is_burned(case):
    incentives = case["inputs"]["incentives"]
    owned = [uid for uid, name in enumerate(incentives) if name.startswith("owner")]
    miners = sum(incentives.values())

    split = emission.split_epoch(
        2 * miners,
        owner_cut_u16=0,
        server_share=list(incentives.values()),
        validator_share=[1] * len(incentives),
        withheld_uids=owned,
    )

    assert all(split.miner_rao[uid] == 0 for uid in owned)
    assert split.burned_rao == sum(list(incentives.values())[uid] for uid in owned)
    assert sum(split.miner_rao) == miners - split.burned_rao
    burned = split.miner_burned_u16 / emission.U16_MAX
    assert burned == pytest.approx(case["expected"]["derived_miner_burned"], abs=1e-4)


APPLIED = {
    SHARE_KIND,
    "alpha_out split per block",
    "distribute_emission with no weights",
    "owner incentive withheld",
}
# Emission is paid in TAO from one pot: there are no pools of alpha and no price of alpha yet.
NEED_ALPHA_POOLS = {"liquidity injection", "price EMA", "root proportion"}
# Flow shares were replaced by price shares on the chain itself (spec 425).
RETIRED = {"p-power normalisation (legacy flow shares)", "legacy flow shares (taoflow)"}
# Hotkeys have no children, nominators, leases or second mechanism here yet.
NEED_OTHER_ROOMS = {
    "validator dividend distribution",
    "dividends + incentives of one hotkey",
    "childkey dividends",
    "inherited stake",
    "mechanism emission split",
    "mechanism aggregation",
    "lease dividend split",
}
IN_TEST_CONSENSUS = {"mechanism incentive"}


def test_every_kind_of_coinbase_vector_is_tested_or_named_as_later():
    named = APPLIED | NEED_ALPHA_POOLS | RETIRED | NEED_OTHER_ROOMS | IN_TEST_CONSENSUS

    assert kinds_of("emission_coinbase") == named


@pytest.mark.parametrize("case", cases("emission_gate", "emission gate"))
def test_the_gate_bends_shares_as_the_chain_does(case):
    inputs, expected = case["inputs"], case["expected"]
    shares = [round(share * 100) for share in inputs["burn_adjusted_shares"]]
    theta = round(expected["theta"] * 100)

    if inputs["mode"] == "rank":  # the older bar by mass is not computed, only passed on
        assert emission.gate_bar(shares, rank=inputs["rank"]) == theta
    bent = emission.gated(shares, bar=theta)

    parts = [share / emission.SHARE_ONE for share in bent]
    assert parts == pytest.approx(expected["final_shares"], abs=case["tolerance"])


@pytest.mark.parametrize("case", cases("emission_gate", "gate value"))
def test_the_gate_lets_pass_what_the_chain_lets_pass(case):
    ratio = Fraction(case["inputs"]["share_over_theta"]).limit_denominator(1_000)
    assert case["inputs"]["h"] == emission.GATE_STEEPNESS

    value = emission.gate_value(ratio.numerator, bar=ratio.denominator)

    assert float(value) == pytest.approx(case["expected"], abs=case["tolerance"])


def test_every_kind_of_gate_vector_is_tested():
    assert kinds_of("emission_gate") == {"emission gate", "gate value"}


def test_the_gate_stands_open_while_there_are_fewer_subnets_than_its_rank():
    prices = [300, 600]
    settings = {"miner_burned": [0, 0], "is_enabled": [True, True]}

    assert emission.subnet_shares(prices, **settings, gate_rank=32) == emission.subnet_shares(
        prices, **settings
    )


def test_the_gate_counts_disabled_subnets_before_they_are_zeroed():
    third = emission.subnet_shares(
        [100, 200, 300],
        miner_burned=[0, 0, 0],
        is_enabled=[True, False, True],
        gate_rank=1,
    )

    # 1/3 and 1 of the bar pass 1/28 and 1/2: 100/28 against 300/2.
    assert third[1] == 0
    assert third[2] / third[0] == pytest.approx(42, rel=1e-6)


def test_a_burned_part_of_the_miners_emission_goes_to_nobody():
    split = emission.split_epoch(
        1_000, owner_cut_u16=0, server_share=[0, 1], validator_share=[1, 0], burn_u16=32_768
    )

    assert split.miner_rao == (0, 250)
    assert split.validator_rao == (500, 0)
    assert (split.burned_rao, split.miner_burned_u16) == (250, 32_767)


def test_everything_but_the_owners_cut_is_burned_on_an_empty_subnet():
    split = emission.split_epoch(1_001, owner_cut_u16=11_796, server_share=[], validator_share=[])

    assert (split.owner_rao, split.burned_rao) == (180, 821)
    assert split.miner_burned_u16 == 0


def test_the_validators_part_is_burned_when_none_has_dividends():
    split = emission.split_epoch(
        1_000, owner_cut_u16=0, server_share=[3, 1], validator_share=[0, 0]
    )

    assert (split.miner_rao, split.validator_rao, split.burned_rao) == ((375, 125), (0, 0), 500)


shares = st.integers(0, emission.SHARE_ONE)


@given(
    pot=st.integers(0, CAP),
    rows=st.lists(st.tuples(shares, shares, st.booleans()), max_size=64),
    owner_cut=st.integers(0, 65_535),
    burn=st.integers(0, 65_535),
)
def test_the_parts_of_an_epoch_sum_to_its_emission(pot, rows, owner_cut, burn):
    split = emission.split_epoch(
        pot,
        owner_cut_u16=owner_cut,
        server_share=[row[0] for row in rows],
        validator_share=[row[1] for row in rows],
        burn_u16=burn,
        withheld_uids=[uid for uid, row in enumerate(rows) if row[2]],
    )

    paid = [split.owner_rao, split.burned_rao, *split.miner_rao, *split.validator_rao]
    assert sum(paid) == pot
    assert min(paid) >= 0
    assert 0 <= split.miner_burned_u16 <= 65_535


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 10**12), st.integers(0, 65_535), st.booleans()), max_size=128
    ),
    rank=st.none() | st.integers(1, 40),
)
def test_subnet_shares_sum_to_one_or_to_nothing(rows, rank):
    result = emission.subnet_shares(
        [row[0] for row in rows],
        miner_burned=[row[1] for row in rows],
        is_enabled=[row[2] for row in rows],
        gate_rank=rank,
    )

    assert sum(result) in (0, emission.SHARE_ONE)
    assert all(share == 0 or row[2] for share, row in zip(result, rows, strict=True))
