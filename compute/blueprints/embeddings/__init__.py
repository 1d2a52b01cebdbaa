"""Sentence vectors: the price grows with the length of the texts.

Making a canary runs the model, so the process that plants canaries holds about 200 MB for it.
"""

from typing import Any

import numpy as np

from compute.blueprints.embeddings.sentences import sentence
from compute.errors import OutputInvalid, PayloadInvalid
from neurons.workloads import embeddings

KIND = embeddings.KIND
CANARY_SENTENCES_MAX = 4
CHARACTERS_PER_UNIT = (
    4  # English has about four characters to a token; the server does not tokenise.
)
UNITS_PER_SENTENCE = 2  # The two tokens that frame each sentence.
PRICE_PER_UNIT_RAO = 2_000  # A sentence of 60 characters costs 34 000 rao.


def check_payload(payload: object) -> dict[str, Any]:
    """Return the payload when it is well formed. Raises: PayloadInvalid(problem)."""
    problem = embeddings.payload_problem(payload)
    if problem is not None:
        raise PayloadInvalid(problem=problem)
    assert isinstance(payload, dict)
    return payload


def check_output(payload: dict[str, Any], output: object) -> dict[str, Any]:
    """Return the output when its form fits; whether it is right is the validators' matter.

    Raises: OutputInvalid(problem).
    """
    problem = embeddings.output_problem(payload, output)
    if problem is not None:
        raise OutputInvalid(problem=problem)
    assert isinstance(output, dict)
    return output


def make_canary(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compose one to four new sentences and embed them."""
    count = int(rng.integers(1, CANARY_SENTENCES_MAX + 1))
    payload = {"sentences": [sentence(rng) for _ in range(count)]}
    return payload, embeddings.run(payload)


def work_units(payload: dict[str, Any]) -> int:
    """Estimate the tokens: each four characters begun, and two for each sentence."""
    return sum(
        UNITS_PER_SENTENCE + -(-len(text) // CHARACTERS_PER_UNIT) for text in payload["sentences"]
    )


def price_rao(payload: dict[str, Any]) -> int:
    """Name the price: a fixed rate for each unit of work."""
    return work_units(payload) * PRICE_PER_UNIT_RAO


def agrees(payload: dict[str, Any], one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Say whether two outputs stand for the same answer: vectors are as close as a check asks for."""
    ppm, _ = embeddings.check(
        payload=payload, output=one, known_answer=other, rng=np.random.default_rng(0)
    )
    return ppm == embeddings.RIGHT_PPM
