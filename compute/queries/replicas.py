"""Replicas: a miner's record, and the answers to be compared."""

from collections import Counter
from collections.abc import Collection
from itertools import takewhile
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q

from compute.models import Job, Lease, Repeat, Result
from compute.replication import PPM, REPLICA_LEAST_PPM, Answer

# A longer record changes nothing: from here on the least share is replicated.
RIGHT_COUNT_MAX = PPM // REPLICA_LEAST_PPM

RIGHT_IN_A_ROW = """
SELECT hotkey, blueprint, count(*)
FROM unnest(%s::text[], %s::text[]) AS wanted (hotkey, blueprint)
CROSS JOIN LATERAL (
    SELECT bool_and(is_right) OVER (ORDER BY compared_at DESC ROWS UNBOUNDED PRECEDING) AS so_far
    FROM compute_comparison AS comparison
    WHERE comparison.hotkey = wanted.hotkey AND comparison.blueprint = wanted.blueprint
    ORDER BY compared_at DESC LIMIT %s
) AS lately
WHERE so_far
GROUP BY hotkey, blueprint
"""


class Said(NamedTuple):
    """Which result an answer is, and by whom."""

    result_id: UUID
    hotkey: str


def right_counts(wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return (hotkey, blueprint) → how many comparisons in a row found it right at that work. One statement."""
    counts = dict.fromkeys(wanted, 0)
    with connection.cursor() as cursor:
        cursor.execute(
            RIGHT_IN_A_ROW,
            [[hotkey for hotkey, _ in wanted], [kind for _, kind in wanted], RIGHT_COUNT_MAX],
        )
        counts |= {(hotkey, kind): count for hotkey, kind, count in cursor.fetchall()}
    return counts


def right_chats_count(hotkey: str) -> int:
    """Return how many comparisons of chats in a row found a miner right."""
    lately = Repeat.objects.filter(hotkey=hotkey, is_right__isnull=False).order_by("-compared_at")
    found = lately.values_list("is_right", flat=True)[:RIGHT_COUNT_MAX]
    return sum(1 for _ in takewhile(bool, found))


def waiting_replicas_counts(netuids: Collection[int]) -> Counter[int]:
    """Return netuid → how many replicas of its jobs wait for a machine."""
    waiting = Job.objects.filter(netuid__in=netuids, state=Job.State.QUEUED)
    replicas = waiting.filter(origin=Job.Origin.REPLICA).values_list("netuid")
    return Counter(dict(replicas.annotate(count=Count("pk")).order_by("netuid")))


def lock_originals(job_ids: Collection[UUID]) -> list[Job]:
    """Lock jobs that are repeated, in the order of their ids."""
    rows = Job.objects.select_for_update(of=("self",)).filter(pk__in=job_ids)
    return list(rows.order_by("pk"))


def answers_to(jobs: Collection[Job]) -> dict[UUID, list[Answer[Said, dict[str, Any]]]]:
    """Return job → what was accepted of it and its replicas, oldest first: of each its last result. One statement."""
    ids = [job.pk for job in jobs]
    rows = Result.objects.filter(Q(job__in=ids) | Q(job__replicates__in=ids))
    accepted = rows.filter(job__state=Job.State.VERIFIED).select_related("job", "lease__machine")
    ordered = accepted.defer("job__payload", "job__known_answer").order_by("submitted_at", "pk")
    found: dict[UUID, list[Answer[Said, dict[str, Any]]]] = {pk: [] for pk in ids}
    for row in {row.job_id: row for row in ordered}.values():
        said = Said(row.pk, row.hotkey)
        answer = Answer(by=said, owner=row.lease.machine.owner, output=row.output)
        found[row.job.replicates_id or row.job_id].append(answer)
    return found


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
