"""The kinds of work a miner can do and a validator can check. Each module knows one kind.

A workload is deterministic enough to be checked by a stranger: matmul to the bit, embeddings to a cosine.
`check` is total: whatever a miner sends, it answers a score and a reason and never raises.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from neurons.workloads import embeddings, matmul


class Workload(Protocol):
    """What each workload module offers."""

    KIND: str

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


WORKLOADS: Mapping[str, Workload] = {matmul.KIND: matmul, embeddings.KIND: embeddings}
