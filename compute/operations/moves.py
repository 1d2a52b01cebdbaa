"""Many jobs, or leases, that changed their state, written in one statement.

The statement is not waited for within `prepared.atomic`; what it refuses is raised at the commit, at the latest.
"""

from collections.abc import Collection

from compute.models import Job, Lease
from ledger import prepared

# What Job.turn_to and its callers change; Django's bulk_update would send a CASE a row and column.
WRITE_JOBS = """
UPDATE compute_job AS job
SET state = moved.state, ended_at = moved.ended_at, queued_at = moved.queued_at, turn_at = moved.turn_at,
    ready_at = moved.ready_at, verify_by_at = moved.verify_by_at, attempts_count = moved.attempts_count,
    failure = moved.failure
FROM unnest(%(ids)s::uuid[], %(states)s::text[], %(ended)s::timestamptz[], %(queued)s::timestamptz[],
            %(turn)s::timestamptz[], %(ready)s::timestamptz[], %(verify_by)s::timestamptz[],
            %(attempts)s::smallint[], %(failures)s::text[])
    AS moved (id, state, ended_at, queued_at, turn_at, ready_at, verify_by_at, attempts_count, failure)
WHERE job.id = moved.id
"""

# What Lease.turn_to and its callers change.
WRITE_LEASES = """
UPDATE compute_lease AS lease
SET state = moved.state, taken_at = moved.taken_at, ended_at = moved.ended_at, fault = moved.fault
FROM unnest(%(ids)s::uuid[], %(states)s::text[], %(taken)s::timestamptz[], %(ended)s::timestamptz[],
            %(faults)s::text[])
    AS moved (id, state, taken_at, ended_at, fault)
WHERE lease.id = moved.id
"""


# Both at once, where a lease and its job end together: each statement costs as much as a row it writes.
WRITE_BOTH = (
    "WITH moved_lease AS ("
    + WRITE_LEASES.replace("%(ids)s", "%(lease_ids)s")
    .replace("%(states)s", "%(lease_states)s")
    .replace("%(ended)s", "%(lease_ended)s")
    + ")"
    + WRITE_JOBS
)


def write_jobs(jobs: Collection[Job]) -> None:
    """Write jobs that are locked and were turned to another state."""
    if jobs:
        prepared.send(WRITE_JOBS, _of_jobs(jobs))


def write_leases(leases: Collection[Lease]) -> None:
    """Write leases that are locked and were turned to another state."""
    if leases:
        prepared.send(WRITE_LEASES, _of_leases(leases))


def write_leases_and_jobs(leases: Collection[Lease], jobs: Collection[Job]) -> None:
    """Write both by one statement."""
    if not leases:
        return
    own = {"ids": "lease_ids", "states": "lease_states", "ended": "lease_ended"}
    of_leases = {own.get(name, name): value for name, value in _of_leases(leases).items()}
    prepared.send(WRITE_BOTH, of_leases | _of_jobs(jobs))


def _of_jobs(jobs: Collection[Job]) -> dict[str, str]:
    return {
        "ids": prepared.texts(job.pk for job in jobs),
        "states": prepared.texts(job.state for job in jobs),
        "ended": prepared.texts(job.ended_at for job in jobs),
        "queued": prepared.texts(job.queued_at for job in jobs),
        "turn": prepared.texts(job.turn_at for job in jobs),
        "ready": prepared.texts(job.ready_at for job in jobs),
        "verify_by": prepared.texts(job.verify_by_at for job in jobs),
        "attempts": prepared.numbers(job.attempts_count for job in jobs),
        "failures": prepared.texts(job.failure for job in jobs),
    }


def _of_leases(leases: Collection[Lease]) -> dict[str, str]:
    return {
        "ids": prepared.texts(lease.pk for lease in leases),
        "states": prepared.texts(lease.state for lease in leases),
        "taken": prepared.texts(lease.taken_at for lease in leases),
        "ended": prepared.texts(lease.ended_at for lease in leases),
        "faults": prepared.texts(lease.fault for lease in leases),
    }
