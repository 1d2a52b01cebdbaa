"""From metrics to scores: evaluate a rule's gates and score for many rows at once.

numpy computes whole columns (`subnets.cel_arrays`), CEL itself in its child what numpy leaves to it. Then
floats end: `score_units` turns a score into an integer, and nothing that follows sees a float.

Why that is the same on every machine: CEL's + - * / and square root are those of IEEE 754, which fixes
every bit of a double's result; rounding to whole numbers is exact; and no other function on doubles can
be written in a rule. Multiplying by 2**32 is exact too, so the one rounding is that to the nearest unit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subnets import cel_arrays, cel_sandbox, cel_worker, rule_expression
from subnets.cel_operators import Term
from subnets.errors import RuleInvalid
from subnets.metrics import METRICS, Metrics, Rows
from subnets.rule_document import Rule
from subnets.shaping import SCALE

# score * 2**32 stays below 2**63: a smoothed score fits a signed 64-bit column.
SCORE_MAX = 2**31 - 1
_INT64 = np.iinfo(np.int64)
_DTYPES = {"double": np.float64, "int": np.int64}


@dataclass(frozen=True, slots=True)
class Column:
    """What one expression gave in every row. faults: why a row has no value, by row."""

    values: NDArray[Any]
    faults: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Scores:
    """What a rule said of every row.

    gates: one column of truth values a gate. raw: the score as computed. units: on the scale 2**32,
    zero where `is_valid` is not set: a gate was not passed, or the score is in error or too large.
    is_scored: where the score is neither, whatever the gates say.
    """

    gates: tuple[Column, ...]
    raw: Column
    units: NDArray[np.int64]
    is_valid: NDArray[np.bool_]
    is_scored: NDArray[np.bool_]


def score(rule: Rule, rows: Sequence[Metrics]) -> Scores:
    """Evaluate the rule for every row; a row's errors are part of the answer.

    Raises: RuleTooCostly, RuleEvaluatorUnavailable; RuleInvalid when the rule was not made by `parse`.
    """
    *gates, raw = evaluated(rule.expressions(), rows)
    is_scored = raw.values <= SCORE_MAX
    is_scored[list(raw.faults)] = False
    is_valid = is_scored.copy()
    for gate in gates:
        is_valid &= gate.values.astype(np.bool_)
        is_valid[list(gate.faults)] = False
    floats = np.where(is_valid, np.maximum(raw.values, 0), 0).astype(np.float64)
    return Scores(tuple(gates), raw, score_units(floats), is_valid, is_scored)


def score_units(raw_scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Turn finite scores, 0 to SCORE_MAX, into integers on the scale 2**32: exact product, halves to even.

    The one place where floats become integers; everything after it is integer arithmetic.
    """
    return np.rint(raw_scores * float(SCALE)).astype(np.int64)


def evaluated(expressions: Sequence[str], rows: Sequence[Metrics]) -> list[Column]:
    """Evaluate expressions for every row, in columns where that can be done and else by CEL."""
    columns, unfit = _columns(expressions, rows)
    terms = cel_arrays.evaluated(expressions, columns) if rows else None
    answered = [_of_term(term) for term in terms] if terms else by_cel(expressions, rows)
    for column, expression in zip(answered, expressions, strict=True):
        read = cel_arrays.metrics_read([expression])
        late = {row: "a metric is past 64 bits" for row, names in unfit.items() if names & read}
        assert isinstance(column.faults, dict)
        column.faults.update(late)
    return answered


def by_cel(expressions: Sequence[str], rows: Sequence[Metrics]) -> list[Column]:
    """Evaluate expressions by CEL in its child; rows that are alike are asked once.

    Raises: RuleTooCostly, RuleEvaluatorUnavailable; RuleInvalid when an expression does not compile.
    """
    places: dict[Metrics, int] = {}
    row_of = [places.setdefault(row, len(places)) for row in rows]
    checked, values = cel_sandbox.evaluate_rows(expressions, list(places))
    problems = [
        {"pointer": "", "detail": rule_expression.compile_problem(item.error)}
        for item in checked
        if item.error
    ]
    if problems:
        raise RuleInvalid(problems=problems)
    return [
        Column(
            np.array([values[place][index].value or 0 for place in row_of], dtype=np.float64),
            {
                row: rule_expression.runtime_problem(values[place][index].error)
                for row, place in enumerate(row_of)
                if values[place][index].error
            },
        )
        for index in range(len(expressions))
    ]


def _columns(
    expressions: Sequence[str], rows: Sequence[Metrics]
) -> tuple[dict[str, NDArray[Any]], dict[int, set[str]]]:
    """Return the metrics that are read as columns, and by row those that do not fit 64 bits."""
    columns: dict[str, NDArray[Any]] = {"": np.zeros(len(rows))}  # an expression may read none
    unfit: dict[int, set[str]] = {}
    in_columns = rows if isinstance(rows, Rows) and rows.has_columns else None
    made = () if in_columns else list(rows)  # once: each pass over tables sorts their miners
    for name in sorted(cel_arrays.metrics_read(expressions)):
        values = in_columns.column(name) if in_columns else [getattr(row, name) for row in made]
        try:
            columns[name] = np.array(values, dtype=_DTYPES[METRICS[name].type])
        except OverflowError:
            for row, value in enumerate(values):
                if not _INT64.min <= value <= _INT64.max:
                    unfit.setdefault(row, set()).add(name)
                    values[row] = 0
            columns[name] = np.array(values, dtype=np.int64)
    return columns, unfit


def _of_term(term: Term) -> Column:
    """Say why each faulty row is so: a division of whole numbers by zero, or a double that is no number.

    In CEL's words, for they go into the payroll. The division comes first and left a zero behind.
    """
    faults = {}
    for row in np.flatnonzero(term.faults).tolist():
        if term.kind != "double" or np.isfinite(term.values[row]):
            faults[row] = "division by zero"
        elif np.isnan(term.values[row]):
            faults[row] = cel_worker.NOT_A_NUMBER
        else:
            faults[row] = cel_worker.INFINITE
    return Column(np.where(term.faults, 0, term.values), faults)
