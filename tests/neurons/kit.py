"""The one test kit of every kind of work: a new one names itself in CASES and has to pass tests/neurons/test_kit.py.

A case says how to make the workload, payloads, and outputs that lie; the kit asks of all the same: right work scores
full, by the known answer and without it; lies and noise score nothing; `check` never raises for what a miner sends.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from compute.blueprints.language import make_canary
from neurons.workloads import WORKLOADS, Workload, embeddings, language, matmul
from neurons.workloads.language import Generated


def said(messages, *, max_tokens, seed):
    """Stand for a model: it takes the last message apart, the same way each time."""
    words = (messages[-1]["content"] + f" (asked with {seed})").split()
    cut = words[:max_tokens]
    return Generated(
        text=" ".join(cut),
        finish_reason="length" if len(words) > max_tokens else "stop",
        prompt_tokens=sum(len(message["content"].split()) for message in messages),
        completion_tokens=len(cut),
    )


@dataclass(frozen=True)
class Case:
    """A workload under test. lie: makes of a right output a wrong one that looks right."""

    workload: Workload
    payload: Callable[[np.random.Generator], dict[str, Any]]
    lie: Callable[[dict[str, Any]], dict[str, Any]]


def other_product(output):
    product = np.frombuffer(base64.b64decode(output["c"]), dtype="<i4").copy()
    product[0] += 1
    return {"c": base64.b64encode(product.tobytes()).decode()}


CASES = {
    matmul.KIND: Case(WORKLOADS[matmul.KIND], lambda rng: matmul.make(rng, 12), other_product),
    embeddings.KIND: Case(
        WORKLOADS[embeddings.KIND],
        lambda rng: {"sentences": [f"The {rng.integers(999)} boats are late.", "Why?"]},
        lambda output: {"vectors": output["vectors"][::-1]},
    ),
    language.KIND: Case(
        language.Language(said),
        lambda rng: make_canary(rng)[0],
        lambda output: output | {"text": "I would rather talk about " + output["text"]},
    ),
}
