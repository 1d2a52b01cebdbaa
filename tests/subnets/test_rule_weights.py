"""From scores to weights: averages for newcomers, one miner an owner, floors and caps of a whole rule."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subnets import rules
from subnets.grids import Grid
from subnets.rule_weights import BIAS_EPOCHS_MAX, Brought, Known, corrected_alpha_ppm, weigh
from subnets.shaping import PPM, SCALE
from tests.subnets import slow_weights
from tests.subnets.rule_builders import document, miner, rule
from tests.subnets.test_shaping import ALL

PER_OWNER = {"one_per_owner": True}
OWNERS = {"a1": "ada", "a2": "ada", "a3": "ada", "b1": "bob"}
names = st.text("abcde", min_size=1, max_size=3)


def evaluated(parsed, metrics, *, owners=None, ages=None, **fields):
    known = rules.Known(owners or {}, ages or {})
    return rules.evaluate_windows(parsed, [rules.Window(metrics, **fields)], known)[0]


def brought(scores, *, previous=(), incumbents=()):
    """Return what validators bring, one of each: miner → score, None for one that is not valid."""
    sampled = [tuple(sorted(own)) for own in scores]
    told = [own[miner] for own, miners in zip(scores, sampled, strict=True) for miner in miners]
    return Brought(
        sampled=sampled,
        units=np.array([score or 0 for score in told], dtype=np.int64),
        is_valid=np.array([score is not None for score in told], dtype=np.bool_),
        previous=Grid.of_rows(previous or [{}] * len(scores)),
        incumbents=incumbents or [None] * len(scores),
    )


def told(weighed, row):
    """Return what the table says of one validator, as the slow road does."""
    return slow_weights.Weighed(
        smoothed=dict(listed(weighed, weighed.smoothed, row)),
        weights=dict(listed(weighed, weighed.weights, row)),
        weights_u16=weighed.row(weighed.weights_u16[row]),
        outdone=frozenset(weighed.names(weighed.is_outdone[row])),
        winner=weighed.winners[row],
    )


def listed(weighed, numbers, row):
    for column in weighed.is_listed[row].nonzero()[0].tolist():
        yield weighed.miners[column], int(numbers[row, column])


# --- one miner of each owner ---


def test_only_the_best_miner_of_an_owner_is_paid_and_the_others_read_why():
    said = evaluated(rule(**PER_OWNER), {"a1": miner(0.9), "a2": miner(0.8)}, owners=OWNERS)

    assert said.weights_u16 == {"a1": 65_535}
    assert said.of("a2").reasons == (rules.OUTDONE,)
    assert said.reasons == {"a2": (rules.OUTDONE,)}


def test_clones_of_one_owner_divide_what_one_miner_would_earn():
    alone = evaluated(rule(**PER_OWNER), {"a1": miner(0.6), "b1": miner(0.4)}, owners=OWNERS)
    cloned = evaluated(
        rule(**PER_OWNER),
        {"a1": miner(0.6), "a2": miner(0.6), "a3": miner(0.6), "b1": miner(0.4)},
        owners=OWNERS,
    )

    together = sum(cloned.of(name).weight for name in ("a1", "a2", "a3"))
    assert together == pytest.approx(alone.of("a1").weight, abs=3)
    assert cloned.of("b1").weight == alone.of("b1").weight
    assert cloned.of("a1").weight == cloned.of("a2").weight == cloned.of("a3").weight


def test_without_the_member_every_hotkey_stands_for_itself():
    metrics = {"a1": miner(0.6), "a2": miner(0.6), "b1": miner(0.4)}

    assert len(evaluated(rule(), metrics, owners=OWNERS).weights_u16) == 3


def test_a_miner_whose_owner_is_not_named_stands_for_itself():
    said = evaluated(rule(**PER_OWNER), {"x": miner(0.6), "y": miner(0.5)}, owners={})

    assert set(said.weights_u16) == {"x", "y"}


def test_a_cap_is_one_of_owners_where_owners_count_once():
    capped = rule(**PER_OWNER, max_share_ppm=500_000)

    said = evaluated(capped, {"a1": miner(0.9), "a2": miner(0.9), "b1": miner(0.1)}, owners=OWNERS)

    assert said.of("a1").weight + said.of("a2").weight == said.of("b1").weight


def test_an_owner_defends_a_win_with_any_of_its_hotkeys():
    contest = rule(**PER_OWNER, shaping={"kind": "winner_takes_all", "margin_ppm": 100_000})

    said = evaluated(
        contest,
        {"a1": miner(0.2), "a2": miner(0.8), "b1": miner(0.85)},
        owners=OWNERS,
        incumbent="a1",
    )

    assert said.weights_u16 == {"a2": 65_535}


@pytest.mark.parametrize(("incumbent", "winner"), [("a2", "a2"), ("b1", "a1"), (None, "a1")])
@pytest.mark.parametrize("floor", [{}, {"floor_ppm": 1_000}])
def test_an_owner_whose_miners_tie_holds_the_win(incumbent, winner, floor):
    contest = rule(**PER_OWNER, **floor, shaping={"kind": "winner_takes_all"})
    metrics = {"a2": miner(0.9), "a1": miner(0.9), "b1": miner(0.1)}

    said = evaluated(contest, metrics, owners=OWNERS, incumbent=incumbent)

    assert said.winner == winner


def test_an_owner_whose_miners_tie_keeps_the_margin_in_the_next_epoch():
    contest = rule(**PER_OWNER, shaping={"kind": "winner_takes_all", "margin_ppm": 100_000})
    tied = {"a1": miner(0.8), "a2": miner(0.8), "b1": miner(0.7)}
    first = evaluated(contest, tied, owners=OWNERS)

    second = evaluated(contest, tied | {"b1": miner(0.85)}, owners=OWNERS, incumbent=first.winner)

    assert second.weights_u16 == {"a1": 65_535, "a2": 65_535}


def test_miners_of_two_owners_that_tie_have_no_winner():
    contest = rule(**PER_OWNER, shaping={"kind": "winner_takes_all"})

    said = evaluated(contest, {"a1": miner(0.8), "b1": miner(0.8)}, owners=OWNERS)

    assert said.winner is None


@given(
    st.dictionaries(names, st.integers(0, 2**40) | st.none(), max_size=12),
    st.dictionaries(names, st.sampled_from("xyz")),
    st.integers(0, 3),
)
def test_owners_weights_follow_scores_and_not_names(scores, owners, shift):
    parsed = rule(**PER_OWNER, floor_ppm=1_000, max_share_ppm=400_000)
    renamed = {name: f"{(ord(name[0]) + shift) % 7}{name[::-1]}!{name}" for name in scores}

    plain = weigh(parsed, brought([scores]), Known(owners=owners))
    moved = weigh(
        parsed,
        brought([{renamed[name]: score for name, score in scores.items()}]),
        Known(owners={renamed[name]: owners[name] for name in scores if name in owners}),
    )

    found = {renamed[name]: weight for name, weight in told(plain, 0).weights.items()}
    assert told(moved, 0).weights == found


# --- averages for newcomers ---


def test_the_newest_score_of_a_newcomer_counts_as_in_an_unbiased_average():
    assert corrected_alpha_ppm(100_000, 1) == PPM
    assert corrected_alpha_ppm(100_000, 2) == round(PPM / 1.9)
    assert corrected_alpha_ppm(100_000, 200) == 100_000
    assert corrected_alpha_ppm(1, BIAS_EPOCHS_MAX) > 1
    assert corrected_alpha_ppm(PPM, 7) == PPM


@given(st.integers(1, PPM), st.integers(1, 300))
def test_the_newest_score_counts_less_from_epoch_to_epoch_and_never_below_alpha(alpha, epochs):
    assert corrected_alpha_ppm(alpha, epochs) >= corrected_alpha_ppm(alpha, epochs + 1) >= alpha


def test_a_corrected_average_is_the_average_that_starts_at_zero_divided_by_its_bias():
    alpha, scores = 0.2, [0.9, 0.1, 0.5, 0.3, 0.7]
    corrected = rule(smoothing={"ema_alpha_ppm": 200_000, "bias_corrected": True})

    previous, zeroed = {}, 0.0
    for age, quality in enumerate(scores, start=1):
        said = evaluated(corrected, {"a": miner(quality)}, previous=previous, ages={"a": age})
        previous = said.smoothed
        zeroed = (1 - alpha) * zeroed + alpha * quality

        assert said.of("a").smoothed / SCALE == pytest.approx(
            zeroed / (1 - (1 - alpha) ** age), rel=1e-5
        )


def test_without_correction_and_without_an_age_alpha_counts():
    plain = rule(smoothing={"ema_alpha_ppm": 250_000})
    corrected = rule(smoothing={"ema_alpha_ppm": 250_000, "bias_corrected": True})

    for parsed, ages in ((plain, {"a": 2}), (corrected, {})):
        said = evaluated(parsed, {"a": miner(0.0)}, previous={"a": SCALE}, ages=ages)
        assert said.smoothed == {"a": SCALE * 3 // 4}


# --- who won, under a floor ---


def test_a_floor_does_not_hide_who_won():
    contest = rule(shaping={"kind": "winner_takes_all", "margin_ppm": 100_000}, floor_ppm=1_000)

    first = rules.evaluate(contest, {"a": miner(0.8), "b": miner(0.7)})
    second = rules.evaluate(contest, {"a": miner(0.8), "b": miner(0.85)}, incumbent=first.winner)

    assert (first.winner, second.winner) == ("a", "a")
    assert second.of("b").weight > 0


def test_a_floor_pays_nobody_who_failed_a_gate():
    gated = rules.parse(
        document(gates=[{"if": "sample_count >= 3", "reason": "Too few."}], floor_ppm=3_906)
    )

    said = rules.evaluate(gated, {"a": miner(), "b": miner(sample_count=1)})

    assert said.weights_u16 == {"a": 65_535}


# --- the tables and the slow road ---

units = (
    st.integers(0, 2**40) | st.integers(0, 2**63 - 1) | st.sampled_from([0, 1, SCALE, 2**63 - 1])
)
smoothings = st.none() | st.builds(
    lambda alpha, keep, corrected: (
        {"ema_alpha_ppm": alpha, "idle_keep_ppm": keep}
        | ({"bias_corrected": True} if corrected else {})
    ),
    st.integers(1_000, PPM),
    st.integers(0, PPM),
    st.booleans(),
)
worlds = st.lists(
    st.tuples(
        st.dictionaries(names, units | st.none(), max_size=8),
        st.dictionaries(names, units, max_size=8),
        st.none() | names,
    ),
    max_size=4,
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(ALL),
    smoothings,
    st.booleans(),
    st.sampled_from([{}, {"floor_ppm": 1_000}, {"max_share_ppm": 300_000}]),
    worlds,
    st.dictionaries(names, st.sampled_from(["x", "y", "a"])),
    st.dictionaries(names, st.integers(-1, 6_000)),
)
def test_all_validators_at_once_are_weighed_like_each_in_python_integers(
    shaping, smoothing, per_owner, within, world, owners, ages
):
    parsed = rule(
        shaping=shaping.document(),
        one_per_owner=per_owner or ...,
        smoothing=smoothing or ...,
        # No cap can divide what is paid to one.
        **({} if shaping.pays_one and "max_share_ppm" in within else within),
    )
    scores, previous, incumbents = [*zip(*world, strict=True)] or [()] * 3

    weighed = weigh(
        parsed, brought(scores, previous=previous, incumbents=incumbents), Known(owners, ages)
    )

    for row, (own, earlier, incumbent) in enumerate(world):
        history = slow_weights.History(earlier, incumbent, owners, ages)
        assert told(weighed, row) == slow_weights.weigh(parsed, own, history)


@pytest.mark.parametrize("earlier", [-1, 2**63])
def test_a_previous_score_that_no_score_can_be_is_refused(earlier):
    smooth = rule(smoothing={"ema_alpha_ppm": 250_000})

    with pytest.raises(ValueError, match=r"below zero|past 64 bits"):
        evaluated(smooth, {"a": miner()}, previous={"a": earlier})
