"""Exact int8 matrix products: the price grows with n³, the work of the schoolbook product."""

from typing import Any

import numpy as np

from compute.errors import OutputInvalid, PayloadInvalid
from neurons.workloads import matmul

KIND = matmul.KIND
CANARY_SIZES = (48, 64, 96, 128)  # Sizes consumers use, so that size does not betray a canary.
MULTIPLICATIONS_PER_UNIT = 1_000
PRICE_PER_UNIT_RAO = 500  # n = 128 costs 1 048 500 rao, about a thousandth of a TAO.


def check_payload(payload: object) -> dict[str, Any]:
    """Return the payload when it is well formed. Raises: PayloadInvalid(problem)."""
    problem = matmul.payload_problem(payload)
    if problem is not None:
        raise PayloadInvalid(problem=problem)
    assert isinstance(payload, dict)
    return payload


def check_output(payload: dict[str, Any], output: object) -> dict[str, Any]:
    """Return the output when its form fits; whether it is right is the validators' matter.

    Raises: OutputInvalid(problem).
    """
    problem = matmul.output_problem(payload, output)
    if problem is not None:
        raise OutputInvalid(problem=problem)
    assert isinstance(output, dict)
    return output


def make_canary(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw two random matrices and multiply them."""
    payload = matmul.make(rng, int(rng.choice(CANARY_SIZES)))
    return payload, matmul.run(payload)


def work_units(payload: dict[str, Any]) -> int:
    """Count thousands of multiplications of the schoolbook product, at least 1."""
    return max(1, int(payload["n"]) ** 3 // MULTIPLICATIONS_PER_UNIT)


def price_rao(payload: dict[str, Any]) -> int:
    """Name the price: a fixed rate for each unit of work."""
    return work_units(payload) * PRICE_PER_UNIT_RAO


def agrees(payload: dict[str, Any], one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Say whether two outputs stand for the same answer: products are equal."""
    ppm, _ = matmul.check(
        payload=payload, output=one, known_answer=other, rng=np.random.default_rng(0)
    )
    return ppm == matmul.RIGHT_PPM
