"""What paid jobs earned the owners of subnets, and how reliably machines returned them.

Verdicts that are sealed count for nothing yet (decision 0019).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from compute import pricing
from compute.queries.sealing import SCORES_STILL_TAKEN, sealed_from

WORK_PERIOD = timedelta(days=7)  # a subnet may have 20 000 leases a week, counted for each reader


SHARES = """
SELECT told.netuid, job.price_rao, count(*)
FROM unnest(%(netuids)s::int[], %(until)s::timestamptz[]) AS told (netuid, until)
JOIN compute_job AS job ON job.netuid = told.netuid AND job.ended_at > %(since)s AND job.ended_at < told.until
WHERE job.state = 'verified' AND job.price_rao > 0
GROUP BY told.netuid, job.price_rao
"""


def job_shares(*, since: datetime, now: datetime) -> dict[int, int]:
    """Return netuid → what owners earned of jobs that ended after an instant, in rao. Three statements."""
    until = told_until(None, now=now)
    given: dict[str, Any] = {"netuids": list(until), "until": list(until.values()), "since": since}
    earned: dict[int, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(SHARES, given)
        for netuid, price_rao, count in cursor.fetchall():
            # Each price is split for itself, as settlement did: shares of a sum would differ by some rao.
            share_rao = pricing.shares(price_rao).owner_rao * count
            earned[netuid] = earned.get(netuid, 0) + share_rao
    return earned


SHARES_BY_WINDOW = """
SELECT width_bucket(ended_at, %(ends)s::timestamptz[]) AS place, price_rao, count(*)
FROM compute_job
WHERE netuid = %(netuid)s AND state = 'verified' AND price_rao > 0
  AND ended_at >= (%(ends)s::timestamptz[])[1] AND ended_at < %(told_until)s
GROUP BY place, price_rao
"""


def job_shares_between(netuid: int, ends: Sequence[datetime], *, now: datetime) -> list[int]:
    """Return what a subnet's owners earned of jobs that ended between each two instants, in rao, oldest first."""
    if len(ends) < 2:
        return []
    earned = [0] * (len(ends) - 1)
    given: dict[str, Any] = {
        "netuid": netuid,
        "ends": list(ends),
        "told_until": told_until([netuid], now=now)[netuid],
    }
    with connection.cursor() as cursor:
        cursor.execute(SHARES_BY_WINDOW, given)
        for place, price_rao, count in cursor.fetchall():
            if place <= len(earned):
                earned[place - 1] += pricing.shares(price_rao).owner_rao * count
    return earned


@dataclass(frozen=True, slots=True)
class WorkFigures:
    """Jobs of a subnet ordered in the last WORK_PERIOD, as they stood when its last closed window ended."""

    open_count: int = 0
    verified_count: int = 0
    failed_count: int = 0
    returned_count: int = 0
    expired_count: int = 0


WORK = """
WITH told AS (SELECT * FROM unnest(%(netuids)s::int[], %(until)s::timestamptz[]) AS told (netuid, until)),
job AS (
    SELECT told.netuid, told.until, job.id, job.state, job.ended_at
    FROM told JOIN compute_job AS job ON job.netuid = told.netuid
         AND job.created_at > %(since)s AND job.created_at < told.until
)
SELECT job.netuid,
       count(*) FILTER (WHERE ended_at IS NULL OR ended_at >= until),
       count(*) FILTER (WHERE state = 'verified' AND ended_at < until),
       count(*) FILTER (WHERE state = 'failed' AND ended_at < until),
       coalesce(sum(lease.returned), 0)::bigint, coalesce(sum(lease.expired), 0)::bigint
FROM job LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE state = 'returned') AS returned, count(*) FILTER (WHERE state = 'expired') AS expired
    FROM compute_lease AS lease WHERE lease.job_id = job.id AND lease.ended_at < job.until
) AS lease ON true
GROUP BY job.netuid
"""


def work_figures(netuids: Sequence[int], *, now: datetime) -> dict[int, WorkFigures]:
    """Return netuid → its work; one without jobs is not in the answer. Three statements."""
    until = told_until(list(netuids), now=now)
    given: dict[str, Any] = {
        "netuids": list(until),
        "until": list(until.values()),
        "since": now - WORK_PERIOD,
    }
    with connection.cursor() as cursor:
        cursor.execute(WORK, given)
        return {netuid: WorkFigures(*counts) for netuid, *counts in cursor.fetchall()}


def told_until(netuids: list[int] | None, *, now: datetime) -> dict[int, datetime]:
    """Return netuid → the instant before which verdicts are no secret any more."""
    return {
        netuid: min(sealed_at, now - SCORES_STILL_TAKEN)
        for netuid, sealed_at in sealed_from(netuids).items()
    }
