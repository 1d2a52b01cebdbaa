"""What stays sealed: the scores of windows whose epoch has not closed, and what they give away."""

from datetime import datetime, timedelta

from django.db.models import Case, DateTimeField, Exists, F, OuterRef, QuerySet, Value, When

from compute.models import Job, Lease, Result, Score
from subnets import queries as subnets
from subnets.models import Subnet

# A validator that was checking while the others decided still gets its score in; whoever waits for the
# verdict, which pages, wallets and the next attempt of the job tell sooner or later, comes too late.
SCORES_STILL_TAKEN = timedelta(seconds=10)


def sealed_from(netuids: list[int] | None = None) -> dict[int, datetime]:
    """Return netuid → the instant from which on scores are sealed: the end of the last closed window.

    It is not the moment at which that epoch was closed: what came in between belongs to the next one.
    None asks for every subnet. Two statements.
    """
    net = subnets.network()
    rows = Subnet.objects.order_by("netuid")
    if netuids is not None:
        rows = rows.filter(pk__in=netuids)
    return {
        row.netuid: subnets.window_starts_at(row, net)
        for row in rows.only("netuid", "last_epoch_block", "window_starts_at")
    }


def unsealed(scores: QuerySet[Score]) -> QuerySet[Score]:
    """Keep the scores that anybody may read: those of closed epochs."""
    opened_at = _opening()
    if opened_at is None:
        return scores.none()
    return scores.annotate(sealed_from=opened_at).filter(scored_at__lt=F("sealed_from"))


def with_seals(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """Say of each job whether a result of it was scored in a running epoch: `is_sealed`."""
    return jobs.annotate(is_sealed=Exists(_sealed_results().filter(job=OuterRef("pk"))))


def telling_no_verdict(leases: QuerySet[Lease]) -> QuerySet[Lease]:
    """Leave out leases that followed on a result whose scores are sealed: another try says it was refused."""
    before = _sealed_results().filter(job=OuterRef("job"), submitted_at__lt=OuterRef("offered_at"))
    return leases.filter(~Exists(before))


def _sealed_results() -> QuerySet[Result]:
    opened_at = _opening()
    if opened_at is None:
        return Result.objects.none()
    return Result.objects.annotate(sealed_from=opened_at).filter(
        scores__scored_at__gte=F("sealed_from")
    )


def _opening() -> Case | None:
    """Return when the running window of a row's subnet began, as the database computes it; None without subnets."""
    windows = [When(netuid=n, then=Value(at)) for n, at in sealed_from().items()]
    return Case(*windows, output_field=DateTimeField()) if windows else None
