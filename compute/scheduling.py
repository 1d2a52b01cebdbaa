"""Which machine gets which job: a pure choice over what is known now.

The policy: a machine that can run the blueprint, is registered on the subnet, has a free place and has
not had this job before; among those the least loaded, then the one that waited longest for work. A
newcomer that never worked has waited longest of all, so it is tried at once.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Candidate:
    """A live machine: how many leases it holds open, how many it can, and when it last got one."""

    machine_id: UUID
    hotkey: str
    owner: UUID
    netuids: frozenset[int]
    blueprints: frozenset[str]
    open_count: int
    concurrency: int
    last_offered_at: datetime | None

    @property
    def load(self) -> float:
        """Return the share of its places that are taken."""
        return self.open_count / self.concurrency


@dataclass(frozen=True, slots=True)
class Wish:
    """A queued job: what it needs, and the hotkeys that had it and lost it."""

    job_id: UUID
    netuid: int
    blueprint: str
    owner: UUID | None
    tried: frozenset[str]


@dataclass(frozen=True, slots=True)
class Match:
    job_id: UUID
    machine_id: UUID
    hotkey: str


def match(wishes: Sequence[Wish], candidates: Collection[Candidate]) -> list[Match]:
    """Give each job, in order, the best machine that is left; a job without one stays queued."""
    free = {candidate.machine_id: candidate for candidate in candidates}
    matches = []
    for wish in wishes:
        able = [candidate for candidate in free.values() if _can(candidate, wish)]
        if not able:
            continue
        best = min(able, key=_preference)
        matches.append(Match(wish.job_id, best.machine_id, best.hotkey))
        free[best.machine_id] = replace(best, open_count=best.open_count + 1)
    return matches


def _can(candidate: Candidate, wish: Wish) -> bool:
    return (
        candidate.open_count < candidate.concurrency
        and wish.netuid in candidate.netuids
        and wish.blueprint in candidate.blueprints
        and candidate.hotkey not in wish.tried
        # Nobody is paid for ordering from themselves.
        and candidate.owner != wish.owner
    )


def _preference(candidate: Candidate) -> tuple[float, float, str]:
    waited = candidate.last_offered_at
    return (
        candidate.load,
        waited.timestamp() if waited else float("-inf"),
        str(candidate.machine_id),
    )
