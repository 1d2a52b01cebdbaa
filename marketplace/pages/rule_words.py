"""An incentive rule as sentences, for people who will be paid by it. Pure, over the rule's document."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.pages import wording
from subnets.metrics import METRICS
from subnets.shaping import PPM, SHAPINGS

BPS = 10_000
_NAME = re.compile(r"\b[a-z_]+\b")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One step of the rule; expression is its formula, where it has one."""

    text: str
    expression: str = ""


@dataclass(frozen=True, slots=True)
class Name:
    """A metric that the rule reads, and what it means."""

    name: str
    doc: str


@dataclass(frozen=True, slots=True)
class RuleWords:
    title: str
    sentences: tuple[Sentence, ...]
    names: tuple[Name, ...]
    json: str


def rule_words(document: Mapping[str, Any]) -> RuleWords:
    """Say a valid rule document in order: gates, score, smoothing, one miner an owner, shaping, burn."""
    gates: Sequence[Mapping[str, str]] = document.get("gates", ())
    sentences = [
        Sentence(f"To be paid at all, a miner must meet this. Else: “{gate['reason']}”", gate["if"])
        for gate in gates
    ]
    sentences.append(Sentence("Its score is", document["score"]))
    sentences.extend(smoothing_words(document.get("smoothing")))
    if document.get("one_per_owner"):
        sentences.append(Sentence("Of each owner’s miners only the best counts."))
    sentences.append(Sentence(shaping_words(document["shaping"])))
    sentences.extend(bounds_words(document))
    sentences.append(Sentence(burn_words(document.get("burn_bps", 0))))
    formulas = " ".join([*(gate["if"] for gate in gates), document["score"]])
    used = set(_NAME.findall(formulas))
    return RuleWords(
        title=document["title"],
        sentences=tuple(sentences),
        names=tuple(
            Name(name, f"{metric.doc} ({metric.unit})")
            for name, metric in METRICS.items()
            if name in used
        ),
        json=json.dumps(document, indent=2, ensure_ascii=False),
    )


def smoothing_words(smoothing: Mapping[str, int] | None) -> list[Sentence]:
    """Say the moving average; nothing where the rule has none."""
    if smoothing is None:
        return []
    newest = wording.percent(smoothing["ema_alpha_ppm"], of=PPM, places=0)
    told = (
        f"The score is smoothed: the newest epoch counts {newest}, what was before counts the rest."
    )
    if smoothing.get("bias_corrected"):
        told += " A newcomer’s first scores count alike."
    return [Sentence(told)]


def bounds_words(document: Mapping[str, Any]) -> list[Sentence]:
    """Say the cap and the floor of one miner's part; nothing where the rule has none."""
    told = []
    if document.get("max_share_ppm", PPM) < PPM:
        share = wording.percent(document["max_share_ppm"], of=PPM, places=1)
        told.append(
            f"Nobody gets more than {share} of the weight, unless too few are paid for that."
        )
    if document.get("floor_ppm", 0):
        share = wording.percent(document["floor_ppm"], of=PPM, places=2)
        told.append(f"Whoever has a score gets at least {share} of the weight.")
    return [Sentence(text) for text in told]


def shaping_words(shaping: Mapping[str, Any]) -> str:
    """Say how scores become weights, with the shaping's numbers in plain units."""
    numbers = [
        f"{name.removesuffix('_ppm').replace('_', ' ')} {millionths(value) if name.endswith('_ppm') else value}"
        for name, value in shaping.items()
        if name != "kind"
    ]
    told = f" ({', '.join(numbers)})" if numbers else ""
    if shaping["kind"] not in SHAPINGS:  # published once, and no longer understood
        return f"Weight by “{shaping['kind']}”, which cannot be computed any more."
    return f"{SHAPINGS[shaping['kind']].doc.rstrip('.')}{told}."


def millionths(value: int) -> str:
    """Write parts per million as a plain number: 2 500 000 is "2.5"."""
    whole, part = divmod(value, PPM)
    decimals = f"{part:06d}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)


def burn_words(burn_bps: int) -> str:
    """Say what the rule keeps back from miners."""
    if burn_bps == 0:
        return "Nothing of the miners’ part is burned."
    return f"{wording.percent(burn_bps, of=BPS, places=2)} of the miners’ part is burned."
