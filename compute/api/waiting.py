"""Waiting for work over REST: each poll that waits holds a thread of its web process, so only so many may."""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from compute import operations
from compute.models import Lease
from compute.operations.dispatch import await_nudge

# Who could not wait asks again within a lease of the demo's (20 s), so that what it is offered is fetched in time;
# a thousand of them are seventy short requests a second.
ASK_AGAIN_S = 15

# The rest of a process's threads answer people and results, however many machines are idle.
_places = threading.BoundedSemaphore(settings.LEASE_WAITS_MAX)


@dataclass(frozen=True, slots=True)
class Awaited:
    """Leases or none. ask_again_s: when there was no place to wait, when to ask again; 0: at once."""

    leases: Sequence[Lease]
    ask_again_s: int = 0


def awaited_leases(
    machine_id: UUID, *, hotkey: str, limit: int, holding: Collection[UUID] | None, wait_s: int
) -> Awaited:
    """Return open leases, at once or after a nudge; holding as `take_leases`. No transaction is open during the wait."""

    def taken() -> Sequence[Lease]:
        return operations.take_leases(
            machine_id=machine_id, hotkey=hotkey, limit=limit, holding=holding, now=timezone.now()
        )

    leases = taken()
    if leases or wait_s == 0:
        return Awaited(leases)
    if not _places.acquire(blocking=False):
        return Awaited((), ask_again_s=ASK_AGAIN_S)
    try:
        await_nudge(machine_id, wait_s=wait_s)
    finally:
        _places.release()
    return Awaited(taken())
