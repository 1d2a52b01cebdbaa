"""What decides about orders: read in one journey, by statements that PostgreSQL plans once a connection."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from compute.models import Job
from ledger import prepared
from ledger.rows import named, row_of

QUEUES = """
SELECT subnet.netuid, subnet.blueprint, count(job.id), count(job.id) FILTER (WHERE job.owner = %(owner)s::uuid)
FROM subnets_subnet AS subnet
LEFT JOIN compute_job AS job ON job.netuid = subnet.netuid AND job.state = 'queued'
WHERE subnet.netuid = ANY(%(netuids)s::int[])
GROUP BY subnet.netuid
"""


@dataclass(frozen=True, slots=True)
class Queue:
    """How many jobs of a subnet wait for a machine, and how many of them are the asking owner's."""

    blueprint: str
    count: int
    own_count: int


def queues_and_orders(
    netuids: Collection[int], *, owner: UUID, keys: Collection[str]
) -> tuple[dict[int, Queue], dict[str, Job]]:
    """Return netuid → queue of the subnets that are there, and key → job of what was ordered before."""
    given = {"owner": owner, "netuids": prepared.numbers(netuids)}
    queues = prepared.send(QUEUES, given)
    orders = prepared.send(_by_keys(), {"keys": prepared.texts(keys)})
    found = {netuid: Queue(*rest) for netuid, *rest in queues.rows()}
    jobs = [row_of(Job, row) for row in orders.rows()]
    return found, {job.key: job for job in jobs}


@cache
def _by_keys() -> str:
    return (
        f"SELECT {named(Job, 'job')} FROM compute_job AS job WHERE job.key = ANY(%(keys)s::text[])"  # noqa: S608  names of columns
    )
