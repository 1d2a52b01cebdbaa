"""Returned jobs with all that decides about them, many at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from compute.models import Job, Result, Score
from compute.queries.reports import reporters
from compute.queries.scores import owner_by_hotkey, stakes_by_netuid
from subnets import queries as subnets


@dataclass(frozen=True, slots=True)
class Case:
    """A returned job under its lock, and its newest result with its lease.

    scores_ppm: validator → what it said. stakes_rao: who may judge it → stake: the subnet's validators, less
    the miner's own, and of a reported answer less the reporter's. miner, subnet_owner: who is paid where the result stands.
    """

    job: Job
    result: Result
    scores_ppm: Mapping[str, int]
    stakes_rao: Mapping[str, int]
    miner: UUID
    subnet_owner: UUID


def lock_cases(job_ids: Collection[UUID]) -> list[Case]:
    """Lock those of some jobs that wait for scores, in the order of their ids, without payloads.

    Passed over: what another worker is settling. Four statements, one more with reported answers, and four more a subnet.
    """
    returned = Job.objects.filter(pk__in=list(job_ids), state=Job.State.RETURNED)
    rows = returned.defer("payload", "known_answer").order_by("pk")
    jobs = list(rows.select_for_update(skip_locked=True, of=("self",)))
    results = last_results(jobs)
    netuids = {job.netuid for job in jobs}
    stakes = stakes_by_netuid(netuids)
    owned = {netuid: subnets.subnet(netuid).owner for netuid in netuids}
    hotkeys = {result.hotkey for result in results.values()}
    owners = owner_by_hotkey(hotkeys.union(*stakes.values())) if jobs else {}
    scores = scores_of(results.values())
    reported = [job.pk for job in jobs if job.origin == Job.Origin.REPORTED]
    reported_by = reporters(reported) if reported else {}
    return [
        Case(
            job=job,
            result=(result := results[job.pk]),
            scores_ppm=scores.get(result.pk, {}),
            stakes_rao={
                who: rao
                for who, rao in stakes[job.netuid].items()
                if owners.get(who) not in (owners[result.hotkey], reported_by.get(job.pk))
            },
            miner=owners[result.hotkey],
            subnet_owner=owned[job.netuid],
        )
        for job in jobs
    ]


def last_results(jobs: Collection[Job]) -> dict[UUID, Result]:
    """Return job → the newest of its results, with its lease, without outputs. Each job has to have one."""
    rows = Result.objects.filter(job__in=[job.pk for job in jobs]).select_related("lease")
    newest = rows.defer("output", "pieces", "signature").order_by("job_id", "-submitted_at", "-pk")
    found = {row.job_id: row for row in newest.distinct("job_id")}
    assert len(found) == len(jobs), "a job that was returned has a result"
    return found


def scores_of(results: Collection[Result]) -> dict[UUID, dict[str, int]]:
    """Return result → validator → score, in parts per million. One statement."""
    found: dict[UUID, dict[str, int]] = {}
    rows = Score.objects.filter(result__in=[result.pk for result in results])
    for result_id, validator, score_ppm in rows.values_list("result", "validator", "score_ppm"):
        found.setdefault(result_id, {})[validator] = score_ppm
    return found
