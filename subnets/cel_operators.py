"""What CEL's operators and functions give over whole columns, as far as numpy gives the same bits.

What it does not is left to CEL (`LeftToCel`), see `subnets.cel_arrays`. Semantics: cel-spec langdef.md
(numeric values, logical operators) and the CEL math extension.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Columns: TypeAlias = Mapping[str, Array]

# Half of the greatest 64-bit integer: what passes it may overflow in the next step, and CEL has to say.
_INTEGER_MAX = 2.0**62


class LeftToCel(Exception):
    """What numpy does not stand in for."""


@dataclass(frozen=True, slots=True)
class Term:
    """The value of a part of an expression in every row.

    kind: a CEL type. faults: where CEL has an error; a division of whole numbers by zero, until the end.
    """

    kind: str
    values: Array
    faults: Array


Compute: TypeAlias = Callable[[Columns], Term]


def _of_kind(kinds: set[str], *terms: Term) -> str:
    """Return the one kind of all terms. Raises: LeftToCel when they mix or it is another."""
    kind = terms[0].kind
    if kind not in kinds or any(term.kind != kind for term in terms):
        raise LeftToCel
    return kind


def _bounded(kind: str, values: Array) -> Array:
    """Leave to CEL a whole number that came near 64 bits."""
    if kind == "int" and np.any(np.abs(values.astype(np.float64)) >= _INTEGER_MAX):
        raise LeftToCel
    return values


def _arithmetic(act: Callable[[Array, Array], Array]) -> Callable[[Compute, Compute], Compute]:
    def built(left: Compute, right: Compute) -> Compute:
        def node(columns: Columns) -> Term:
            a, b = left(columns), right(columns)
            kind = _of_kind({"double", "int"}, a, b)
            if kind == "int":
                # In doubles first: an overflow shows there, where 64 bits would wrap.
                _bounded(kind, act(a.values.astype(np.float64), b.values.astype(np.float64)))
            return Term(kind, act(a.values, b.values), a.faults | b.faults)

        return node

    return built


def _divided(left: Compute, right: Compute) -> Compute:
    def node(columns: Columns) -> Term:
        a, b = left(columns), right(columns)
        if _of_kind({"double", "int"}, a, b) == "double":
            return Term("double", a.values / b.values, a.faults | b.faults)
        by_zero = b.values == 0
        divisor = np.where(by_zero, 1, np.abs(_bounded("int", b.values)))
        size = np.abs(_bounded("int", a.values)) // divisor
        # CEL cuts towards zero, numpy floors.
        values = np.where((a.values < 0) != (b.values < 0), -size, size)
        return Term("int", values, a.faults | b.faults | by_zero)

    return node


def _remainder(left: Compute, right: Compute) -> Compute:
    def node(columns: Columns) -> Term:
        a, b = left(columns), right(columns)
        _of_kind({"int"}, a, b)
        by_zero = b.values == 0
        divisor = np.where(by_zero, 1, _bounded("int", b.values))
        return Term(
            "int", np.fmod(_bounded("int", a.values), divisor), a.faults | b.faults | by_zero
        )

    return node


def _compared(
    act: Callable[[Array, Array], Array], kinds: set[str]
) -> Callable[[Compute, Compute], Compute]:
    def built(left: Compute, right: Compute) -> Compute:
        def node(columns: Columns) -> Term:
            a, b = left(columns), right(columns)
            _of_kind(kinds, a, b)
            return Term("bool", act(a.values, b.values), a.faults | b.faults)

        return node

    return built


def _all_of(left: Compute, right: Compute) -> Compute:
    """A false side decides, whatever fault the other has."""

    def node(columns: Columns) -> Term:
        a, b = left(columns), right(columns)
        _of_kind({"bool"}, a, b)
        decided = (~a.values & ~a.faults) | (~b.values & ~b.faults)
        return Term("bool", a.values & b.values & ~decided, (a.faults | b.faults) & ~decided)

    return node


def _any_of(left: Compute, right: Compute) -> Compute:
    """A true side decides, whatever fault the other has."""

    def node(columns: Columns) -> Term:
        a, b = left(columns), right(columns)
        _of_kind({"bool"}, a, b)
        decided = (a.values & ~a.faults) | (b.values & ~b.faults)
        return Term("bool", a.values | b.values | decided, (a.faults | b.faults) & ~decided)

    return node


def chosen(condition: Compute, then: Compute, otherwise: Compute) -> Compute:
    """A fault of the side that is not chosen does not count."""

    def node(columns: Columns) -> Term:
        c, a, b = condition(columns), then(columns), otherwise(columns)
        _of_kind({"bool"}, c)
        kind = _of_kind({"double", "int", "bool"}, a, b)
        faults = c.faults | np.where(c.values, a.faults, b.faults)
        return Term(kind, np.where(c.values, a.values, b.values), faults)

    return node


def negative(node: Compute) -> Compute:
    """Change the sign."""

    def negated(columns: Columns) -> Term:
        term = node(columns)
        kind = _of_kind({"double", "int"}, term)
        return Term(kind, -_bounded(kind, term.values), term.faults)

    return negated


def denied(node: Compute) -> Compute:
    """Turn truth around."""

    def negated(columns: Columns) -> Term:
        term = node(columns)
        _of_kind({"bool"}, term)
        return Term("bool", ~term.values, term.faults)

    return negated


def called(name: str, *arguments: Compute) -> Compute:
    """Call a function: those of one argument, then least and greatest of any number."""

    def node(columns: Columns) -> Term:
        terms = [argument(columns) for argument in arguments]
        kind = _of_kind({"double", "int"}, *terms)
        if len(terms) == 1 and name in _SINGLE:
            kinds, result, act = _SINGLE[name]
            if kind in kinds:
                values = act(_bounded(kind, terms[0].values))
                return Term(result or kind, values, terms[0].faults)
        if name not in {"math.least", "math.greatest"}:
            raise LeftToCel
        best = terms[0].values
        faults = terms[0].faults
        for term in terms[1:]:
            # The first stays unless a later one is truly beyond it: so CEL folds what is not a number.
            is_beyond = term.values < best if name == "math.least" else term.values > best
            best, faults = np.where(is_beyond, term.values, best), faults | term.faults
        return Term(kind, best, faults)

    return node


def _whole(values: Array) -> Array:
    """Cut doubles to whole numbers, which have to be small."""
    if not np.all(np.abs(values) < _INTEGER_MAX):  # what is not a number is not small either
        raise LeftToCel
    return np.trunc(values).astype(np.int64)


def _rounded(values: Array) -> Array:
    """Round halves away from zero."""
    cut = np.trunc(values)
    return np.where(np.abs(values - cut) >= 0.5, cut + np.copysign(1.0, values), cut)


_NUMBERS = {"double", "int"}
_SINGLE: Mapping[str, tuple[set[str], str, Callable[[Array], Array]]] = {
    "double": (_NUMBERS, "double", lambda values: values.astype(np.float64)),
    "int": (_NUMBERS, "int", lambda values: values if values.dtype.kind == "i" else _whole(values)),
    "math.abs": (_NUMBERS, "", np.abs),
    "math.sign": (_NUMBERS, "", np.sign),
    "math.sqrt": (_NUMBERS, "double", lambda values: np.sqrt(values.astype(np.float64))),
    "math.ceil": ({"double"}, "double", np.ceil),
    "math.floor": ({"double"}, "double", np.floor),
    "math.round": ({"double"}, "double", _rounded),
    "math.trunc": ({"double"}, "double", np.trunc),
    "math.least": (_NUMBERS, "", lambda values: values),
    "math.greatest": (_NUMBERS, "", lambda values: values),
}
_ALL_KINDS = {"double", "int", "bool"}
# From the loosest to the tightest. Truth values can be compared for order too; that is left to CEL.
LEVELS: tuple[Mapping[str, Callable[[Compute, Compute], Compute]], ...] = (
    {"||": _any_of},
    {"&&": _all_of},
    {
        "<": _compared(np.less, _NUMBERS),
        "<=": _compared(np.less_equal, _NUMBERS),
        ">": _compared(np.greater, _NUMBERS),
        ">=": _compared(np.greater_equal, _NUMBERS),
        "==": _compared(np.equal, _ALL_KINDS),
        "!=": _compared(np.not_equal, _ALL_KINDS),
    },
    {"+": _arithmetic(np.add), "-": _arithmetic(np.subtract)},
    {"*": _arithmetic(np.multiply), "/": _divided, "%": _remainder},
)
