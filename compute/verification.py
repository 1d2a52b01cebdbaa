"""Whether a result stands: a pure decision over validators' scores and their stake.

A validator says yes by a score of one half or more. The side that holds more than half of the stake of
all validators who may judge decides at once; at the deadline the larger side of those who spoke does.
A result nobody judged in time is neither right nor wrong: the job goes to another machine, and the
miner is not blamed.
"""

from collections.abc import Mapping
from enum import StrEnum

YES_PPM = 500_000
FOUND_WRONG = "every result was found wrong"  # what is said of a job whose last result was rejected


class Verdict(StrEnum):
    """What the scores say of a result."""

    ACCEPTED = "accepted"
    """More stake says right than wrong."""
    REJECTED = "rejected"
    """More stake says wrong than right, or as much."""
    UNJUDGED = "unjudged"
    """The deadline passed and nobody scored it."""
    PENDING = "pending"
    """Not enough has been said, and there is time."""


def verdict(
    *, scores_ppm: Mapping[str, int], stakes_rao: Mapping[str, int], is_due: bool
) -> Verdict:
    """Decide by stake. scores_ppm: validator → 0..1_000_000; stakes_rao: validator → stake, all who may judge."""
    yes = sum(stakes_rao.get(who, 0) for who, ppm in scores_ppm.items() if ppm >= YES_PPM)
    no = sum(stakes_rao.get(who, 0) for who, ppm in scores_ppm.items() if ppm < YES_PPM)
    total = sum(stakes_rao.values())
    if 2 * yes > total:
        return Verdict.ACCEPTED
    if 2 * no >= total > 0:
        return Verdict.REJECTED
    if not is_due:
        return Verdict.PENDING
    if yes == no == 0:
        return Verdict.UNJUDGED
    return Verdict.ACCEPTED if yes > no else Verdict.REJECTED
