"""Why a neuron was paid what it was: one closed epoch, step by step, for its page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.errors import DomainError
from marketplace.pages import drawing
from subnets import explain_words
from subnets import queries as subnets
from subnets.explain import Counted, Explanation, Judgement, View
from subnets.metrics import METRICS

ASKED = re.compile(r"[0-9]{1,5}-[0-9]{1,9}")  # as long as the columns are
LINES_SHOWN = 64  # as many validators as a subnet has; the API has every miner of a validator


@dataclass(frozen=True, slots=True)
class Choice:
    """An epoch that can be asked about; value: how the address names it."""

    value: str
    netuid: int
    epoch: int
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Weight:
    """A weight drawn and in words."""

    bar: drawing.Clipping
    words: str


@dataclass(frozen=True, slots=True)
class ViewLine:
    """One validator's view. metrics: name and value, all that a rule could read."""

    view: View
    gates: list[str]
    metrics: list[tuple[str, str]]
    score: str
    weight: Weight


@dataclass(frozen=True, slots=True)
class JudgementLine:
    judgement: Judgement
    weight: Weight
    bond: str


def why_paid(ss58: str, asked: str, payouts: Sequence[subnets.Payout]) -> dict[str, Any]:
    """Return what the page shows of one epoch: the one asked for as "netuid-epoch", or the newest.

    payouts: the newest, to choose from. Any closed epoch may be asked for; of one that is not there,
    `why_missing` says so, above the newest.
    """
    if not payouts:
        return {"why": None, "why_choices": []}
    found = asked_for(ss58, asked, payouts) if asked else payouts[0]
    chosen = found or payouts[0]
    choices = [
        Choice(value_of(one), one.netuid, one.epoch, is_chosen=one is chosen)
        for one in (payouts if chosen in payouts else [*payouts, chosen])
    ]
    told_missing = missing(asked) if found is None else ""
    page: dict[str, Any] = {"why": None, "why_choices": choices, "why_missing": told_missing}
    try:
        told = subnets.explanation(chosen.netuid, chosen.epoch, chosen.uid)
    except DomainError as refusal:
        # The sandbox of rules is away, or a rule of old can no longer be read: the rest of the page stands.
        return page | {"why_refusal": str(refusal)}
    return page | {
        "why": told,
        "why_views": view_lines(told),
        "why_judgements": judgement_lines(told),
        "why_sentences": explain_words.sentences(told),
        "why_silence": explain_words.mute(told),
    }


def asked_for(ss58: str, asked: str, payouts: Sequence[subnets.Payout]) -> subnets.Payout | None:
    """Find the epoch that an address names, among the newest or before them."""
    shown = next((one for one in payouts if value_of(one) == asked), None)
    if shown is not None or not ASKED.fullmatch(asked):
        return shown
    netuid, epoch = (int(part) for part in asked.split("-"))
    return subnets.payout_of_hotkey(ss58, netuid=netuid, epoch=epoch)


def missing(asked: str) -> str:
    """Say that an epoch is not there."""
    if not ASKED.fullmatch(asked):
        return "The address names no epoch; the newest one is shown."
    netuid, epoch = (int(part) for part in asked.split("-"))
    return f"No closed epoch {epoch} of subnet {netuid} knows this hotkey; the newest one is shown."


def value_of(payout: subnets.Payout) -> str:
    """Name an epoch in an address."""
    return f"{payout.netuid}-{payout.epoch}"


def view_lines(told: Explanation) -> list[ViewLine]:
    """Present how validators saw a miner."""
    high = max((view.counted.weight_ppm for view in told.views), default=0)
    return [
        ViewLine(
            view=view,
            gates=list(explain_words.gate_sentences(view)),
            metrics=metric_lines(view),
            score=score_words(view),
            weight=weight(view.counted, high_ppm=high, mute=explain_words.mute(view)),
        )
        for view in told.views[:LINES_SHOWN]
    ]


def judgement_lines(told: Explanation) -> list[JudgementLine]:
    """Present what a validator gave each miner, the largest weights first."""
    silence = explain_words.mute(told)
    ranked = sorted(told.judgements, key=lambda one: (-one.counted.weight_u16, one.uid))
    high = max((one.counted.weight_ppm for one in ranked), default=0)
    return [
        JudgementLine(
            judgement=one,
            weight=weight(one.counted, high_ppm=high, mute=silence),
            bond=f"{explain_words.u16(one.bond_before_u16)} → {explain_words.u16(one.bond_u16)}",
        )
        for one in ranked[:LINES_SHOWN]
    ]


def weight(counted: Counted, *, high_ppm: int, mute: str) -> Weight:
    """Draw a weight against the largest beside it, and say what became of it."""
    words = explain_words.given(counted, mute=mute)
    bar = drawing.clipping(
        counted.weight_ppm,
        clipped=counted.clipped_ppm,
        line=counted.consensus_ppm,
        high=max(high_ppm, counted.consensus_ppm),
    )
    return Weight(bar, words[0].upper() + words[1:])


def score_words(view: View) -> str:
    """Write a score: as computed, and after smoothing."""
    if view.raw_score is None:
        return explain_words.share(view.smoothed_ppm) if view.smoothed_ppm else "–"
    raw = f"{view.raw_score:.4g}"
    return f"{raw} → {explain_words.share(view.smoothed_ppm)}" if view.smoothed_ppm else raw


def metric_lines(view: View) -> list[tuple[str, str]]:
    """Write every metric with its unit."""
    if view.metrics is None:
        return []
    values = [(name, getattr(view.metrics, name), METRICS[name].unit) for name in METRICS]
    return [(name.replace("_", " "), f"{value:.6g} {unit}") for name, value, unit in values]
