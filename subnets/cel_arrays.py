"""Evaluate a rule's expressions over whole columns of metrics: the values CEL gives row by row, all at once.

A backtest asks for millions of rows, which CEL answers some microseconds each. An expression is arithmetic
on doubles and 64-bit integers, and IEEE 754 gives the same bits for + - * / and sqrt wherever it is done, so
numpy can stand in. It stands in, it does not decide: what is not listed here, and a whole number that grows
towards 64 bits, is left to CEL (`evaluated` says None), and a backtest holds a sample of rows against CEL.
Semantics: cel-spec langdef.md (numeric values, logical operators) and the CEL math extension.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from subnets.metrics import METRICS

Array: TypeAlias = NDArray[Any]
Columns: TypeAlias = Mapping[str, Array]

# Half of the greatest 64-bit integer: what passes it may overflow in the next step, and CEL has to say.
_INTEGER_MAX = 2.0**62
_TOKEN = re.compile(
    r"\s*(?:(?P<double>(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)|(?P<int>\d+)"
    r"|(?P<name>[A-Za-z_][\w.]*)|(?P<operator>&&|\|\||[<>=!]=|[-+*/%<>!?:(),]))",
    re.ASCII,
)


class _LeftToCel(Exception):
    """What numpy does not stand in for."""


@dataclass(frozen=True, slots=True)
class Term:
    """The value of a part of an expression in every row. kind: a CEL type. faults: where CEL has an error."""

    kind: str
    values: Array
    faults: Array


_Node: TypeAlias = Callable[[Columns], Term]
_NEVER = np.False_


def evaluated(expressions: Sequence[str], columns: Columns) -> list[Term] | None:
    """Return each expression's values and faults, broadcast to the columns; None when CEL has to be asked.

    columns: metric → values of all rows, float64 for doubles and int64 for whole numbers. As in the child,
    a final value that is not finite is a fault.
    """
    shape = next(iter(columns.values())).shape
    terms = []
    try:
        with np.errstate(all="ignore"):
            for expression in expressions:
                term = _parsed(expression)(columns)
                faults = term.faults
                if term.kind == "double":
                    faults = faults | ~np.isfinite(term.values)
                terms.append(
                    Term(
                        term.kind,
                        np.broadcast_to(term.values, shape),
                        np.broadcast_to(faults, shape),
                    )
                )
    except _LeftToCel:
        return None
    return terms


def metrics_read(expressions: Sequence[str]) -> frozenset[str]:
    """Return the names of the metrics that expressions read."""
    words = {word for text in expressions for word in re.findall(r"[A-Za-z_]\w*", text)}
    return frozenset(words & METRICS.keys())


@lru_cache(maxsize=256)
def _parsed(expression: str) -> _Node:
    """Parse an expression that `rules.parse` has accepted."""
    parser = _Parser(expression)
    node = parser.ternary()
    parser.expect("")
    return node


class _Parser:
    """Recursive descent over CEL's grammar of operators (cel-spec langdef.md, syntax)."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        text = text.rstrip()
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise _LeftToCel
            self.tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            position = match.end()
        self.tokens.append(("end", ""))
        self.position = 0

    @property
    def ahead(self) -> str:
        """Return the text of the next token."""
        return self.tokens[self.position][1]

    def taken(self) -> tuple[str, str]:
        """Take the next token."""
        self.position += 1
        return self.tokens[self.position - 1]

    def expect(self, text: str) -> None:
        """Take a token that has to come."""
        if self.taken()[1] != text:
            raise _LeftToCel

    def ternary(self) -> _Node:
        """Condition ? value : value, else the condition alone."""
        condition = self.chain(0)
        if self.ahead != "?":
            return condition
        self.taken()
        then = self.chain(0)
        self.expect(":")
        return _chosen(condition, then, self.ternary())

    def chain(self, level: int) -> _Node:
        """Operators of one precedence, from the left."""
        if level == len(_LEVELS):
            return self.unary()
        node = self.chain(level + 1)
        while self.ahead in _LEVELS[level]:
            operator = self.taken()[1]
            node = _LEVELS[level][operator](node, self.chain(level + 1))
        return node

    def unary(self) -> _Node:
        """Take signs and denials, then a primary."""
        if self.ahead in {"-", "!"}:
            operator = self.taken()[1]
            node = self.unary()
            return _negative(node) if operator == "-" else _denied(node)
        return self.primary()

    def primary(self) -> _Node:
        """Take a number, a metric, a constant, a call or what stands in brackets."""
        kind, text = self.taken()
        match kind:
            case "double":
                return _constant("double", np.float64(text))
            case "int":
                if len(text) > 18:
                    raise _LeftToCel
                return _constant("int", np.int64(text))
            case "name" if self.ahead == "(":
                return _called(text, self.arguments())
            case "name" if text in {"true", "false"}:
                return _constant("bool", np.bool_(text == "true"))
            case "name" if text in METRICS:
                return _metric(text, METRICS[text].type)
        if text != "(":
            raise _LeftToCel
        node = self.ternary()
        self.expect(")")
        return node

    def arguments(self) -> list[_Node]:
        """Take a call's arguments with their brackets."""
        self.expect("(")
        nodes = [self.ternary()]
        while self.ahead == ",":
            self.taken()
            nodes.append(self.ternary())
        self.expect(")")
        return nodes


