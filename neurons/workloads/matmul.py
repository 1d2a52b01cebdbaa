"""Multiply two int8 matrices exactly; check a product with Freivalds' test instead of redoing it.

payload  {"n": 1..256, "a": base64 of n*n int8, row-major, "b": likewise}
output   {"c": base64 of n*n int32, little-endian, row-major}, C = A B

The check compares A (B r) with C r for random vectors r: O(n²) for what cost O(n³).
Source: R. Freivalds, Probabilistic machines can use less running time, IFIP 1977.
"""

import base64
import binascii
from typing import Any

import numpy as np
from numpy.typing import NDArray

KIND = "matmul"
N_MAX = 256  # Factors of 64 KiB, a product of 256 KiB: a job fits in one small message.
ROUNDS = 3
# A wrong product passes one round with probability <= 1 / CHALLENGE_RANGE (Schwartz-Zippel over the
# integers), so 2**-69 in all. With n <= 256 and |c| < 2**31 every sum stays below 2**62: int64 is exact.
# No modulus: it would bound a round by 1 / p as well, and let an element that is off by p pass always.
CHALLENGE_RANGE = 2**23
RIGHT_PPM = 1_000_000


def payload_problem(payload: object) -> str | None:
    """Say what is wrong with a payload, or None. Reads no numbers: cheap enough for any request."""
    if not isinstance(payload, dict) or set(payload) != {"n", "a", "b"}:
        return "A matmul payload has exactly the fields n, a and b."
    n = payload["n"]
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= N_MAX:
        return f"n must be a whole number from 1 to {N_MAX}."
    for name in ("a", "b"):
        if _decoded(payload[name], n * n) is None:
            return f"{name} must be the base64 text of {n * n} bytes (n*n int8, row by row)."
    return None


def output_problem(payload: dict[str, Any], output: object) -> str | None:
    """Say what is wrong with the form of an output, or None. `payload` must be a right one."""
    if not isinstance(output, dict) or set(output) != {"c"}:
        return "A matmul output has exactly the field c."
    size_bytes = payload["n"] ** 2 * 4
    if _decoded(output["c"], size_bytes) is None:
        return f"c must be the base64 text of {size_bytes} bytes (n*n int32, little-endian)."
    return None


def _decoded(text: object, size_bytes: int) -> bytes | None:
    """Decode base64 of exactly `size_bytes`; None for anything else."""
    # The length is compared first, so that oversized text is never decoded.
    if not isinstance(text, str) or len(text) != 4 * ((size_bytes + 2) // 3):
        return None
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == size_bytes else None


def _factors(payload: dict[str, Any]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    problem = payload_problem(payload)
    if problem is not None:
        raise ValueError(problem)
    n = payload["n"]
    a, b = (
        np.frombuffer(base64.b64decode(payload[name]), dtype=np.int8).reshape(n, n)
        for name in ("a", "b")
    )
    return a, b


def make(rng: np.random.Generator, n: int) -> dict[str, Any]:
    """Draw two uniformly random n by n matrices and write them as a payload."""
    a, b = (rng.integers(-128, 128, size=(n, n), dtype=np.int8) for _ in range(2))
    return {
        "n": n,
        "a": base64.b64encode(a.tobytes()).decode(),
        "b": base64.b64encode(b.tobytes()).decode(),
    }


def run(payload: dict[str, Any]) -> dict[str, Any]:
    """Multiply; the answer is exact and the same on every machine. Raises: ValueError."""
    a, b = _factors(payload)
    # float32 is exact here and uses the fast BLAS kernels: every partial sum is an integer of at most
    # n * 2**14 <= 2**22, below the 2**24 from which float32 skips integers.
    assert len(a) <= N_MAX
    product = (a.astype(np.float32) @ b.astype(np.float32)).astype("<i4")
    return {"c": base64.b64encode(product.tobytes()).decode()}


def check(
    *,
    payload: dict[str, Any],
    output: object,
    known_answer: dict[str, Any] | None,
    rng: np.random.Generator,
) -> tuple[int, str]:
    """Score a product: all or nothing. A known answer is compared, otherwise Freivalds decides.

    rng: draws the challenge, which must be unknown to the miner until its product is fixed.
    Raises: ValueError when the payload, not the output, is malformed.
    """
    a, b = _factors(payload)
    problem = output_problem(payload, output)
    if problem is not None:
        return 0, problem
    assert isinstance(output, dict)
    raw = base64.b64decode(output["c"])
    if known_answer is not None:
        right = raw == base64.b64decode(known_answer["c"])
        return (
            (RIGHT_PPM, "equals the known answer")
            if right
            else (0, "differs from the known answer")
        )
    if freivalds(a, b, np.frombuffer(raw, dtype="<i4").reshape(a.shape), rng):
        return RIGHT_PPM, f"product holds in {ROUNDS} Freivalds rounds"
    return 0, "the product is wrong (Freivalds)"


def freivalds(
    a: NDArray[np.int8],
    b: NDArray[np.int8],
    c: NDArray[np.int32],
    rng: np.random.Generator,
    *,
    challenge_range: int = CHALLENGE_RANGE,
    rounds: int = ROUNDS,
) -> bool:
    """Tell whether C = A B, wrongly saying yes with probability at most challenge_range**-rounds."""
    assert challenge_range <= CHALLENGE_RANGE, "beyond it, sums may not fit"
    challenge = rng.integers(0, challenge_range, size=(len(a), rounds), dtype=np.int64)
    expected = a.astype(np.int64) @ (b.astype(np.int64) @ challenge)
    return bool(np.array_equal(expected, c.astype(np.int64) @ challenge))
