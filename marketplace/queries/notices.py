"""What people watch, what they were told, and by what ways they want to be told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from ledger.keyset import Window
from marketplace import notices
from marketplace.models import NewsCursor, Notice, NoticePreference, Watch

# A page of notices, and as many as the API gives at once.
NOTICES_MAX = 100
# The bell counts so far and then says "99+": nobody reads the difference, and counting on costs more with every notice.
UNREAD_COUNTED = 100


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """A notice as it is read: its sentence, and where on the site it leads."""

    id: int
    kind: str
    type: str
    sentence: str
    path: str
    netuid: int | None
    auction_id: UUID | None
    data: dict[str, object]
    happened_at: datetime
    read_at: datetime | None


@dataclass(frozen=True, slots=True)
class Choice:
    """By what ways somebody wants a kind of notice besides the site."""

    kind: str
    label: str
    by_email: bool
    by_webhook: bool
    is_always_mailed: bool


def notices_of(person: UUID, *, limit: int, before_id: int | None = None) -> list[NoticeLine]:
    """List somebody's notices, the newest first, in one statement. before_id: the last of the page before."""
    rows = Notice.objects.filter(person=person)
    if before_id is not None:
        rows = rows.filter(pk__lt=before_id)
    return [notice_line(row) for row in rows.order_by("-id")[: min(limit, NOTICES_MAX)]]


def notices_in(person: UUID, *, window: Window, is_unread: bool = False) -> list[NoticeLine]:
    """List a page of somebody's notices, all or the unread, in one statement."""
    rows: QuerySet[Notice] = Notice.objects.filter(person=person)
    if is_unread:
        rows = rows.filter(read_at__isnull=True)
    return [notice_line(row) for row in window.cut(rows)]


def notice_line(row: Notice) -> NoticeLine:
    """Read a notice for a person."""
    known = notices.KINDS.get(row.kind)
    return NoticeLine(
        id=row.pk,
        kind=row.kind,
        type=known.type if known else row.kind,
        sentence=notices.sentence(row.kind, row.data),
        path=notices.path(row.kind, netuid=row.netuid, auction_id=row.auction_id, data=row.data),
        netuid=row.netuid,
        auction_id=row.auction_id,
        data=row.data,
        happened_at=row.happened_at,
        read_at=row.read_at,
    )


def unread_count(person: UUID) -> int:
    """Count what somebody has not read, up to UNREAD_COUNTED, in one statement."""
    unread = Notice.objects.filter(person=person, read_at__isnull=True).order_by()
    return unread[:UNREAD_COUNTED].count()


def choices_of(person: UUID) -> list[Choice]:
    """Return somebody's choice for every kind, chosen or by default, in one statement."""
    chosen = {row.kind: row for row in NoticePreference.objects.filter(person=person)}
    return [
        Choice(
            kind=kind.word,
            label=kind.label,
            by_email=kind.is_always_mailed
            or (chosen[kind.word].by_email if kind.word in chosen else kind.by_email),
            by_webhook=chosen[kind.word].by_webhook if kind.word in chosen else True,
            is_always_mailed=kind.is_always_mailed,
        )
        for kind in notices.KINDS.values()
    ]


def watched_by(person: UUID) -> Sequence[int]:
    """Return the netuids somebody watches, in order."""
    return list(Watch.objects.filter(person=person).values_list("netuid", flat=True))


def is_watching(person: UUID, netuid: int) -> bool:
    """Tell whether somebody watches a subnet."""
    return Watch.objects.filter(person=person, netuid=netuid).exists()


def watcher_count(netuid: int) -> int:
    """Count who watches a subnet."""
    return Watch.objects.filter(netuid=netuid).count()


def lock_cursor(source: str) -> NewsCursor | None:
    """Lock how far a source was read; None when it never was, or when another worker reads it now."""
    rows = NewsCursor.objects.select_for_update(of=("self",), skip_locked=True)
    return rows.filter(pk=source).first()
