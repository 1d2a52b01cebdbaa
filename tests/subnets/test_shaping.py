"""Every shaping is fair in the same ways, and each has its own form."""

import math
from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subnets import curves
from subnets.shaping import (
    SCALE,
    SHAPINGS,
    U16_MAX,
    UNBOUND,
    Bounds,
    Linear,
    Power,
    RankDecay,
    ScoreRankDecay,
    Softmax,
    TopK,
    WinnerTakesAll,
)
from tests.subnets.rule_builders import max_upscaled, weights

ALL = [
    Linear(),
    Power(exponent_ppm=500_000),
    Power(exponent_ppm=2_300_000),
    Power(exponent_ppm=16_000_000),
    Softmax(temperature_ppm=1_000),
    Softmax(temperature_ppm=250_000),
    TopK(k=2),
    RankDecay(decay_ppm=500_000),
    RankDecay(decay_ppm=1_000),
    ScoreRankDecay(decay_ppm=999_000),
    ScoreRankDecay(decay_ppm=300_000),
    WinnerTakesAll(),
    WinnerTakesAll(margin_ppm=100_000),
    WinnerTakesAll(margin_score_ppm=30_000),
]
shapings = st.sampled_from(ALL)
bounds = st.just(UNBOUND) | st.builds(
    Bounds, max_share_ppm=st.integers(10_000, 1_000_000), floor_ppm=st.integers(0, 3_906)
)
units = st.integers(min_value=0, max_value=2**63 - 1) | st.integers(min_value=0, max_value=SCALE)
tables = st.dictionaries(st.text("abcdef", min_size=1, max_size=4), units, max_size=24)


def unit(score):
    return int(score * SCALE)


def shares(shaping, *, within=UNBOUND, **scores):
    shaped = weights(
        shaping, {miner: unit(score) for miner, score in scores.items()}, bounds=within
    )
    return {miner: weight / SCALE for miner, weight in shaped.items()}


@given(shapings, tables, bounds)
def test_weights_sum_to_one_or_are_all_zero(shaping, scores, within):
    shaped = weights(shaping, scores, bounds=within)

    assert list(shaped) == list(scores)
    assert all(weight >= 0 for weight in shaped.values())
    if any(scores.values()):
        assert abs(sum(shaped.values()) - SCALE) <= len(scores)
    else:
        assert not any(shaped.values())


@given(shapings, tables, bounds, st.randoms(use_true_random=False))
def test_weights_follow_the_scores_and_not_the_names(shaping, scores, within, chance):
    names = list(scores)
    chance.shuffle(names)
    renamed = dict(zip(scores, names, strict=True))

    shaped = weights(shaping, scores, bounds=within)
    moved = weights(
        shaping, {renamed[miner]: scores[miner] for miner in reversed(scores)}, bounds=within
    )

    assert moved == {renamed[miner]: weight for miner, weight in shaped.items()}


@given(shapings, tables, bounds, st.data())
def test_a_weight_never_falls_when_only_its_own_score_rises(shaping, scores, within, data):
    if not scores:
        return
    miner = data.draw(st.sampled_from(sorted(scores)))
    raised = {**scores, miner: data.draw(st.integers(scores[miner], 2**63 - 1))}

    before, after = (weights(shaping, table, bounds=within) for table in (scores, raised))
    assert after[miner] >= before[miner]


@given(shapings, tables, bounds)
def test_a_better_score_is_never_paid_less(shaping, scores, within):
    shaped = weights(shaping, scores, bounds=within)
    ranked = sorted(scores, key=lambda miner: scores[miner])

    assert [shaped[miner] for miner in ranked] == sorted(shaped[miner] for miner in ranked)


@given(shapings, tables)
def test_the_greatest_weight_is_scaled_to_u16_max(shaping, scores):
    scaled = max_upscaled(weights(shaping, scores))

    assert max(scaled.values(), default=U16_MAX) == U16_MAX
    assert all(1 <= weight <= U16_MAX for weight in scaled.values())
    assert bool(scaled) == any(scores.values())


