"""The heads of validators' chains of scores: of a running epoch for everybody, of a window for its bundle."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, OuterRef, Q, Subquery, Sum

from compute.models import ScoreCommitment
from compute.queries.sealing import sealed_from
from ledger.rows import read
from subnets.commitments import Commitment

IN_WINDOW = """
WHERE netuid = %(netuid)s::int
  AND committed_at >= %(starts_at)s::timestamptz AND committed_at < %(ends_at)s::timestamptz
ORDER BY validator, total_count
"""


def last_commitments(validator: str, netuids: Iterable[int]) -> dict[int, ScoreCommitment]:
    """Return netuid → where a validator's chain stands, in one statement."""
    rows = (
        ScoreCommitment.objects.filter(validator=validator, netuid__in=list(netuids))
        .order_by("netuid", "-total_count")
        .distinct("netuid")
    )
    return {row.netuid: row for row in rows}


def window_commitments(
    netuid: int, *, starts_at: datetime, ends_at: datetime
) -> dict[str, Commitment]:
    """Return validator → what its chain did in [starts_at, ends_at), in one statement."""
    found: dict[str, Commitment] = {}
    for row in read(
        ScoreCommitment, IN_WINDOW, netuid=netuid, starts_at=starts_at, ends_at=ends_at
    ):
        known = found.get(row.validator)
        found[row.validator] = Commitment(
            before=known.before if known else row.before,
            before_count=known.before_count if known else row.total_count - row.count,
            count=row.count + (known.count if known else 0),
            after=row.digest,
        )
    return found


@dataclass(frozen=True, slots=True)
class CommitmentLine:
    """count: scores since the running epoch began; total_count: of the chain ever."""

    validator: str
    count: int
    total_count: int
    digest: str
    committed_at: datetime


def open_commitments(netuid: int) -> list[CommitmentLine]:
    """List what validators are committed to while their scores are sealed, by validator. One statement of rows."""
    sealed = ScoreCommitment.objects.filter(
        netuid=netuid, committed_at__gte=sealed_from([netuid])[netuid]
    )
    first = sealed.filter(validator=OuterRef("validator")).order_by("total_count")
    rows = (
        sealed.annotate(earlier=Subquery(first.values(n=F("total_count") - F("count"))[:1]))
        .order_by("validator", "-total_count")
        .distinct("validator")
    )
    return [
        CommitmentLine(
            validator=row.validator,
            count=row.total_count - row.earlier,
            total_count=row.total_count,
            digest=row.digest,
            committed_at=row.committed_at,
        )
        for row in rows
    ]


def sealed_counts(netuids: Iterable[int]) -> dict[int, int]:
    """Return netuid → how many scores wait for their epoch to close; a subnet without any is left out."""
    windows = Q()
    for netuid, since in sealed_from(list(netuids)).items():
        windows |= Q(netuid=netuid, committed_at__gte=since)
    rows = ScoreCommitment.objects.filter(windows) if windows else ScoreCommitment.objects.none()
    counted = rows.values("netuid").order_by("netuid").annotate(scores=Sum("count"))
    return {row["netuid"]: row["scores"] for row in counted}
