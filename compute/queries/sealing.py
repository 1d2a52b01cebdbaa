"""What stays sealed: the scores of windows whose epoch has not closed, and what they give away."""

from datetime import datetime

from django.db.models import Case, DateTimeField, F, QuerySet, Value, When

from compute.models import Score
from subnets import queries as subnets
from subnets.models import Subnet


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
    windows = [When(netuid=n, then=Value(at)) for n, at in sealed_from().items()]
    if not windows:
        return scores.none()
    opened_at = Case(*windows, output_field=DateTimeField())
    return scores.annotate(sealed_from=opened_at).filter(scored_at__lt=F("sealed_from"))
