"""How fast a rule is computed: beside CEL in its child, and for a network of full subnets."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bench.figures import Figure, best_s
from subnets import rule_scores, rules
from subnets.metrics import Metrics

VALIDATORS = 64
MINERS = 256
SUBNETS = 128
CEL_ROWS = 2_048  # CEL takes a second for a whole subnet; its pace shows in fewer rows
RUNS = 3

# Of the twenty seconds that 128 epochs may take with database and ledger, a part that leaves them room.
NETWORK_S_AT_MOST = 10.0


def windows(seed: int) -> list[rules.Window]:
    """Return what the validators of a full subnet bring: every miner sampled by everyone, nothing alike."""
    numbers = np.random.default_rng(seed)
    names = [f"5{number:047}" for number in range(MINERS)]
    typical = Metrics(0.9, 12, 1.0, 3, 200.0, 10**6, 9e5, 40, 39, 1, 0.975)
    return [
        rules.Window(
            {
                name: replace(
                    typical, quality=quality, latency_ms=latency, credited_work_units=work
                )
                for name, quality, latency, work in zip(
                    names,
                    numbers.random(MINERS).tolist(),
                    (1 + 900 * numbers.random(MINERS)).tolist(),
                    (1e6 * numbers.random(MINERS)).tolist(),
                    strict=True,
                )
            },
            {
                name: int(score)
                for name, score in zip(
                    names, numbers.integers(1, 2**32, MINERS).tolist(), strict=True
                )
            },
        )
        for _ in range(VALIDATORS)
    ]


def measure() -> Iterator[Figure]:
    """Yield rows a second, and seconds for the rules of all subnets."""
    brought = windows(5)
    for kind, document in rules.DEFAULT_RULES.items():
        yield from measured(kind, rules.parse(document), brought)


def measured(kind: str, rule: rules.Rule, brought: list[rules.Window]) -> Iterator[Figure]:
    """Yield the figures of one rule."""
    rows = [metrics for window in brought for metrics in window.metrics_by_miner.values()]
    columns_s = best_s(lambda: rule_scores.evaluated(rule.expressions(), rows), runs=RUNS)
    cel_s = best_s(lambda: rule_scores.by_cel(rule.expressions(), rows[:CEL_ROWS]), runs=RUNS)
    yield Figure(
        f"rows scored a second, rule of {kind}",
        len(rows) / columns_s,
        "rows/s",
        peer=CEL_ROWS / cel_s,
        peer_name="CEL in its child",
        target=20.0,
        at_most=False,
    )
    epoch_s = best_s(lambda: rules.evaluate_windows(rule, brought), runs=RUNS)
    yield Figure(
        f"rule of {kind}: {SUBNETS} full subnets",
        SUBNETS * epoch_s,
        "s",
        target=NETWORK_S_AT_MOST,
    )
