"""What a check costs beside doing the work: each kind, by the road that a validator takes."""

from collections.abc import Iterator

import numpy as np

from bench.figures import Figure, best_s
from neurons.workloads import embeddings, matmul

SIZES = (64, 128, 256)
SENTENCES = 8
RUNS = 20


def measure() -> Iterator[Figure]:
    """Yield milliseconds a check, beside those of the work."""
    yield from products()
    yield from vectors()


def products() -> Iterator[Figure]:
    """Freivalds' check and the product itself, both without the message around; then with it, as a validator does."""
    rng = np.random.default_rng(1)
    for n in SIZES:
        a, b = (rng.integers(-128, 128, size=(n, n), dtype=np.int8) for _ in range(2))
        c = product(a, b)
        check_s = best_s(lambda a=a, b=b, c=c: matmul.freivalds(a, b, c, rng), runs=RUNS)
        work_s = best_s(lambda a=a, b=b: product(a, b), runs=RUNS)
        yield Figure(f"Freivalds, n = {n}", check_s * 1e3, "ms", work_s * 1e3, "the product")
        payload = matmul.make(rng, n)
        output = matmul.run(payload)
        yield beside(f"matmul job of n = {n}, checked", matmul, payload, output, None)


def product(a, b):
    """Multiply as miners do: exact in float32, as `matmul.run` says why."""
    return (a.astype(np.float32) @ b.astype(np.float32)).astype(np.int32)


def vectors() -> Iterator[Figure]:
    """Embeddings against a known answer, and done again."""
    payload = {"sentences": [f"Boat {number} is late again today." for number in range(SENTENCES)]}
    output = embeddings.run(payload)
    yield beside("embeddings, by a known answer", embeddings, payload, output, output)
    yield beside("embeddings, done again", embeddings, payload, output, None)


def beside(name: str, workload, payload, output, known_answer) -> Figure:
    """Time a whole check beside the whole work, with what it takes to read and write the messages."""
    rng = np.random.default_rng(2)

    def check() -> None:
        ppm, reason = workload.check(
            payload=payload, output=output, known_answer=known_answer, rng=rng
        )
        assert ppm == 1_000_000, reason

    check_s = best_s(check, runs=RUNS)
    work_s = best_s(lambda: workload.run(payload), runs=RUNS)
    return Figure(name, check_s * 1e3, "ms", work_s * 1e3, "doing it")
