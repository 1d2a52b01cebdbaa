"""Replicas: a miner's record, and the answers to be compared."""

from itertools import takewhile
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q

from compute.models import Comparison, Job, Lease, Result
from compute.replication import PPM, REPLICA_LEAST_PPM, Answer

# A longer record changes nothing: from here on the least share is replicated.
RIGHT_COUNT_MAX = PPM // REPLICA_LEAST_PPM


class Said(NamedTuple):
    """Which result an answer is, and by whom."""

    result_id: UUID
    hotkey: str


def right_count(hotkey: str, *, blueprint: str) -> int:
    """Return how many comparisons in a row found a hotkey right in a kind of work. One statement."""
    rows = Comparison.objects.filter(hotkey=hotkey, blueprint=blueprint).order_by("-compared_at")
    lately = rows.values_list("is_right", flat=True)[:RIGHT_COUNT_MAX]
    return sum(takewhile(bool, lately))


def waiting_replicas_count(netuid: int) -> int:
    """Return how many replicas of a subnet's jobs wait for a machine."""
    waiting = Job.objects.filter(netuid=netuid, state=Job.State.QUEUED)
    return waiting.filter(origin=Job.Origin.REPLICA).count()


def answers_to(job: Job) -> list[Answer[Said, dict[str, Any]]]:
    """Return what was accepted of a job and its replicas, oldest first: of each its last result. One statement."""
    rows = Result.objects.filter(job__in=[job.pk, *job.replicas.values_list("pk", flat=True)])
    accepted = rows.filter(job__state=Job.State.VERIFIED).select_related("lease__machine")
    last = {row.job_id: row for row in accepted.order_by("submitted_at", "pk")}
    return [
        Answer(by=Said(row.pk, row.hotkey), owner=row.lease.machine.owner, output=row.output)
        for row in last.values()
    ]


def owners_before(replicas: list[Job]) -> dict[UUID, set[UUID]]:
    """Return replica → owners that may not do it: whoever ordered what it repeats, and whoever did it or a sibling."""
    of = {row.pk: row.replicates_id for row in replicas if row.replicates_id is not None}
    barred: dict[UUID, set[UUID]] = {}
    for pk, ordered_by in Job.objects.filter(pk__in=of.values()).values_list("pk", "owner"):
        assert ordered_by is not None, "only orders are repeated"
        barred[pk] = {ordered_by}
    had = Lease.objects.filter(Q(job__in=of.values()) | Q(job__replicates__in=of.values()))
    for pk, original, owner in had.values_list("job", "job__replicates", "machine__owner"):
        barred[original or pk].add(owner)
    return {pk: barred[original] for pk, original in of.items()}
