"""Builders of rules and metrics for the tests of the incentive rule."""

from dataclasses import replace

import numpy as np
import pytest

from subnets import rules, sharing
from subnets.errors import RuleInvalid
from subnets.metrics import Metrics
from subnets.shaping import UNBOUND

METRIC = Metrics(
    quality=0.5,
    sample_count=5,
    canary_quality=1.0,
    canary_count=1,
    latency_ms=400.0,
    work_units=10,
    credited_work_units=8.0,
    offered_count=5,
    completed_count=5,
    failed_count=0,
    success_rate=1.0,
)
DOCUMENT = {
    "format": 1,
    "title": "Fast and right",
    "gates": [{"if": "sample_count >= 3", "reason": "Too few results were checked."}],
    "score": "quality * math.least(1.0, 500.0 / latency_ms)",
    "shaping": {"kind": "power", "exponent_ppm": 2_000_000},
    "smoothing": {"ema_alpha_ppm": 250_000, "idle_keep_ppm": 500_000},
    "burn_bps": 100,
}
PLAIN = {"format": 1, "title": "Plain", "score": "quality", "shaping": {"kind": "linear"}}


def document(**changes):
    return {name: value for name, value in {**PLAIN, **changes}.items() if value is not ...}


def rule(**changes):
    return rules.parse(document(**changes))


def problems(source):
    with pytest.raises(RuleInvalid) as caught:
        rules.parse(source)
    return {item["pointer"]: item["detail"] for item in caught.value.fields["problems"]}


def miner(quality=0.5, **changes):
    return replace(METRIC, quality=quality, **changes)


def weights(shaping, scores, *, incumbent=None, bounds=UNBOUND):
    """Shape the scores of one validator's miners, by name."""
    row = np.array([list(scores.values())], dtype=np.int64)
    holder = list(scores).index(incumbent) if incumbent in scores else None
    shared = sharing.weights(shaping, row, holders=[holder], bounds=bounds)
    return dict(zip(scores, shared[0].tolist(), strict=True))


def max_upscaled(shares):
    """Scale one validator's weights to u16, by name; zeros are dropped."""
    scaled = sharing.max_upscaled(np.array([list(shares.values())], dtype=np.int64))[0].tolist()
    return {name: weight for name, weight in zip(shares, scaled, strict=True) if weight}
