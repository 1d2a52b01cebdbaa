"""Scores: who may judge, what waits to be judged, what was said."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef

from compute.errors import NotAValidator
from compute.models import Job, ReportedChat, Result, Score
from compute.queries.jobs import ROWS_MAX
from compute.queries.sealing import unsealed
from neurons.workloads import language
from subnets import queries as subnets
from subnets.models import Hotkey

SAMPLES_MAX = 20  # an embeddings sample carries up to 32 vectors of 384 numbers: about 100 kB


@dataclass(frozen=True, slots=True)
class Sample:
    """A result to be judged. known_answer is None unless the network planted the job.

    report: what its consumer says is wrong with it, where it is a reported answer. pieces: what the digest is of,
    where the miner was asked through a tunnel; elsewhere it is the output's.
    """

    result_id: UUID
    job_id: UUID
    netuid: int
    blueprint: str
    payload: dict[str, Any]
    output: dict[str, Any]
    output_digest: str
    miner: str
    latency_ms: int
    known_answer: dict[str, Any] | None
    pieces: list[str] | None
    report: str | None


def samples(*, validator: str, owner: UUID, netuid: int, limit: int) -> list[Sample]:
    """List results of a subnet that wait for this validator's score, oldest first, none of its own owner.

    Of reported answers none that its owner reported, and none whose conversation was forgotten.

    Raises: SubnetUnknown, NotAValidator.
    """
    subnets.subnet(netuid)
    if validator not in subnets.permitted_validators(netuid):
        raise NotAValidator(
            hotkey=validator, netuid=netuid, least_rao=subnets.least_stake_rao(netuid)
        )
    own = Hotkey.objects.filter(owner=owner).values("ss58")
    scored = Score.objects.filter(result=OuterRef("pk"), validator=validator)
    rows = (
        Result.objects.filter(netuid=netuid, job__state=Job.State.RETURNED)
        .exclude(hotkey__in=own)
        .exclude(Exists(scored))
        .exclude(job__reported_chat__report__owner=owner)
        .exclude(job__origin=Job.Origin.REPORTED, job__reported_chat__body__isnull=True)
        .select_related("job__reported_chat__report")
        .order_by("submitted_at")[: min(limit, SAMPLES_MAX)]
    )
    return [sample(row) for row in rows]


def sample(row: Result) -> Sample:
    """Lay a result before a validator; the words of a reported answer stand beside its job."""
    if row.job.origin == Job.Origin.REPORTED:
        return reported_sample(row, row.job.reported_chat)
    return plain_sample(row)


def reported_sample(row: Result, chat: ReportedChat) -> Sample:
    """Put the words of a reported conversation where a job and its result have theirs."""
    assert chat.body is not None, "what is forgotten is no sample"
    assert chat.pieces is not None, "a conversation is kept whole"
    row.job.payload["messages"], row.pieces = chat.body["messages"], chat.pieces
    row.output["text"], _ = language.spoken(chat.pieces)
    return replace(plain_sample(row), report=chat.report.reason)


def plain_sample(row: Result) -> Sample:
    """Lay a job's result before a validator."""
    return Sample(
        result_id=row.pk,
        job_id=row.job_id,
        netuid=row.netuid,
        blueprint=row.job.blueprint,
        payload=row.job.payload if row.model is None else row.job.payload | {"model": row.model},
        output=row.output,
        output_digest=row.output_digest,
        miner=row.hotkey,
        latency_ms=row.latency_ms,
        known_answer=row.job.known_answer,
        pieces=row.pieces,
        report=None,
    )


def lock_judge(validator: str) -> None:
    """Let one request at a time write scores of a validator. Nobody waits who only refers to the hotkey."""
    Hotkey.objects.select_for_update(no_key=True).filter(ss58=validator).first()


def results_to_score(result_ids: Sequence[UUID]) -> dict[UUID, Result]:
    """Return results with the state of their jobs, without outputs and payloads, in one statement."""
    rows = Result.objects.select_related("job")
    return rows.defer("output", "pieces", "job__payload", "job__known_answer").in_bulk(result_ids)


def superseded(result_ids: Sequence[UUID]) -> set[UUID]:
    """Return those results that were followed by another of their job, in one statement."""
    newer = Result.objects.filter(job=OuterRef("job"), submitted_at__gt=OuterRef("submitted_at"))
    rows = Result.objects.filter(Exists(newer), pk__in=result_ids)
    return set(rows.values_list("pk", flat=True))


def scores_by_result(validator: str, result_ids: Sequence[UUID]) -> dict[UUID, Score]:
    """Return what a validator said of results before."""
    rows = Score.objects.filter(validator=validator, result__in=result_ids)
    return {row.result_id: row for row in rows}


def stakes_by_netuid(netuids: Iterable[int]) -> dict[int, dict[str, int]]:
    """Return netuid → validators that may judge there and their stake."""
    return {netuid: subnets.permitted_validators(netuid) for netuid in netuids}


def owner_by_hotkey(hotkeys: Iterable[str]) -> dict[str, UUID]:
    """Return hotkey → the account that answers for it."""
    return dict(Hotkey.objects.filter(ss58__in=list(hotkeys)).values_list("ss58", "owner"))


@dataclass(frozen=True, slots=True)
class ScoreLine:
    result_id: UUID
    netuid: int
    validator: str
    score_ppm: int
    reason: str
    scored_at: datetime


def scores_of_miner(hotkey: str, *, limit: int = 50) -> list[ScoreLine]:
    """List scores of a miner's results from epochs that have closed, newest first.

    Scores of the running epoch stay sealed: whoever could read them could copy them.
    """
    rows = unsealed(Score.objects.filter(miner=hotkey)).order_by("-scored_at")[
        : min(limit, ROWS_MAX)
    ]
    return [
        ScoreLine(
            result_id=row.result_id,
            netuid=row.netuid,
            validator=row.validator,
            score_ppm=row.score_ppm,
            reason=row.reason,
            scored_at=row.scored_at,
        )
        for row in rows
    ]
