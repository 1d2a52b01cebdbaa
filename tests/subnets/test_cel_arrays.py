"""Whole columns at once must say what CEL says row by row: every value to the bit, every fault."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subnets import cel_arrays, cel_sandbox
from subnets.metrics import METRICS, Metrics
from tests.subnets import worlds

ROWS = tuple(
    Metrics(
        quality=quality,
        sample_count=count,
        canary_quality=1.0 - quality / 3,
        canary_count=count % 3,
        latency_ms=1.0 + 997.5 * quality,
        work_units=count * 1_000_003,
        credited_work_units=count * 1_000_003 * quality,
        offered_count=count + 7,
        completed_count=count // 2,
        failed_count=0 if count % 5 else 3,
        success_rate=quality * quality,
    )
    for quality, count in [(0.0, 1), (0.1, 2), (1 / 3, 3), (0.999_999, 10), (1.0, 2**31), (0.5, 0)]
)
COLUMNS = {
    name: np.array(
        [getattr(row, name) for row in ROWS],
        dtype=np.float64 if metric.type == "double" else np.int64,
    )
    for name, metric in METRICS.items()
}


def bits(value):
    return struct.pack("<d", value) if isinstance(value, float) else value


def told_by_cel(expressions):
    with worlds.quick_cel():
        return cel_sandbox.evaluate_rows(expressions, ROWS)


def assert_alike(expressions):
    checked, told = told_by_cel(expressions)
    assert not any(item.error for item in checked)
    terms = cel_arrays.evaluated(expressions, COLUMNS)
    assert terms is not None, "numpy stands in for this"
    for number, term in enumerate(terms):
        for row, values in enumerate(told):
            assert bool(term.faults[row]) == bool(values[number].error), expressions[number]
            if not values[number].error:
                said = term.values[row].item()
                # A sign of zero is not told apart: no weight hangs on it.
                assert bits(said + 0.0) == bits(values[number].value + 0.0), expressions[number]


@pytest.mark.parametrize(
    "expression",
    [
        "quality * success_rate * math.least(1.0, 500.0 / latency_ms)",
        "success_rate * credited_work_units / 1000000.0",
        "canary_quality >= 0.99 && sample_count >= 2",
        "1 / failed_count",
        "7 / failed_count > 0 || quality > 0.5",
        "quality > 0.5 && 7 / failed_count > 0",
        "7 % failed_count",
        "-sample_count % 3",
        "-7 / 2 + 7 / -2",
        "failed_count == 0 ? 1.0 : 1.0 / double(failed_count)",
        "failed_count == 0 ? 1.0 : (7 / failed_count > 1 ? 2.0 : 3.0)",
        "(7 / failed_count > 1) ? 2.0 : 3.0",
        "math.round(quality * 5.0) + math.round(-2.5) + math.round(0.49999999999999994)",
        "math.trunc(-2.5) + math.floor(-2.5) + math.ceil(latency_ms)",
        "math.sqrt(quality - 0.5)",
        "math.sqrt(sample_count)",
        "math.least(0.0 / quality, 0.7)",
        "math.greatest(0.5, 0.0 / quality, 0.7)",
        "math.least(sample_count, 3, canary_count)",
        "math.greatest(quality)",
        "0.0 / quality != 0.0 / quality ? 1.0 : 2.0",
        "1.0 / quality",
        "int(latency_ms / 2.0) + int(sample_count)",
        "math.abs(-3) * math.sign(-2)",
        "!(quality > 0.5) ? --3 : 2",
        "1 + 2 * 3 - 4 / 2 % 3",
        "2.0 - 1.0 - 0.5",
        "quality > 0.1 == true",
        "1e3 + 1.5E-3 + .5",
        "true ? 1.0 : 2.0",
    ],
)
def test_an_expression_gives_what_cel_gives(expression):
    assert_alike([expression])


@pytest.mark.parametrize(
    "expression",
    [
        "work_units * work_units * work_units",
        "9223372036854775807 + sample_count",
        "int(1e30)",
        "true < false",
        "math.least(1, 2.0)",
        "-" * 100 + "quality",
        "true" + " || true" * 100,
        "(" * 40 + "quality" + ")" * 40,
        "true ? 1.0 : " * 40 + "2.0",
    ],
)
def test_what_numpy_does_not_stand_in_for_is_left_to_cel(expression):
    assert cel_arrays.evaluated([expression], COLUMNS) is None


DEEPEST = [
    "-" * 99 + "quality",
    "!" * 98 + "(quality > 0.5)",
    "true" + " || true" * 99,
    "(" * 32 + "quality" + ")" * 32,
    "math.least(" * 31 + "quality" + ", 1.0)" * 31,
    "true ? 1.0 : " * 31 + "2.0",
    "1.0 + (" * 31 + "-" * 60 + "quality" + ")" * 31,
]


def deeply(frames, act):
    return deeply(frames - 1, act) if frames else act()


@pytest.mark.parametrize("expression", DEEPEST)
def test_the_deepest_that_numpy_computes_fits_any_stack_that_calls(expression):
    cel_arrays._parsed.cache_clear()

    # Python takes a thousand calls; the web, a task and a test are within each other some hundred deep.
    (term,) = deeply(350, lambda: cel_arrays.evaluated([expression], COLUMNS))

    assert term.values.shape == (len(ROWS),)


DOUBLES = st.sampled_from(
    ["quality", "latency_ms", "credited_work_units", "success_rate", "0.5", "2.0", "1e3", "0.0"]
)
INTEGERS = st.sampled_from(["sample_count", "failed_count", "canary_count", "3", "1", "0"])


def numbers(leaves, kind):
    """Return expressions of one kind of number, nested."""

    def grown(inner):
        operators = ["+", "-", "*", "/"] + (["%"] if kind == "int" else [])
        binary = st.tuples(inner, st.sampled_from(operators), inner).map(
            lambda parts: f"({' '.join(parts)})"
        )
        condition = st.tuples(inner, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), inner)
        compared = condition.map(" ".join)
        joined = st.tuples(compared, st.sampled_from(["&&", "||"]), compared).map(" ".join)
        chosen = st.tuples(st.one_of(compared, joined), inner, inner).map(
            lambda parts: f"({parts[0]} ? {parts[1]} : {parts[2]})"
        )
        names = ["math.abs", "math.sign"]
        names += ["math.sqrt", "math.floor", "math.round"] if kind == "double" else []
        called = st.tuples(st.sampled_from(names), inner).map(
            lambda parts: f"{parts[0]}({parts[1]})"
        )
        several = st.tuples(st.sampled_from(["math.least", "math.greatest"]), inner, inner).map(
            lambda parts: f"{parts[0]}({parts[1]}, {parts[2]})"
        )
        return st.one_of(binary, chosen, called, several, inner.map(lambda text: f"(-{text})"))

    return st.recursive(leaves, grown, max_leaves=8)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.one_of(numbers(DOUBLES, "double"), numbers(INTEGERS, "int")), min_size=1))
def test_any_arithmetic_gives_what_cel_gives_or_is_left_to_it(expressions):
    kept = [text for text in expressions if cel_arrays.evaluated([text], COLUMNS) is not None]
    checked, _ = told_by_cel(kept) if kept else ((), ())
    kept = [text for text, item in zip(kept, checked, strict=True) if not item.error]
    if kept:
        assert_alike(kept)


def test_the_metrics_an_expression_reads_are_found():
    read = cel_arrays.metrics_read(["quality * 2.0", "math.least(latency_ms, 3.0)"])

    assert read == {"quality", "latency_ms"}