@pytest.mark.parametrize("shaping", ALL)
def test_a_single_miner_gets_everything(shaping):
    assert weights(shaping, {"a": 1}) == {"a": SCALE}


@pytest.mark.parametrize("shaping", ALL)
def test_a_zero_score_is_never_paid(shaping):
    assert weights(shaping, {"a": unit(0.001), "b": 0})["b"] == 0


def test_linear_pays_in_proportion():
    assert shares(Linear(), a=0.75, b=0.25) == {"a": 0.75, "b": 0.25}


def test_power_pays_in_proportion_to_the_power():
    assert shares(Power(exponent_ppm=2_000_000), a=0.5, b=1.0) == pytest.approx(
        {"a": 0.2, "b": 0.8}
    )


def test_softmax_pays_in_proportion_to_the_exponential():
    paid = shares(Softmax(temperature_ppm=500_000), a=0.5, b=1.0)

    assert paid["b"] / paid["a"] == pytest.approx(math.e, rel=1e-8)


def test_softmax_at_the_lowest_temperature_is_winner_takes_all():
    assert shares(Softmax(temperature_ppm=1_000), a=0.5, b=1.0) == {"a": 0.0, "b": 1.0}


def test_top_k_pays_the_k_best_in_proportion():
    assert shares(TopK(k=2), a=0.25, b=0.75, c=0.125) == {"a": 0.25, "b": 0.75, "c": 0.0}


def test_top_k_pays_all_who_tie_with_the_last_paid():
    paid = shares(TopK(k=2), a=1.0, b=0.5, c=0.5, d=0.25)

    assert paid == {"a": 0.5, "b": 0.25, "c": 0.25, "d": 0.0}


def test_rank_decay_pays_by_place_whatever_the_distance():
    paid = shares(RankDecay(decay_ppm=500_000), a=1.0, b=0.001, c=0.0005)

    assert paid == pytest.approx({"a": 4 / 7, "b": 2 / 7, "c": 1 / 7})


def test_who_tie_share_the_weights_of_their_places():
    paid = shares(RankDecay(decay_ppm=500_000), a=0.5, b=0.5, c=0.25)

    assert paid == pytest.approx({"a": 3 / 7, "b": 3 / 7, "c": 1 / 7})


def test_a_clone_of_a_ranked_miner_takes_its_second_place_from_nobody_above():
    alone = shares(RankDecay(decay_ppm=500_000), a=0.9, b=0.5)
    cloned = shares(RankDecay(decay_ppm=500_000), a=0.9, b=0.5, clone=0.5)

    assert cloned["a"] < alone["a"]
    assert cloned["b"] + cloned["clone"] > alone["b"]


def test_score_rank_decay_counts_score_and_place():
    paid = shares(ScoreRankDecay(decay_ppm=500_000), a=1.0, b=0.5)

    assert paid == pytest.approx({"a": 0.8, "b": 0.2})


def test_a_margin_in_score_protects_a_holder_whose_score_is_low():
    shaping = WinnerTakesAll(margin_score_ppm=30_000)
    scores = {"holder": unit(0.10), "challenger": unit(0.125)}

    assert weights(shaping, scores, incumbent="holder")["holder"] == SCALE
    scores["challenger"] = unit(0.14)
    assert weights(shaping, scores, incumbent="holder")["challenger"] == SCALE


def test_a_cap_gives_what_it_cuts_to_the_others_by_their_mass():
    paid = shares(Linear(), within=Bounds(max_share_ppm=500_000), a=0.8, b=0.15, c=0.05)

    assert paid == pytest.approx({"a": 0.5, "b": 0.375, "c": 0.125})


def test_a_cap_holds_for_who_reaches_it_only_through_what_was_cut():
    paid = shares(Linear(), within=Bounds(max_share_ppm=300_000), a=0.6, b=0.25, c=0.1, d=0.05)

    assert paid == pytest.approx({"a": 0.3, "b": 0.3, "c": 0.8 / 3, "d": 0.4 / 3})


