"""What was used: sums by day and model for a consumer, rows for page and file."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate

from compute.errors import UsageUnknown
from compute.models import Usage
from compute.queries.jobs import ROWS_MAX
from compute.serving import Outcome
from ledger.keyset import Window

DAYS_SHOWN = 30
USAGES_EXPORTED_MAX = 20_000  # about 4 MB of CSV; who used more asks the API page by page


@dataclass(frozen=True, slots=True)
class UsageSum:
    """What one model came to on one day (UTC)."""

    day: date
    model: str
    requests_count: int
    failed_count: int
    prompt_tokens: int
    completion_tokens: int
    price_rao: int


def usage_sums(owner: UUID, *, now: datetime, days: int = DAYS_SHOWN) -> list[UsageSum]:
    """Sum an owner's requests of the last days by day and model, newest first, in one statement."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = Usage.objects.filter(owner=owner, began_at__gte=today - timedelta(days=days - 1))
    by_day = rows.annotate(day=TruncDate("began_at", tzinfo=UTC)).values("day", "model")
    sums = by_day.annotate(
        requests_count=Count("pk"),
        failed_count=Count("pk", filter=Q(outcome=Outcome.FAILED)),
        prompt_tokens=Sum("prompt_tokens"),
        completion_tokens=Sum("completion_tokens"),
        price_rao=Sum("price_rao"),
    ).order_by("-day", "model")
    return [
        UsageSum(
            day=row["day"],
            model=row["model"],
            requests_count=row["requests_count"],
            failed_count=row["failed_count"],
            prompt_tokens=int(row["prompt_tokens"]),
            completion_tokens=int(row["completion_tokens"]),
            price_rao=int(row["price_rao"]),
        )
        for row in sums
    ]


def latest_usages(owner: UUID, *, limit: int = 50) -> list[Usage]:
    """List an owner's newest requests, each with its report where there is one."""
    rows = (
        Usage.objects.filter(owner=owner)
        .select_related("report__chat__job")
        .order_by("-began_at", "pk")
    )
    return list(rows[: min(limit, ROWS_MAX)])


def usages_of_owner(owner: UUID, *, window: Window) -> list[Usage]:
    """List a page of an owner's requests."""
    return list(window.cut(Usage.objects.filter(owner=owner)))


def usages_to_export(owner: UUID) -> Iterable[Usage]:
    """Return an owner's newest requests for a file, newest first."""
    rows = Usage.objects.filter(owner=owner).order_by("-began_at", "pk")
    return rows[:USAGES_EXPORTED_MAX].iterator(chunk_size=2_000)


def usage_of(usage_id: UUID, owner: UUID) -> Usage:
    """Return one of an owner's requests. Raises: UsageUnknown, also for somebody else's."""
    found = Usage.objects.filter(pk=usage_id, owner=owner).first()
    if found is None:
        raise UsageUnknown(usage_id=usage_id)
    return found
