"""Leases with their jobs, locked by statements that PostgreSQL plans once a connection."""

from collections.abc import Collection
from datetime import datetime
from functools import cache
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS

from compute.blueprints import TUNNELED
from compute.models import Job, Lease, Result
from ledger import prepared
from ledger.rows import columns_of, named, row_of

# Nobody who works on a job may read its answer.
UNREAD = ("known_answer",)


def lock_next_leases(
    *,
    machine_id: UUID,
    hotkey: str,
    limit: int,
    holding: Collection[UUID] | None,
    now: datetime,
) -> list[Lease]:
    """Lock a machine's next open leases with their jobs: those it was offered, before those whose answer may have got lost.

    holding: the taken ones it has; None where it does not say: one that works on several at once may well be at them.
    What travels through tunnels is no lease to a machine. Passed over: what another request of it is just taking.
    """
    given = {
        "machine": machine_id,
        "hotkey": hotkey,
        "now": now,
        "tunneled": prepared.texts(TUNNELED),
        "holding": None if holding is None else prepared.texts(holding),
        "limit": limit,
    }
    return [_lease(row) for row in prepared.rows(_next(), given)]


def lock_leases_with_jobs(lease_ids: Collection[UUID]) -> dict[UUID, tuple[Lease, Result | None]]:
    """Lock leases, then their jobs, each in the order of ids; return lease id → lease and what came back on it before.

    The lease's and the job's rows are as they were committed last, however long a lock was waited for. Of a result its
    id and its digest are read.
    """
    rows = prepared.rows(_with_jobs(), {"leases": prepared.texts(lease_ids)})
    held = {lease.pk: lease for lease in map(_lease, rows)}
    results = {row[0]: _result(row[-2:]) for row in rows}
    # A result that was committed while its lease was waited for is seen by the next statement only.
    unseen = [
        pk
        for pk, lease in held.items()
        if lease.state == Lease.State.RETURNED and results[pk] is None
    ]
    if unseen:
        results |= {each.lease_id: each for each in Result.objects.filter(lease__in=unseen)}
    return {pk: (lease, results[pk]) for pk, lease in held.items()}


def _lease(row: tuple[object, ...]) -> Lease:
    """Read a lease and its job, without what validators know of its answer."""
    lease_count, job_count = len(columns_of(Lease)), len(columns_of(Job, UNREAD))
    lease = row_of(Lease, row[:lease_count])
    lease.job = row_of(Job, row[lease_count : lease_count + job_count], UNREAD)
    return lease


def _result(row: tuple[object, ...]) -> Result | None:
    return (
        None if row[0] is None else Result.from_db(DEFAULT_DB_ALIAS, ["id", "output_digest"], row)
    )


# The states are written out, so that the plan may use the index over open leases.
@cache
def _next() -> str:
    return f"""
SELECT {named(Lease, "lease")}, {named(Job, "job", UNREAD)}
FROM compute_lease AS lease
JOIN compute_job AS job ON job.id = lease.job_id
JOIN compute_machine AS machine ON machine.id = lease.machine_id
WHERE lease.state IN ('offered', 'taken')
  AND (lease.state = 'offered'
       OR CASE WHEN %(holding)s::uuid[] IS NULL THEN machine.concurrency = 1
               ELSE lease.id <> ALL(%(holding)s::uuid[]) END)
  AND lease.machine_id = %(machine)s::uuid AND lease.hotkey = %(hotkey)s::text
  AND lease.deadline_at > %(now)s::timestamptz AND job.blueprint <> ALL(%(tunneled)s::text[])
ORDER BY lease.state, lease.offered_at, lease.id
LIMIT %(limit)s::int
FOR NO KEY UPDATE OF lease SKIP LOCKED
"""  # noqa: S608  names of columns, out of the models


# The ids of jobs stand in an array that is made when all leases are locked; joined instead, PostgreSQL drops rows that
# changed while it waited for their lock.
@cache
def _with_jobs() -> str:
    return f"""
WITH lease AS MATERIALIZED (
    SELECT {named(Lease, "lease")} FROM compute_lease AS lease
    WHERE lease.id = ANY(%(leases)s::uuid[])
    ORDER BY lease.id
    FOR NO KEY UPDATE
), job AS MATERIALIZED (
    SELECT {named(Job, "job", UNREAD)} FROM compute_job AS job
    WHERE job.id = ANY(ARRAY(SELECT lease.job_id FROM lease))
    ORDER BY job.id
    FOR NO KEY UPDATE
)
SELECT {named(Lease, "lease")}, {named(Job, "job", UNREAD)}, result.id, result.output_digest
FROM lease
JOIN job ON job.id = lease.job_id
LEFT JOIN compute_result AS result ON result.lease_id = lease.id
"""  # noqa: S608  names of columns, out of the models