@given(shapings, tables, st.integers(10_000, 1_000_000))
def test_no_part_is_above_the_cap_unless_too_few_are_paid(shaping, scores, cap_ppm):
    shaped = weights(shaping, scores, bounds=Bounds(max_share_ppm=cap_ppm))
    paid = [weight for weight in shaped.values() if weight]

    if paid and len(paid) * cap_ppm >= 1_000_000:
        assert max(paid) <= SCALE * cap_ppm // 1_000_000 + 1
    elif paid and max(paid) > SCALE * cap_ppm // 1_000_000:
        assert max(paid) - min(paid) <= 1


def test_a_floor_reaches_everyone_who_scored_and_nobody_else():
    paid = shares(TopK(k=1), within=Bounds(floor_ppm=1_000), a=0.9, b=0.5, c=0.0)

    assert paid == pytest.approx({"a": 0.999, "b": 0.001, "c": 0.0}, abs=1e-6)


def test_the_floors_of_a_full_subnet_fit():
    scores = {f"m{number}": number + 1 for number in range(256)}

    shaped = weights(WinnerTakesAll(), scores, bounds=Bounds(floor_ppm=3_906))

    assert min(shaped.values()) > 0
    assert abs(sum(shaped.values()) - SCALE) <= 256


@given(st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1))
def test_a_logarithm_in_integers_is_the_logarithm_and_keeps_the_order(one, other):
    low, high = sorted((one, other))

    exact = Context(prec=60).ln(Decimal(high))
    assert abs(Decimal(curves.ln_of(high)) - exact * curves.ONE) < 2**10
    assert curves.ln_of(low) < curves.ln_of(high) or low == high


@given(st.integers(0, 70 * curves.ONE), st.integers(0, 70 * curves.ONE))
def test_an_exponential_in_integers_is_the_exponential_and_keeps_the_order(one, other):
    low, high = sorted((one, other))

    context = Context(prec=60)
    exact = context.exp(context.divide(Decimal(-high), Decimal(curves.ONE)))
    assert abs(Decimal(curves.exp_of_minus(high)) - exact * curves.ONE) < 2**10
    assert high - low < 2**10 or curves.exp_of_minus(low) >= curves.exp_of_minus(high)


def test_winners_who_tie_share_evenly():
    assert shares(WinnerTakesAll(), a=0.5, b=0.5, c=0.25) == {"a": 0.5, "b": 0.5, "c": 0.0}


@pytest.mark.parametrize(
    ("challenger", "winner"), [(1.09, "holder"), (1.1, "holder"), (1.11, "challenger")]
)
def test_the_holder_keeps_all_until_beaten_by_more_than_the_margin(challenger, winner):
    scores = {"holder": 1_000_000, "challenger": int(challenger * 1_000_000)}

    shaped = weights(WinnerTakesAll(margin_ppm=100_000), scores, incumbent="holder")

    assert shaped[winner] == SCALE


@pytest.mark.parametrize("incumbent", [None, "gone", "failed"])
def test_a_holder_that_is_gone_or_failed_defends_nothing(incumbent):
    scores = {"best": 101, "near": 100, "failed": 0}

    shaped = weights(WinnerTakesAll(margin_ppm=500_000), scores, incumbent=incumbent)

    assert shaped == {"best": SCALE, "near": 0, "failed": 0}


def test_small_weights_are_dropped_when_scaled_to_u16():
    assert max_upscaled({"a": SCALE, "b": SCALE // 2, "c": 1, "d": 0}) == {"a": 65_535, "b": 32_768}


def test_every_shaping_is_listed_under_its_kind():
    assert {type(shaping).kind: type(shaping) for shaping in ALL} == SHAPINGS


# The expected integers were computed apart, with 80-bit floats (numpy longdouble).
@pytest.mark.parametrize(
    ("shaping", "expected"),
    [
        (Power(exponent_ppm=1_300_000), [470_222_854, 1_328_788_929, 2_495_955_513]),
        (Softmax(temperature_ppm=300_000), [545_442_661, 1_136_498_274, 2_613_026_361]),
    ],
)
def test_curved_shapings_give_the_same_integers_on_every_machine(shaping, expected):
    scores = {"a": unit(0.18), "b": unit(0.4) + 1_000_003, "c": unit(0.65)}

    assert list(weights(shaping, scores).values()) == expected
