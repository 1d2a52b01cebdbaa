"""What a rule may be made of, for the page on which it is written: read from the tables that check it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from subnets import rule_document
from subnets.metrics import METRICS
from subnets.rule_expression import EXPRESSION_CHARACTERS_MAX, FUNCTIONS
from subnets.rule_scores import SCORE_MAX
from subnets.shaping import PPM, SHAPINGS, Parameter


@dataclass(frozen=True, slots=True)
class Line:
    """A name, how far it goes, and what it means."""

    name: str
    bounds: str
    meaning: str


@cache
def reference() -> dict[str, Any]:
    """Return the members, metrics, functions and shapings of a rule, in the order in which they are read."""
    return {
        "members": tuple(_members()),
        "metrics": tuple(
            Line(name, f"{one.type}, {one.unit}", one.doc) for name, one in METRICS.items()
        ),
        "functions": tuple(Line(name, "", doc) for name, doc in FUNCTIONS.items()),
        "shapings": tuple(
            (
                Line(kind, "", shaping.doc),
                tuple(
                    Line(name, _bounds(one), one.doc) for name, one in shaping.parameters.items()
                ),
            )
            for kind, shaping in SHAPINGS.items()
        ),
    }


def _bounds(parameter: Parameter) -> str:
    default = "" if parameter.default is None else f"; left out: {parameter.default}"
    return f"{parameter.low} to {parameter.high}{default}"


def _members() -> Iterator[Line]:
    """Yield what stands in a document beside its format, those that may be left out last."""
    yield Line("title", f"{rule_document.TITLE_CHARACTERS_MAX} characters", "One printable line.")
    yield Line(
        "score",
        f"{EXPRESSION_CHARACTERS_MAX} characters",
        f"An expression that gives a number: below zero counts as zero, above {SCORE_MAX} as an error.",
    )
    yield Line("shaping", "one of the kinds below", "How scores become weights.")
    yield Line(
        "gates",
        f"at most {rule_document.GATES_MAX}; left out: none",
        "Conditions for being paid at all: “if”, an expression, and “reason”, what a miner reads.",
    )
    yield Line(
        "smoothing.ema_alpha_ppm",
        f"1 to {PPM}",
        "A moving average over epochs: how much the newest score counts, in millionths.",
    )
    yield Line(
        "smoothing.idle_keep_ppm",
        f"0 to {PPM}; left out: {rule_document.IDLE_KEEP_PPM}",
        "What a miner without a valid score keeps of its average from epoch to epoch, in millionths.",
    )
    yield Line(
        "smoothing.bias_corrected",
        "true or false; left out: false",
        "Average a newcomer’s first scores alike.",
    )
    yield Line(
        "one_per_owner",
        "true or false; left out: false",
        "Pay only the best miner of each account.",
    )
    yield Line(
        "max_share_ppm",
        f"{rule_document.MAX_SHARE_PPM_MIN} to {PPM}; left out: {PPM}",
        "The most that one miner gets of the weight, in millionths.",
    )
    yield Line(
        "floor_ppm",
        f"0 to {rule_document.FLOOR_PPM_MAX}; left out: 0",
        "The least that whoever has a score above zero gets, in millionths.",
    )
    yield Line(
        "burn_bps",
        f"0 to {rule_document.BURN_BPS_MAX}; left out: 0",
        "The part of the miners’ emission that is burned, in basis points.",
    )
