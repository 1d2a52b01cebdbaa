"""The kinds of work a miner can do and a validator can check. Each module knows one kind.

A workload is deterministic enough to be checked by a stranger: matmul to the bit, embeddings to a cosine, language
by how far a text goes along. `check` is total over outputs: whatever a miner sends, it answers a score and a reason.
A new kind is one module here, one folder of compute/blueprints and one line in each; tests/neurons/kit.py tries it.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from neurons.workloads import embeddings, language, matmul


class Workload(Protocol):
    """What each kind of work offers."""

    @property
    def KIND(self) -> str:  # noqa: N802 - a module's constant or a class's field
        """Name the kind, as blueprints are named."""

    def run(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Do the work. Raises: ValueError when the payload is malformed."""

    def check(
        self,
        *,
        payload: dict[str, Any],
        output: object,
        known_answer: dict[str, Any] | None,
        rng: np.random.Generator,
    ) -> tuple[int, str]:
        """Score an output: (score_ppm 0 to 1 000 000, reason of at most 200 characters)."""


KINDS = (matmul.KIND, embeddings.KIND, language.KIND)


def workloads(*, model: language.Language | None) -> Mapping[str, Workload]:
    """List what this program can do: everything, but language only with a model to ask."""
    found: dict[str, Workload] = {matmul.KIND: matmul, embeddings.KIND: embeddings}
    if model is not None:
        found[language.KIND] = model
    return found


WORKLOADS: Mapping[str, Workload] = workloads(model=None)
