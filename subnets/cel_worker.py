"""Compile and evaluate CEL expressions in a process of its own that bounds itself.

Started by file path with `python -I`: it imports nothing of this project and sees no environment.
It reads JSON lines and writes JSON lines:

    in   {"variables": {"quality": "double", ...}, "expressions": ["quality * 2.0", ...]}
    in   [0.5, ...]                                   one line a row, values in the variables' order
    out  [{"type": "DOUBLE"} | {"error": "..."}]      one entry an expression
    out  [1.0 | true | {"error": "..."}]              one line a row, when every expression compiled
"""

import json
import math
import resource
import signal
import sys
from collections.abc import Iterator
from typing import Any

# Python with the CEL library maps 40 MB; a 2000-character expression adds well under 10 MB.
MEMORY_BYTES = 256 * 2**20
# The costliest rule within the caps took 0.8 s for a full batch (1024 rows, eight expressions of 1900
# characters); a slow, shared core gets seven times that.
CPU_S = 6
# The kernel kills at the hard limit and asks only at a lower soft one, so that SIGXCPU names the cause:
# a SIGKILL is then never the child's own doing.
CPU_KILLED_S = CPU_S + 2
# Wall time lets two such processes share one busy core.
WALL_S = 20
EXIT_OUT_OF_MEMORY = 70
ERROR_CHARACTERS = (
    400  # CEL repeats the whole expression in an error; the first lines say what is wrong
)

NOT_A_NUMBER = "the result is not a number (zero divided by zero, or a root of a negative)"
INFINITE = "the result is infinite (a division by zero, or too large a number)"

_LIMITS = (  # soft, hard
    (resource.RLIMIT_AS, MEMORY_BYTES, MEMORY_BYTES),
    (resource.RLIMIT_CPU, CPU_S, CPU_KILLED_S),
    (resource.RLIMIT_CORE, 0, 0),  # a killed child leaves no file behind
    (resource.RLIMIT_FSIZE, 0, 0),
    (resource.RLIMIT_NOFILE, 32, 32),  # pipes and the shared objects it imports
    (resource.RLIMIT_NPROC, 0, 0),  # starts no process or thread (root is exempt)
)


def bound_self() -> None:
    """Lower this process's limits for good and set an alarm that kills it, should its parent be gone."""
    for limit, *wanted in _LIMITS:
        _, hard = resource.getrlimit(limit)
        soft, last = (
            bound if hard == resource.RLIM_INFINITY else min(bound, hard) for bound in wanted
        )
        resource.setrlimit(limit, (soft, last))
    signal.alarm(WALL_S)


def compiled(variables: dict[str, str], expressions: list[str]) -> tuple[Any, list[Any]]:
    """Return the environment and, for each expression, the compiled expression or its error text."""
    # Imported late: the limits must hold before any code of the library runs.
    from cel_expr_python import cel  # noqa: PLC0415
    from cel_expr_python.ext import ext_math  # noqa: PLC0415

    types = {"double": cel.Type.DOUBLE, "int": cel.Type.INT}
    environment = cel.NewEnv(
        variables={name: types[kind] for name, kind in variables.items()},
        extensions=[ext_math.ExtMath()],
    )
    outcomes: list[Any] = []
    for expression in expressions:
        try:
            outcomes.append(environment.compile(expression))
        except RuntimeError as error:  # the binding raises nothing finer
            outcomes.append(str(error)[:ERROR_CHARACTERS])
    return environment, outcomes


def evaluated(expression: Any, row: Any) -> object:  # noqa: ANN401 — the library ships no types
    """Return an expression's value as JSON. CEL hands run-time errors back as values: each is looked at."""
    try:
        value = expression.eval(row)
    except RuntimeError as error:  # the library's own budget of steps
        return {"error": str(error)[:ERROR_CHARACTERS]}
    if value.type().name() == "ERROR":
        return {"error": str(value.value())[:ERROR_CHARACTERS]}
    if value.type().name() not in {"BOOL", "INT", "DOUBLE"}:
        return {"error": "the result is neither a number nor a truth value"}
    number = value.value()
    if math.isnan(number):
        return {"error": NOT_A_NUMBER}
    if math.isinf(number):
        return {"error": INFINITE}
    assert isinstance(number, bool | int | float)
    return number


def answers(lines: Iterator[str]) -> Iterator[object]:
    """Answer the header line, then each row."""
    header = json.loads(next(lines))
    names = list(header["variables"])
    environment, outcomes = compiled(header["variables"], header["expressions"])
    yield [
        {"error": outcome} if isinstance(outcome, str) else {"type": outcome.return_type().name()}
        for outcome in outcomes
    ]
    if any(isinstance(outcome, str) for outcome in outcomes):
        return
    for line in lines:
        row = environment.Activation(dict(zip(names, json.loads(line), strict=True)))
        yield [evaluated(expression, row) for expression in outcomes]


def main() -> int:
    """Serve one batch from standard input to standard output."""
    bound_self()
    try:
        for answer in answers(iter(sys.stdin)):
            sys.stdout.write(json.dumps(answer, allow_nan=False) + "\n")
    except MemoryError:
        return EXIT_OUT_OF_MEMORY
    return 0


if __name__ == "__main__":
    sys.exit(main())
