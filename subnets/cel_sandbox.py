"""Run CEL in a bounded child process: one child a batch, killed when it takes too much.

The child is `subnets/cel_worker.py`, started by path with `python -I` and an empty environment, so it
sees no secret of the parent and imports nothing of the project.

What is the rule's fault decides who is paid, so it has to be the same on every machine: processor time and
the child's own memory are. Wall time is not, nor is a kill from outside: a stalled or crowded machine makes
the evaluator unavailable, nobody is paid, and who asked tries again.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from subnets import cel_worker
from subnets.errors import RuleEvaluatorUnavailable, RuleTooCostly
from subnets.metrics import METRICS, Metrics

# 1024 rows are four validators' views of a full subnet (256 neurons); at the costliest expressions
# allowed they take about a seventh of the child's processor time.
ROWS_PER_CHILD_MAX = 1024

_WORKER = Path(cel_worker.__file__).resolve()
_OUT_OF_MEMORY = f"it needed more than {cel_worker.MEMORY_BYTES // 2**20} MiB of memory"
# The signals that a rule brings upon itself, anywhere. All others come from the machine.
_STOPPED_BY = {
    signal.SIGXCPU: f"it took more than {cel_worker.CPU_S} s of processor time",
    signal.SIGABRT: _OUT_OF_MEMORY,  # the C++ library found none
    signal.SIGSEGV: _OUT_OF_MEMORY,  # no room was left for its stack
}
_STALLED = "its program did not answer in time, so the machine is busy"


@dataclass(frozen=True, slots=True)
class Compiled:
    """The CEL type of an expression ("DOUBLE", "INT", "BOOL", …), or the compiler's error."""

    type_name: str
    error: str


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression gave for one row: a finite number or truth value, or an error."""

    value: float | bool | None
    error: str


def compile_expressions(expressions: Sequence[str]) -> tuple[Compiled, ...]:
    """Compile each expression against the metrics' names and types.

    Raises: RuleTooCostly, RuleEvaluatorUnavailable.
    """
    return _run(expressions, ())[0]


def evaluate_rows(
    expressions: Sequence[str], rows: Sequence[Metrics]
) -> tuple[tuple[Compiled, ...], tuple[tuple[Value, ...], ...]]:
    """Evaluate every expression for every row; a row's errors are values, never exceptions.

    Returns what compiled, and one tuple of values a row in the order given; no rows when an
    expression does not compile. Raises: RuleTooCostly, RuleEvaluatorUnavailable.
    """
    values: list[tuple[Value, ...]] = []
    checked: tuple[Compiled, ...] = ()
    for start in range(0, len(rows), ROWS_PER_CHILD_MAX):
        checked, batch = _run(expressions, rows[start : start + ROWS_PER_CHILD_MAX])
        values.extend(batch)
    return checked, tuple(values)


def _run(
    expressions: Sequence[str], rows: Sequence[Metrics]
) -> tuple[tuple[Compiled, ...], tuple[tuple[Value, ...], ...]]:
    """Send one batch to a child and read its answer."""
    variables = {name: metric.type for name, metric in METRICS.items()}
    header = json.dumps({"variables": variables, "expressions": list(expressions)})
    lines = [header, *(json.dumps(astuple(row), allow_nan=False) for row in rows)]
    answer = [json.loads(line) for line in _converse("\n".join(lines)).splitlines()]
    checked = tuple(Compiled(item.get("type", ""), item.get("error", "")) for item in answer[0])
    values = tuple(tuple(_value(item) for item in row) for row in answer[1:])
    assert len(checked) == len(expressions)
    assert len(values) == len(rows) or any(item.error for item in checked)
    return checked, values


def _value(item: float | bool | dict[str, str]) -> Value:  # noqa: FBT001 — a JSON value, not a flag
    """Read one value of the child's answer."""
    return Value(None, item["error"]) if isinstance(item, dict) else Value(item, "")


def _converse(text: str) -> str:
    """Start the child, hand it the text and return what it says. Its death becomes a domain error."""
    # A Python built with a shared library may need this one variable to start at all.
    environment = {key: os.environ[key] for key in ("LD_LIBRARY_PATH",) if key in os.environ}
    try:
        child = subprocess.run(  # noqa: S603 — a fixed program; the rule goes to its standard input
            [sys.executable, "-I", str(_WORKER)],
            input=text,
            capture_output=True,
            encoding="utf-8",
            timeout=cel_worker.WALL_S,
            env=environment,
            cwd="/",
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuleEvaluatorUnavailable(cause=_STALLED) from error
    except OSError as error:
        raise RuleEvaluatorUnavailable(cause=f"its program did not start ({error})") from error
    if child.returncode == 0:
        return child.stdout
    if child.returncode == cel_worker.EXIT_OUT_OF_MEMORY:
        raise RuleTooCostly(limit=_OUT_OF_MEMORY)
    if child.returncode < 0:
        raise _stopped(-child.returncode)
    last = child.stderr.strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
    raise RuleEvaluatorUnavailable(cause=f"its program failed ({last[0][:200]})")


def _stopped(number: int) -> RuleTooCostly | RuleEvaluatorUnavailable:
    """Say why a signal ended the child: the rule, or the machine."""
    if number in _STOPPED_BY:
        return RuleTooCostly(limit=_STOPPED_BY[signal.Signals(number)])
    if number == signal.SIGALRM:
        return RuleEvaluatorUnavailable(cause=_STALLED)
    return RuleEvaluatorUnavailable(cause=f"its program was ended from outside, by signal {number}")
