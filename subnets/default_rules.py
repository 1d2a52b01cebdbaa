"""The rule a new subnet starts with, by blueprint. Data only; each is parsed by a test."""

from collections.abc import Mapping
from types import MappingProxyType

DEFAULT_RULES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        # A product is right or wrong (Freivalds' check), so pay for right work, whoever is fast:
        # in proportion to the work, a miner gains nothing by posing as two. Millions keep scores small.
        # No right product is ever refused, so wrong ones are no accident: where work waits for machines, who
        # answers half of it wrongly and in no time would else earn as much as who does all of what it takes.
        "matmul": {
            "format": 1,
            "title": "Pay for verified work",
            "gates": [
                {
                    "if": "canary_quality >= 0.99",
                    "reason": "A job whose answer was known came back wrong.",
                },
                {
                    "if": "quality >= 0.95",
                    "reason": "More than one result in twenty was wrong.",
                },
                {
                    "if": "success_rate >= 0.8",
                    "reason": "More than one job in five was not returned in time.",
                },
            ],
            "score": "success_rate * credited_work_units / 1000000.0",
            "shaping": {"kind": "linear"},
            "smoothing": {"ema_alpha_ppm": 500_000},
            "burn_bps": 0,
        },
        # Vectors are compared with a reference and come out more or less close; consumers wait for
        # them, so an answer slower than half a second is worth less.
        "embeddings": {
            "format": 1,
            "title": "Pay for close and quick answers",
            "gates": [
                {"if": "sample_count >= 2", "reason": "Fewer than two results were checked."},
                {
                    "if": "canary_quality >= 0.9",
                    "reason": "Answers to jobs whose vector was known were too far off.",
                },
                {
                    "if": "success_rate >= 0.8",
                    "reason": "More than one job in five was not returned in time.",
                },
            ],
            "score": "quality * success_rate * math.least(1.0, 500.0 / latency_ms)",
            "shaping": {"kind": "power", "exponent_ppm": 2_000_000},
            "smoothing": {"ema_alpha_ppm": 300_000},
            "burn_bps": 0,
        },
        # A text counts by how far it goes along with what a validator's own model says. Pay in
        # proportion to the work, as for products: posing as two gains nothing. An honest text may part
        # early by rounding now and then, hence a gate that takes the mean.
        "language": {
            "format": 1,
            "title": "Pay for answers that validators' models give too",
            "gates": [
                {"if": "sample_count >= 2", "reason": "Fewer than two results were checked."},
                {
                    "if": "canary_quality >= 0.6",
                    "reason": "Answers to planted questions part too early from what validators' models say.",
                },
                {
                    "if": "success_rate >= 0.8",
                    "reason": "More than one job in five was not returned in time.",
                },
            ],
            "score": "quality * success_rate * credited_work_units / 1000000.0",
            "shaping": {"kind": "linear"},
            "smoothing": {"ema_alpha_ppm": 300_000},
            "burn_bps": 0,
        },
    }
)
