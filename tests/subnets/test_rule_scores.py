"""Scores are the same on every machine: what floats do is fixed, and where they end is one rounding."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subnets import cel_sandbox, rule_scores, rules
from subnets.metrics import METRICS
from subnets.rule_scores import SCORE_MAX, score_units
from subnets.shaping import SCALE
from tests.subnets.rule_builders import METRIC, document, miner, rule

HALF_UNIT = 2.0**-33
floats = st.floats(min_value=0, max_value=SCORE_MAX)


def units(number):
    return int(score_units(np.array([number]))[0])


def scored(parsed, rows):
    scores = rule_scores.score(parsed, rows)
    said = zip(scores.units.tolist(), scores.is_valid.tolist(), strict=True)
    return [unit if is_valid else None for unit, is_valid in said], dict(scores.raw.faults)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.0, 0),
        (-0.0, 0),
        (5e-324, 0),
        (2.2250738585072014e-308, 0),
        (HALF_UNIT, 0),  # a tie: to even
        (math.nextafter(HALF_UNIT, 1), 1),
        (math.nextafter(HALF_UNIT, 0), 0),
        (3 * HALF_UNIT, 2),  # a tie: to even
        (5 * HALF_UNIT, 2),
        (2.0**-32, 1),
        (0.1, 429_496_730),
        (1.0, SCALE),
        (math.nextafter(1.0, 0), SCALE),
        (float(SCORE_MAX), SCORE_MAX * SCALE),
        (math.nextafter(SCORE_MAX, 0), 9_223_372_032_559_807_488),
    ],
)
def test_a_float_becomes_the_nearest_unit_and_a_tie_the_even_one(number, expected):
    assert units(number) == expected == round(Fraction(number) * SCALE)


@given(floats, floats)
def test_a_greater_float_never_becomes_fewer_units(one, other):
    low, high = sorted((one, other))

    assert units(low) <= units(high)
    assert units(high) == round(Fraction(high) * SCALE)


@pytest.mark.parametrize(
    ("quality", "expected", "fault"),
    [
        (-0.0, 0, ""),
        (5e-324, 0, ""),
        (1e308, None, ""),
        (math.nextafter(SCORE_MAX + 1.0, math.inf), None, ""),
        (math.inf, None, "infinite"),
        (-math.inf, None, "infinite"),
        (math.nan, None, "not a number"),
        (-1e308, 0, ""),
    ],
)
def test_a_strange_float_is_zero_or_void_and_never_money(quality, expected, fault):
    values, faults = scored(rule(), [miner(quality), METRIC])

    assert values == [expected, SCALE // 2]
    assert fault in faults.get(0, "")
    assert (0 in faults) == bool(fault)


def test_a_miner_in_error_is_void_and_the_others_are_paid_as_if_alone():
    parsed = rule(score="1.0 / double(failed_count)")
    rows = {"bad": miner(failed_count=0), "good": miner(failed_count=4)}

    both, alone = rules.evaluate(parsed, rows), rules.evaluate(parsed, {"good": rows["good"]})

    assert both.weights_u16 == alone.weights_u16
    assert both.reasons["bad"][0].startswith("The score could not be computed: the result is inf")
    assert (both.computed_count, len(both.sampled)) == (1, 2)


def test_a_metric_past_64_bits_voids_only_who_has_it_and_only_where_it_is_read():
    giant = replace(METRIC, work_units=2**70)

    assert scored(rule(), [giant, METRIC]) == ([SCALE // 2] * 2, {})
    values, faults = scored(rule(score="double(work_units)"), [giant, METRIC])
    assert values == [None, 10 * SCALE]
    assert faults == {0: "a metric is past 64 bits"}


@pytest.mark.parametrize(
    "expression",
    [
        "quality * math.least(1.0, 500.0 / latency_ms)",
        "math.sqrt(quality * success_rate)",
        "math.sqrt((quality + 0.01) * (success_rate + 0.01)) - 0.01",
        "quality * quality * math.sqrt(credited_work_units)",
        "double(completed_count) / double(completed_count + failed_count)",
        "quality > 0.5 ? math.round(quality * 10.0) / 10.0 : 0.0",
        "double(int(credited_work_units) % 7) + math.trunc(latency_ms / 3.0)",
        "9223372036854775807 - work_units",
        "work_units * work_units * work_units",
        "1.0 / double(failed_count)",
        "double(4 / failed_count)",
    ],
)
def test_columns_give_what_cel_gives_to_the_last_bit(expression):
    numbers = np.random.default_rng(7)
    rows = [
        replace(
            METRIC,
            quality=float(numbers.random()),
            success_rate=float(numbers.random()),
            latency_ms=float(numbers.integers(1, 9_999)) / 7.0,
            credited_work_units=float(numbers.random() * 1e9),
            work_units=int(numbers.integers(0, 2**62)),
            failed_count=int(numbers.integers(0, 3)),
            completed_count=int(numbers.integers(1, 9)),
        )
        for _ in range(64)
    ]

    (ours,) = rule_scores.evaluated([expression], rows)
    (theirs,) = rule_scores.by_cel([expression], rows)

    assert ours.faults == theirs.faults
    assert ours.values.astype(np.float64).tobytes() == theirs.values.tobytes()


@pytest.mark.parametrize(
    "expression",
    [
        "double(1 / failed_count) / 0.0",
        "double(7 / failed_count) + 0.0 / 0.0",
        "1.0 / double(failed_count / failed_count)",
        "math.sqrt(-1.0) * double(1 % failed_count)",
        "math.least(0.0 / 0.0, double(1 / failed_count))",
        "failed_count == 0 ? 1.0 / 0.0 : double(1 / failed_count)",
        "1.0 / double(failed_count)",
        "0.0 / double(failed_count)",
    ],
)
def test_columns_say_in_cels_words_why_there_is_no_value(expression):
    rows = [METRIC, miner(failed_count=2)]

    (ours,) = rule_scores.evaluated([expression], rows)
    (theirs,) = rule_scores.by_cel([expression], rows)

    assert ours.faults == theirs.faults
    assert 0 in ours.faults


def test_rows_that_are_alike_are_asked_once(monkeypatch):
    asked = []
    truth = cel_sandbox.evaluate_rows

    def counting(expressions, rows):
        asked.append(len(rows))
        return truth(expressions, rows)

    monkeypatch.setattr(cel_sandbox, "evaluate_rows", counting)

    (column,) = rule_scores.by_cel(["quality"], [miner(0.25), miner(0.5)] * 50)

    assert asked == [2]
    assert column.values.tolist() == [0.25, 0.5] * 50


def test_no_child_is_started_for_what_numpy_computes(monkeypatch):
    parsed = rules.parse(document(score="quality * 0.5"))

    def refuse(text):
        raise AssertionError("a child was started")

    monkeypatch.setattr(cel_sandbox, "_converse", refuse)

    assert rules.evaluate(parsed, {"a": METRIC}).weights_u16 == {"a": 65_535}


@pytest.mark.parametrize(
    ("score", "expected"),
    [("-" * 1_990 + "quality", 0.5), ("true" + " || true" * 240 + " ? 1.0 : 0.0", 1.0)],
)
def test_a_long_expression_is_computed_however_it_nests(score, expected):
    assert scored(rule(score=score), [METRIC]) == ([int(expected * SCALE)], {})


def test_nobody_sampled_has_no_scores():
    assert scored(rule(), []) == ([], {})


@settings(max_examples=12, deadline=None)  # each example may start a child
@given(st.lists(st.sampled_from(sorted(METRICS)), min_size=1, max_size=3), st.data())
def test_the_order_of_rows_changes_no_score(names, data):
    parsed = rules.parse(document(score=" + ".join(f"double({name})" for name in names)))
    rows = [
        miner(data.draw(st.floats(0, 1)), sample_count=data.draw(st.integers(1, 9)))
        for _ in range(4)
    ]

    forward, _ = scored(parsed, rows)
    backward, _ = scored(parsed, rows[::-1])

    assert forward == backward[::-1]
