"""How long a machine has for a job: by the job's work units and the hardware that is to do them.

The rates are those of the slowest machine of a class that is worth its place, and three times as long is given:
a deadline tells a dead machine from a slow one, it is no contest. Latency is what rules pay for.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

CPUS_MANY = 8
SLACK = 3
MOST = timedelta(hours=1)  # a job that needs longer is better asked in parts


class Hardware(StrEnum):
    """What a machine computes with, as it reported it."""

    SMALL = "small"
    """Fewer than eight processors and no GPU."""
    CPU = "cpu"
    """Eight processors or more, and no GPU."""
    GPU = "gpu"
    """A GPU at least."""


# Blueprint → hardware → work units a second (compute/blueprints say what a unit is).
UNITS_PER_S: Mapping[str, Mapping[Hardware, int]] = {
    # Thousands of multiplications: a single slow core does ten times as many.
    "matmul": {Hardware.SMALL: 5_000, Hardware.CPU: 20_000, Hardware.GPU: 20_000},
    # Tokens of a model of 22 million parameters.
    "embeddings": {Hardware.SMALL: 100, Hardware.CPU: 400, Hardware.GPU: 2_000},
    # Tokens read and written by a model of some billion parameters.
    "language": {Hardware.SMALL: 4, Hardware.CPU: 10, Hardware.GPU: 40},
}


def hardware(*, cpu_count: int, gpu_count: int) -> Hardware:
    """Return the class of a machine."""
    if gpu_count:
        return Hardware.GPU
    return Hardware.CPU if cpu_count >= CPUS_MANY else Hardware.SMALL


def lease_for(*, blueprint: str, work_units: int, on: Hardware, floor: timedelta) -> timedelta:
    """Return how long a lease lasts: what the work may take, never below the floor, an hour at most."""
    expected = timedelta(seconds=SLACK * work_units / UNITS_PER_S[blueprint][on])
    return max(floor, min(MOST, expected))