def _constant(kind: str, value: Any) -> _Node:  # noqa: ANN401 — a numpy scalar
    term = Term(kind, np.asarray(value), np.asarray(_NEVER))
    return lambda _: term


def _metric(name: str, kind: str) -> _Node:
    return lambda columns: Term(kind, columns[name], np.asarray(_NEVER))


def _of_kind(kinds: set[str], *terms: Term) -> str:
    """Return the one kind of all terms. Raises: _LeftToCel when they mix or it is another."""
    kind = terms[0].kind
    if kind not in kinds or any(term.kind != kind for term in terms):
        raise _LeftToCel
    return kind


def _bounded(kind: str, values: Array) -> Array:
    """Leave to CEL a whole number that came near 64 bits."""
    if kind == "int" and np.any(np.abs(values.astype(np.float64)) >= _INTEGER_MAX):
        raise _LeftToCel
    return values


def _arithmetic(act: Callable[[Array, Array], Array]) -> Callable[[_Node, _Node], _Node]:
    def built(left: _Node, right: _Node) -> _Node:
        def node(columns: Columns) -> Term:
            a, b = left(columns), right(columns)
            kind = _of_kind({"double", "int"}, a, b)
            if kind == "int":
                # In doubles first: an overflow shows there, where 64 bits would wrap.
                _bounded(kind, act(a.values.astype(np.float64), b.values.astype(np.float64)))
            return Term(kind, act(a.values, b.values), a.faults | b.faults)

        return node

    return built


def _divided(left: _Node, right: _Node) -> _Node:
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


def _remainder(left: _Node, right: _Node) -> _Node:
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
) -> Callable[[_Node, _Node], _Node]:
    def built(left: _Node, right: _Node) -> _Node:
        def node(columns: Columns) -> Term:
            a, b = left(columns), right(columns)
            _of_kind(kinds, a, b)
            return Term("bool", act(a.values, b.values), a.faults | b.faults)

        return node

    return built


def _all_of(left: _Node, right: _Node) -> _Node:
    """A false side decides, whatever fault the other has."""

    def node(columns: Columns) -> Term:
        a, b = left(columns), right(columns)
        _of_kind({"bool"}, a, b)
        decided = (~a.values & ~a.faults) | (~b.values & ~b.faults)
        return Term("bool", a.values & b.values & ~decided, (a.faults | b.faults) & ~decided)

    return node


def _any_of(left: _Node, right: _Node) -> _Node:
    """A true side decides, whatever fault the other has."""

    def node(columns: Columns) -> Term:
        a, b = left(columns), right(columns)
        _of_kind({"bool"}, a, b)
        decided = (a.values & ~a.faults) | (b.values & ~b.faults)
        return Term("bool", a.values | b.values | decided, (a.faults | b.faults) & ~decided)

    return node


def _chosen(condition: _Node, then: _Node, otherwise: _Node) -> _Node:
    """A fault of the side that is not chosen does not count."""

    def node(columns: Columns) -> Term:
        c, a, b = condition(columns), then(columns), otherwise(columns)
        _of_kind({"bool"}, c)
        kind = _of_kind({"double", "int", "bool"}, a, b)
        faults = c.faults | np.where(c.values, a.faults, b.faults)
        return Term(kind, np.where(c.values, a.values, b.values), faults)

    return node


def _negative(node: _Node) -> _Node:
    def negated(columns: Columns) -> Term:
        term = node(columns)
        kind = _of_kind({"double", "int"}, term)
        return Term(kind, -_bounded(kind, term.values), term.faults)

    return negated


def _denied(node: _Node) -> _Node:
    def negated(columns: Columns) -> Term:
        term = node(columns)
        _of_kind({"bool"}, term)
        return Term("bool", ~term.values, term.faults)

    return negated


def _called(name: str, arguments: list[_Node]) -> _Node:
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
            raise _LeftToCel
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
        raise _LeftToCel
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
_LEVELS: tuple[Mapping[str, Callable[[_Node, _Node], _Node]], ...] = (
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
