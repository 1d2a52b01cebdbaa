"""Language models: the price grows with the length of the conversation and the tokens asked for.

The network runs no model: its canaries come without an answer, and validators find it on models of their own.
"""

from typing import Any

import numpy as np

from compute.blueprints.language.prompts import conversation
from compute.errors import OutputInvalid, PayloadInvalid
from neurons.workloads import language

KIND = language.KIND
CHARACTERS_PER_UNIT = 4  # English has about four characters to a token.
UNITS_PER_MESSAGE = 4  # What a template puts around a message.
PRICE_PER_UNIT_RAO = (
    2_000  # A question of 200 characters with 100 tokens of answer costs 308 000 rao.
)
TOKENS_ASKED = (16, 32, 48, 50, 64, 80, 96, 100, 120, 128, 150, 200, 256, 512)


def check_payload(payload: object) -> dict[str, Any]:
    """Return the payload when it is well formed. Raises: PayloadInvalid(problem)."""
    problem = language.payload_problem(payload)
    if problem is not None:
        raise PayloadInvalid(problem=problem)
    assert isinstance(payload, dict)
    if "model" in payload:
        raise PayloadInvalid(problem="A job names no model: its subnet's first answers it.")
    return payload


def check_output(payload: dict[str, Any], output: object) -> dict[str, Any]:
    """Return the output when its form fits; whether it is right is the validators' matter.

    Raises: OutputInvalid(problem).
    """
    problem = language.output_problem(payload, output)
    if problem is not None:
        raise OutputInvalid(problem=problem)
    assert isinstance(output, dict)
    return output


def make_canary(rng: np.random.Generator) -> tuple[dict[str, Any], None]:
    """Compose a conversation that nobody had before; its answer is found by doing it again."""
    payload = {
        "messages": conversation(rng),
        "max_tokens": int(rng.choice(TOKENS_ASKED)),
        "temperature": 0,
        "seed": int(rng.integers(0, language.SEED_MAX, endpoint=True)),
    }
    return payload, None


def work_units(payload: dict[str, Any]) -> int:
    """Estimate the tokens: of the prompt by its length, of the answer by what was asked for."""
    prompt = sum(
        UNITS_PER_MESSAGE + -(-len(message["content"]) // CHARACTERS_PER_UNIT)
        for message in payload["messages"]
    )
    return int(prompt + payload["max_tokens"])


def price_rao(payload: dict[str, Any]) -> int:
    """Name the price: a fixed rate for each unit of work."""
    return work_units(payload) * PRICE_PER_UNIT_RAO


def agrees(payload: dict[str, Any], one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Say whether two outputs stand for the same answer: texts go along with each other for half of what is checked."""
    del payload  # What was asked does not matter: the texts are held against each other.
    ppm, _ = language.compared(one, other)
    return ppm >= language.ALIKE_PPM
