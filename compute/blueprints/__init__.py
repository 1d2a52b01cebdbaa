"""What the market must know of each kind of work: form, price, size, and jobs to measure miners with.

The work itself and its check live in `neurons.workloads`, shared with miners and validators.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from compute.blueprints import embeddings, language, matmul
from compute.errors import BlueprintUnknown

Payload = dict[str, Any]
Output = dict[str, Any]


class Blueprint(Protocol):
    """What each blueprint module offers."""

    KIND: str

    def check_payload(self, payload: object) -> Payload:
        """Return the payload when it is well formed. Raises: PayloadInvalid(problem)."""

    def check_output(self, payload: Payload, output: object) -> Output:
        """Return the output when its form fits the payload. Raises: OutputInvalid(problem)."""

    def make_canary(self, rng: np.random.Generator) -> tuple[Payload, Output | None]:
        """Make a job never seen before, with its answer; None where validators find it by doing it again."""

    def agrees(self, payload: Payload, one: Output, other: Output) -> bool:
        """Say whether two well-formed outputs stand for the same answer."""

    def price_rao(self, payload: Payload) -> int:
        """Name the price of a well-formed payload, in rao."""

    def work_units(self, payload: Payload) -> int:
        """Measure a well-formed payload, at least 1; comparable within one blueprint only."""


BLUEPRINTS: Mapping[str, Blueprint] = {each.KIND: each for each in (matmul, embeddings, language)}

# Asked through a miner's tunnel as any chat of a consumer, never leased to the miner itself (decision 0039): a
# miner that knew its jobs from its chats could cheat on the chats.
TUNNELED = frozenset({language.KIND})


def blueprint(kind: str) -> Blueprint:
    """Find a blueprint by its kind. Raises: BlueprintUnknown(kind)."""
    found = BLUEPRINTS.get(kind)
    if found is None:
        raise BlueprintUnknown(kind=kind)
    return found
