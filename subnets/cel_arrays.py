"""Evaluate a rule's expressions over whole columns of metrics: the values CEL gives row by row, all at once.

A backtest asks for millions of rows, which CEL answers some microseconds each. An expression is arithmetic
on doubles and 64-bit integers, and IEEE 754 gives the same bits for + - * / and sqrt wherever it is done, so
numpy can stand in. It stands in, it does not decide: what is not listed here, what nests deeper than fixed
limits, and a whole number that grows towards 64 bits, is left to CEL (`evaluated` says None). Who answers
depends on the expression and the rows alone, never on the machine. That both say the same, values and why
there is none, is held by tests, by the trial of every new rule and by a sample of rows in every backtest.
Semantics: cel-spec langdef.md (numeric values, logical operators) and the CEL math extension.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from subnets.cel_operators import (
    LEVELS,
    Columns,
    Compute,
    LeftToCel,
    Term,
    called,
    chosen,
    denied,
    negative,
)
from subnets.metrics import METRICS

# Brackets and branches within each other; CEL itself reads no more than 32. Ten calls of the parser each:
# with the limit below they stay within half of Python's thousand, whoever calls.
_NESTING_MAX = 40
# Operators within each other, two calls each while a value is computed. CEL takes any number of signs, and
# any number of && and || in a row; none that a person writes has a hundred.
_DEPTH_MAX = 100
_TOKEN = re.compile(
    r"\s*(?:(?P<double>(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)|(?P<int>\d+)"
    r"|(?P<name>[A-Za-z_][\w.]*)|(?P<operator>&&|\|\||[<>=!]=|[-+*/%<>!?:(),]))",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class _Node:
    """A part of an expression. depth: operators within each other below it, and itself."""

    compute: Compute
    depth: int = 1


def evaluated(expressions: Sequence[str], columns: Columns) -> list[Term] | None:
    """Return each expression's values and faults, broadcast to the columns; None when CEL has to be asked.

    columns: metric → values of all rows, float64 for doubles and int64 for whole numbers. As in the child,
    a final value that is not finite is a fault; so it is told apart from a division of whole numbers by
    zero, after which CEL computes nothing more: there the value is zero.
    """
    shape = next(iter(columns.values())).shape
    terms = []
    try:
        with np.errstate(all="ignore"):
            for expression in expressions:
                term = _parsed(expression).compute(columns)
                faults = term.faults
                values = np.where(faults, term.values.dtype.type(0), term.values)
                if term.kind == "double":
                    faults = faults | ~np.isfinite(values)
                terms.append(
                    Term(term.kind, np.broadcast_to(values, shape), np.broadcast_to(faults, shape))
                )
    except LeftToCel:
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
                raise LeftToCel
            self.tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            position = match.end()
        self.tokens.append(("end", ""))
        self.position = self.nesting = 0

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
            raise LeftToCel

    def ternary(self) -> _Node:
        """Condition ? value : value, else the condition alone."""
        self.nesting += 1
        if self.nesting > _NESTING_MAX:
            raise LeftToCel
        node = self.chain(0)
        if self.ahead == "?":
            self.taken()
            then = self.chain(0)
            self.expect(":")
            node = _joined(chosen, node, then, self.ternary())
        self.nesting -= 1
        return node

    def chain(self, level: int) -> _Node:
        """Operators of one precedence, from the left."""
        if level == len(LEVELS):
            return self.unary()
        node = self.chain(level + 1)
        while self.ahead in LEVELS[level]:
            operator = self.taken()[1]
            node = _joined(LEVELS[level][operator], node, self.chain(level + 1))
        return node

    def unary(self) -> _Node:
        """Take signs and denials, then a primary."""
        operators = []
        while self.ahead in {"-", "!"}:
            operators.append(self.taken()[1])
        node = self.primary()
        for operator in reversed(operators):
            node = _joined(negative if operator == "-" else denied, node)
        return node

    def primary(self) -> _Node:
        """Take a number, a metric, a constant, a call or what stands in brackets."""
        kind, text = self.taken()
        match kind:
            case "double":
                return _constant("double", np.float64(text))
            case "int":
                if len(text) > 18:
                    raise LeftToCel
                return _constant("int", np.int64(text))
            case "name" if self.ahead == "(":
                return _joined(partial(called, text), *self.arguments())
            case "name" if text in {"true", "false"}:
                return _constant("bool", np.bool_(text == "true"))
            case "name" if text in METRICS:
                return _metric(text, METRICS[text].type)
        if text != "(":
            raise LeftToCel
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


def _joined(act: Callable[..., Compute], *nodes: _Node) -> _Node:
    """Join parts by an operator. Raises: LeftToCel when they nest too deep."""
    depth = 1 + max(node.depth for node in nodes)
    if depth > _DEPTH_MAX:
        raise LeftToCel
    return _Node(act(*(node.compute for node in nodes)), depth)


def _constant(kind: str, value: Any) -> _Node:  # noqa: ANN401 — a numpy scalar
    term = Term(kind, np.asarray(value), np.asarray(np.False_))
    return _Node(lambda _: term)


def _metric(name: str, kind: str) -> _Node:
    return _Node(lambda columns: Term(kind, columns[name], np.asarray(np.False_)))
