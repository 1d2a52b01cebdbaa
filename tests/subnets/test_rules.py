"""Evaluating a rule explains every weight and never surprises an epoch."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subnets import cel_sandbox, rule_scores, rules
from subnets.errors import RuleInvalid
from subnets.metrics import METRICS
from subnets.rules import SCALE, Window
from tests.subnets.rule_builders import DOCUMENT, METRIC, miner, rule

# --- evaluating ---


def test_a_score_becomes_weight_and_the_best_is_scaled_up():
    evaluation = rules.evaluate(rule(), {"b": miner(1.0), "a": miner(0.25)})

    first, second = evaluation.outcomes
    assert (first.miner, first.raw_score, first.score) == ("a", 0.25, SCALE // 4)
    assert (first.weight, second.weight) == (SCALE // 5, round(SCALE * 0.8))
    assert evaluation.weights_u16 == {"a": 16_384, "b": 65_535}
    assert evaluation.rule_digest == rules.digest(rule())


def test_a_whole_number_is_a_score_too():
    evaluation = rules.evaluate(rule(score="sample_count"), {"a": METRIC})

    assert evaluation.of("a").score == 5 * SCALE


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_can_be_scored(name):
    evaluation = rules.evaluate(rule(score=f"double({name})"), {"a": METRIC})

    assert evaluation.of("a").raw_score == float(getattr(METRIC, name))


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("math.greatest(1.0, 3.0)", 3.0),
        ("math.abs(-2.5)", 2.5),
        ("math.sign(2.5)", 1.0),
        ("math.sqrt(6.25)", 2.5),
        ("math.ceil(1.2)", 2.0),
        ("math.floor(1.8)", 1.0),
        ("math.round(1.5)", 2.0),
        ("math.trunc(1.8)", 1.0),
        ("double(int(1.8))", 1.0),
        ("double(7 % 4 + 7 / 2)", 6.0),
        ("true && !false || false ? 1e1 : .5", 10.0),
    ],
)
def test_every_function_listed_works(expression, result):
    assert rules.evaluate(rule(score=expression), {"a": METRIC}).of("a").raw_score == result


def test_a_miner_that_fails_a_gate_is_not_paid_and_reads_why():
    gated = rules.parse(DOCUMENT)

    evaluation = rules.evaluate(gated, {"a": miner(), "b": miner(1.0, sample_count=2)})

    failed = evaluation.of("b")
    assert failed.gates == (
        rules.GateOutcome("sample_count >= 3", False, "Too few results were checked."),
    )
    assert (failed.raw_score, failed.weight, failed.reasons) == (
        1.0,
        0,
        ("Too few results were checked.",),
    )
    assert evaluation.weights_u16 == {"a": 65_535}
    assert evaluation.of("a").gates[0].is_passed


def test_all_gates_are_reported_and_not_only_the_first():
    gates = [{"if": "false", "reason": "One."}, {"if": "false", "reason": "Two."}]

    evaluation = rules.evaluate(rule(gates=gates), {"a": METRIC})

    assert evaluation.of("a").reasons == ("One.", "Two.")


@pytest.mark.parametrize(
    ("score", "reason"),
    [
        ("quality / double(failed_count)", "infinite"),
        ("double(failed_count) / double(failed_count)", "not a number"),
        ("4 / failed_count", "division by zero"),
        ("5 % failed_count", "division by zero"),
        ("math.sqrt(-1.0 + double(failed_count))", "not a number"),
        ("failed_count == 0 ? 9223372036854775807 + 1 : 1", "past 64 bits"),
        ("failed_count == 0 ? 1e300 * 1e300 : 1.0", "infinite"),
        ("failed_count == 0 ? 2147483648.0 : 1.0", "above the greatest allowed"),
    ],
)
def test_an_error_of_one_miner_zeroes_that_miner_only_and_says_so(score, reason):
    metrics = {"bad": miner(failed_count=0), "good": miner(failed_count=2)}

    evaluation = rules.evaluate(rule(score=score), metrics)

    assert reason in evaluation.of("bad").reasons[0]
    assert evaluation.of("bad").weight == 0
    assert evaluation.weights_u16 == {"good": 65_535}


def test_a_gate_in_error_is_not_passed_and_says_so():
    gates = [{"if": "10 / failed_count > 3", "reason": "Too many failures."}]

    evaluation = rules.evaluate(
        rule(gates=gates), {"bad": miner(failed_count=0), "good": miner(failed_count=2)}
    )

    assert evaluation.of("bad").reasons == (
        "Too many failures. (It could not be computed: division by zero.)",
    )
    assert evaluation.weights_u16 == {"good": 65_535}


def test_a_score_below_zero_counts_as_zero_and_says_so():
    evaluation = rules.evaluate(rule(score="quality - 0.5"), {"a": miner(0.25), "b": miner(1.0)})

    assert evaluation.of("a").reasons == ("The score -0.25 is below zero and counts as zero.",)
    assert evaluation.weights_u16 == {"b": 65_535}


@pytest.mark.parametrize("metrics", [{}, {"a": miner(0.0)}, {"a": miner(0.0), "b": miner(0.0)}])
def test_nobody_and_all_zero_give_no_weights(metrics):
    evaluation = rules.evaluate(rule(), metrics)

    assert evaluation.weights_u16 == {}
    assert len(evaluation.outcomes) == len(metrics)


def test_a_single_miner_gets_everything():
    evaluation = rules.evaluate(rule(), {"a": miner(0.001)})

    assert evaluation.weights_u16 == {"a": 65_535}
    assert evaluation.winner == "a"


def test_a_rule_not_made_by_parse_is_refused_when_it_does_not_compile():
    forged = replace(rule(), score="quality +")

    with pytest.raises(RuleInvalid, match="ends too early"):
        rules.evaluate(forged, {"a": METRIC})


# --- smoothing ---

SMOOTH = {"ema_alpha_ppm": 250_000, "idle_keep_ppm": 500_000}


def test_without_smoothing_the_previous_scores_do_not_count():
    evaluation = rules.evaluate(rule(), {"a": miner(0.5)}, {"a": SCALE, "gone": SCALE})

    assert evaluation.weights_u16 == {"a": 65_535}
    assert evaluation.smoothed == {}


def test_a_sampled_miner_moves_towards_its_new_score():
    evaluation = rules.evaluate(rule(smoothing=SMOOTH), {"a": miner(0.0)}, {"a": SCALE})

    assert evaluation.smoothed == {"a": SCALE * 3 // 4}
    assert evaluation.weights_u16 == {"a": 65_535}


def test_a_first_score_counts_whole():
    assert rules.evaluate(rule(smoothing=SMOOTH), {"a": miner(0.5)}).smoothed == {"a": SCALE // 2}


def test_an_unsampled_miner_keeps_its_part_and_is_still_paid():
    evaluation = rules.evaluate(rule(smoothing=SMOOTH), {"a": miner(0.5)}, {"idle": SCALE})

    idle = evaluation.of("idle")
    assert (idle.is_sampled, idle.raw_score, idle.smoothed) == (False, None, SCALE // 2)
    assert idle.reasons == ("Not sampled; it keeps its earlier score in part.",)
    assert evaluation.weights_u16 == {"a": 65_535, "idle": 65_535}


def test_a_miner_that_fails_a_gate_is_not_paid_from_its_past():
    gated = rule(smoothing=SMOOTH, gates=[{"if": "sample_count >= 3", "reason": "Too few."}])

    evaluation = rules.evaluate(
        gated, {"a": miner(sample_count=1), "b": miner()}, {"a": SCALE, "b": SCALE // 2}
    )

    assert evaluation.weights_u16 == {"b": 65_535}
    assert evaluation.smoothed == {"a": SCALE // 2, "b": SCALE // 2}


def test_an_unsampled_miner_fades_to_nothing_and_drops_out():
    smoothed = {"idle": 5}
    for _ in range(4):
        smoothed = rules.evaluate(rule(smoothing=SMOOTH), {}, smoothed).smoothed

    assert smoothed == {}


def test_a_holder_defends_its_win_from_one_epoch_to_the_next():
    contest = rule(shaping={"kind": "winner_takes_all", "margin_ppm": 100_000})
    first = rules.evaluate(contest, {"a": miner(0.8), "b": miner(0.7)})

    second = rules.evaluate(contest, {"a": miner(0.8), "b": miner(0.85)}, incumbent=first.winner)

    assert (first.winner, second.winner) == ("a", "a")
    assert rules.evaluate(contest, {"a": miner(0.8), "b": miner(0.85)}).winner == "b"


# --- the same for everybody ---


def test_windows_of_many_validators_are_evaluated_as_if_alone():
    smooth = rule(smoothing=SMOOTH)
    windows = [
        Window({"a": miner(0.5), "b": miner(0.25)}, {"a": SCALE}),
        Window({}),
        Window({"b": miner(1.0)}, {"c": SCALE}),
    ]

    together = rules.evaluate_windows(smooth, windows)

    assert tuple(together) == tuple(
        rules.evaluate(smooth, window.metrics_by_miner, window.previous) for window in windows
    )


def test_a_batch_larger_than_one_child_takes_is_split(monkeypatch):
    metrics = {f"m{number:02}": miner(number / 20) for number in range(1, 12)}
    whole = rules.evaluate(rule(), metrics)
    monkeypatch.setattr(cel_sandbox, "ROWS_PER_CHILD_MAX", 4)

    assert rules.evaluate(rule(), metrics) == whole


# Each example starts a child (0.1 s), so few are tried; the shapings have their own, many.
@settings(max_examples=12, deadline=None)
@given(
    qualities=st.dictionaries(
        st.text("abc", min_size=1, max_size=3), st.floats(0, 1), min_size=1, max_size=12
    ),
    previous=st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 2**63 - 1)),
    kind=st.sampled_from(
        [
            {"kind": "linear"},
            {"kind": "power", "exponent_ppm": 1_500_000},
            {"kind": "softmax", "temperature_ppm": 100_000},
        ]
    ),
)
def test_the_same_input_gives_the_same_weights_in_any_order(qualities, previous, kind):
    smooth = rule(shaping=kind, smoothing=SMOOTH)
    metrics = {name: miner(quality) for name, quality in qualities.items()}

    forward = rules.evaluate(smooth, metrics, previous)
    backward = rules.evaluate(
        smooth, dict(reversed(metrics.items())), dict(reversed(previous.items()))
    )

    assert forward == backward
    assert all(0 < weight <= 65_535 for weight in forward.weights_u16.values())
    assert all(name in metrics or name in previous for name in forward.weights_u16)


@given(st.floats(min_value=0, max_value=rules.SCORE_MAX))
def test_a_score_in_units_fits_64_bits_and_is_nearest(raw_score):
    units = int(rule_scores.score_units(np.array([raw_score]))[0])

    assert units == round(Fraction(raw_score) * SCALE)
    assert 0 <= units < 2**63
    assert abs(units / SCALE - raw_score) <= max(2**-33, raw_score * 2**-52)
