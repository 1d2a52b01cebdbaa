"""Say what a rule's expressions may contain, and say plainly what is wrong with one.

An expression is arithmetic on one miner's metrics. The words allowed are listed and everything else is
refused before CEL sees it: no lists, maps, text, loops or regular expressions, so an expression has
nothing to grow memory with and its cost is bounded by its length.
"""

import math
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import NamedTuple

from subnets.metrics import METRICS

# Two thousand characters hold a few hundred operations; the longest useful rule seen has a tenth.
EXPRESSION_CHARACTERS_MAX = 2_000
# One slip can repeat at every character; ten sentences are what a person reads.
PROBLEMS_PER_EXPRESSION_MAX = 10
INT64_MAX = 2**63 - 1

FUNCTIONS: Mapping[str, str] = MappingProxyType(
    {
        "double": "A whole number as a decimal: double(sample_count).",
        "int": "A decimal cut to a whole number.",
        "math.least": "The least of its arguments.",
        "math.greatest": "The greatest of its arguments.",
        "math.abs": "The size without the sign.",
        "math.sign": "-1, 0 or 1.",
        "math.sqrt": "The square root.",
        "math.ceil": "Rounded up.",
        "math.floor": "Rounded down.",
        "math.round": "Rounded to the nearest whole, halves away from zero.",
        "math.trunc": "The part before the decimal point.",
    }
)
CONSTANTS = frozenset({"true", "false"})
_LOOPS = frozenset({"all", "exists", "exists_one", "map", "filter", "has"})

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<comment>//)"
    r"|(?P<number>(?:[0-9]+\.[0-9]+|\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?)(?P<tail>[A-Za-z_]\w*)?"
    r"|(?P<name>[A-Za-z_]\w*(?:\.\w+)*)"
    r"|(?P<operator>&&|\|\||[<>=!]=|[-+*/%<>!?:(),])",
    re.ASCII,
)
_FORBIDDEN = MappingProxyType(
    dict.fromkeys("[]", "Lists ([ ]) cannot be used in an expression.")
    | dict.fromkeys("{}", "Maps ({ }) cannot be used in an expression.")
    | dict.fromkeys("\"'`", "Text in quotes cannot be used in an expression.")
)


class _Token(NamedTuple):
    """One word of an expression: its kind (a group of _TOKEN, or "other"), text and column from 1."""

    kind: str
    text: str
    column: int


def word_problems(expression: str) -> list[str]:
    """List what the expression contains that a rule may not, as sentences; empty when nothing.

    The expression is at most EXPRESSION_CHARACTERS_MAX long; the scan is linear in it.
    """
    tokens = [token for token in _tokens(expression) if token.kind != "space"]
    ends = [*(token.text for token in tokens[1:]), ""]
    found: dict[str, None] = {}  # a set that keeps its order
    for token, following in zip(tokens, ends, strict=True):
        problem = _token_problem(token, following)
        if problem:
            found.setdefault(problem)
    return list(found)[:PROBLEMS_PER_EXPRESSION_MAX]


def compile_problem(error: str) -> str:
    """Turn the CEL compiler's error into a sentence for the rule's author."""
    if "recursion" in error:
        return (
            "It is nested too deep, or chains more than 31 operations; use fewer or shorter ones."
        )
    where = re.search(r"<input>:(\d+):(\d+): (.*)", error)
    if not where:
        return "It is not a valid expression."
    line, column, text = where[1], where[2], where[3]
    place = f"At column {column}" if line == "1" else f"At line {line}, column {column}"
    mismatch = re.match(r"found no matching overload for '(.+?)' applied to '\((.*)\)'", text)
    if mismatch:
        name = mismatch[1].strip("_").replace("_", " ")
        hint = ""
        if {"int", "double"} <= set(mismatch[2].split(", ")):
            hint = "; write whole numbers as 2.0, or convert with double(...)"
        return f"{place}, {name} cannot take ({mismatch[2]}){hint}."
    if text.startswith("Syntax error"):
        # The parser's list of what it expected names grammar rules; an author needs the place.
        slip = text.removeprefix("Syntax error: ").split(" expecting ")[0]
        if "<EOF>" in slip:
            return f"{place}, it ends too early."
        return f"{place}, it does not read as an expression: {slip}."
    return f"{place}, {text.split(' (in container')[0].rstrip('.')}."


def runtime_problem(error: str) -> str:
    """Turn a CEL run-time error into a clause: "division by zero"."""
    text = re.sub(r"^[A-Z_]+: ", "", error)
    return {
        "divide by zero": "division by zero",
        "modulus by zero": "division by zero",
        "integer overflow": "a whole number grew past 64 bits",
        "int too big to convert": "a metric is past 64 bits",
    }.get(text, text)


def _tokens(expression: str) -> Iterator[_Token]:
    """Cut the expression into tokens; a character that starts none is a token of kind "other"."""
    position = 0
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if match is None:
            yield _Token("other", expression[position], position + 1)
            position += 1
            continue
        kind = "tail" if match["tail"] else str(match.lastgroup)
        yield _Token(kind, match[0], position + 1)
        position = match.end()


def _token_problem(token: _Token, following: str) -> str:
    """Say what is wrong with one token, given the text of the next; empty when nothing is."""
    match token.kind:
        case "operator":
            return ""
        case "comment":
            return "Comments (//) cannot be used in an expression."
        case "number":
            return _number_problem(token.text)
        case "tail":
            return f"{_shown(token.text)} is not a number a rule can use; write it like 3 or 3.0."
        case "name":
            return _name_problem(token.text, is_called=following == "(")
    unread = f"{token.text!r} at column {token.column} means nothing in an expression."
    return _FORBIDDEN.get(token.text, unread)


def _number_problem(text: str) -> str:
    """Say when a number does not fit: 64 bits for whole numbers, a finite double for decimals."""
    if text.isdigit():
        is_fitting = len(text) <= 19 and int(text) <= INT64_MAX
    else:
        is_fitting = math.isfinite(float(text))
    return "" if is_fitting else f"The number {_shown(text)} is too large."


def _name_problem(name: str, *, is_called: bool) -> str:
    """Say what is wrong with a name, and what was probably meant."""
    if name in FUNCTIONS:
        return "" if is_called else f"{name} is a function; write {name}(...)."
    if name in METRICS or name in CONSTANTS:
        return f"{name} is not a function." if is_called else ""
    last = name.rpartition(".")[2]
    if last in _LOOPS:
        return f"{_shown(name)}: loops and tests over lists cannot be used in a rule."
    if last == "matches":
        return f"{_shown(name)}: regular expressions cannot be used in a rule."
    meant = get_close_matches(name[:64], [*METRICS, *FUNCTIONS], n=1)
    hint = f" Did you mean {meant[0]}?" if meant else ""
    return f"{_shown(name)} is neither a metric nor a function.{hint}"


def _shown(text: str) -> str:
    """Return a word of the author's in quotes, cut to what a sentence bears."""
    return repr(text if len(text) <= 40 else text[:37] + "...")
