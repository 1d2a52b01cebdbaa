"""Telling people: news become notices, and notices letters, each fact once."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from marketplace import notices, queries
from marketplace.models import Delivery, Letter, NewsCursor, Notice, NoticePreference
from marketplace.queries.news import SOURCES

logger = logging.getLogger(__name__)

# A fact's instant is taken before its transaction commits, on another machine's clock. No statement of ours runs for
# longer than a minute; what commits later than this after its instant would be missed.
OVERLAP = timedelta(minutes=2)
# A cursor that lags is only read over again; moving it every second would rewrite its row for nothing.
MOVED_EVERY = timedelta(seconds=30)
# A batch of one sweep, a source. What is left is found by the next: what was told is told apart by its key.
TOLD_AT_ONCE = 500
# The facts stay where they are; that somebody was told of them is of use to nobody for longer, read or not.
KEPT_FOR = timedelta(days=180)
FORGOTTEN_AT_ONCE = 1_000
# Whatever else happens to somebody in this time goes into the same mail.
GATHERED_FOR = timedelta(minutes=1)

# Nobody is told what happened before they had an account.
TELL = """
INSERT INTO marketplace_notice (key, person_id, kind, netuid, auction_id, data, happened_at, created_at)
SELECT news.kind || ':' || news.about || ':' || news.person, news.person, news.kind, news.netuid, news.auction_id,
       jsonb_strip_nulls(jsonb_build_object('name', coalesce(subnet.name, 'subnet ' || news.netuid)) || news.data),
       news.at, %(now)s
FROM ({source}) AS news
JOIN marketplace_user AS person ON person.id = news.person AND person.is_active AND person.joined_at <= news.at
LEFT JOIN subnets_subnet AS subnet ON subnet.netuid = news.netuid
WHERE NOT EXISTS (SELECT FROM marketplace_notice AS told
                  WHERE told.key = news.kind || ':' || news.about || ':' || news.person)
ORDER BY news.at
LIMIT %(limit)s
ON CONFLICT (key) DO NOTHING
RETURNING id
"""

# Mail goes to addresses that were confirmed alone: anybody can type another's.
WRITE_LETTERS = """
INSERT INTO marketplace_letter (notice_id, person_id, state, attempts, next_at, fault)
SELECT notice.id, notice.person_id, 'waiting', 0, %(next_at)s, ''
FROM marketplace_notice AS notice
JOIN marketplace_user AS person ON person.id = notice.person_id
JOIN account_emailaddress AS address
  ON address.user_id = person.id AND address.verified AND lower(address.email) = lower(person.email)
LEFT JOIN marketplace_noticepreference AS chosen
  ON chosen.person_id = notice.person_id AND chosen.kind = notice.kind
WHERE notice.id = ANY(%(ids)s)
  AND (notice.kind = ANY(%(always)s) OR coalesce(chosen.by_email, notice.kind = ANY(%(by_default)s)))
ON CONFLICT (notice_id) DO NOTHING
"""

WRITE_DELIVERIES = """
INSERT INTO marketplace_delivery (id, endpoint_id, notice_id, state, attempts, next_at, created_at, answer, fault)
SELECT gen_random_uuid(), endpoint.id, notice.id, 'waiting', 0, %(now)s, %(now)s, '', ''
FROM marketplace_notice AS notice
JOIN marketplace_webhookendpoint AS endpoint
  ON endpoint.owner_id = notice.person_id AND endpoint.state = 'enabled'
 AND (endpoint.kinds = '{}' OR notice.kind = ANY(endpoint.kinds))
LEFT JOIN marketplace_noticepreference AS chosen
  ON chosen.person_id = notice.person_id AND chosen.kind = notice.kind
WHERE notice.id = ANY(%(ids)s) AND coalesce(chosen.by_webhook, true)
ON CONFLICT (endpoint_id, notice_id) DO NOTHING
"""


@transaction.atomic
def tell_news(*, source: str, now: datetime) -> int:
    """Write the notices that a source's new facts are worth, and the letters that go with them; return how many.

    A worker that dies leaves everything as it was. Another worker at the same source waits for nothing and tells nothing.
    """
    cursor = queries.lock_cursor(source)
    if cursor is None:
        first = NewsCursor(source=source, told_until=now)
        NewsCursor.objects.bulk_create([first], ignore_conflicts=True)
        return 0
    told = _told(source, since=cursor.told_until - OVERLAP, now=now)
    if told:
        _write_letters(told, now=now)
        _write_deliveries(told, now=now)
        logger.info("notices:told source=%s count=%s", source, len(told))
    if len(told) < TOLD_AT_ONCE and now - cursor.told_until >= MOVED_EVERY:
        cursor.told_until = now
        cursor.save(update_fields=["told_until"])
    return len(told)


def read_notices(
    *, person: UUID, now: datetime, ids: Sequence[int] | None = None, until_id: int | None = None
) -> int:
    """Mark notices of somebody as read: those named, or all up to one; return how many were unread. Again, and none are."""
    unread = Notice.objects.filter(person=person, read_at__isnull=True)
    if ids is not None:
        unread = unread.filter(pk__in=ids)
    if until_id is not None:
        unread = unread.filter(pk__lte=until_id)
    return unread.update(read_at=now)


@transaction.atomic
def forget_notices(*, now: datetime) -> int:
    """Delete notices that are older than KEPT_FOR, and the letters and deliveries made of them; return how many.

    A fact so old lies before every cursor, so it is not told anew. The oldest are looked at alone, by their numbers.
    """
    until = now - KEPT_FOR
    tests = Delivery.objects.filter(notice__isnull=True, created_at__lt=until)
    Delivery.objects.filter(
        pk__in=list(tests.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE])
    ).delete()
    oldest = Notice.objects.order_by("id").values_list("id", "created_at")[:FORGOTTEN_AT_ONCE]
    ids = [pk for pk, created_at in oldest if created_at < until]
    Delivery.objects.filter(notice__in=ids).delete()
    Letter.objects.filter(notice__in=ids).delete()
    Notice.objects.filter(pk__in=ids).delete()
    return len(ids)


def choose_ways(*, person: UUID, ways: Mapping[str, tuple[bool, bool]]) -> None:
    """Keep somebody's choice for kinds of notices: (by e-mail, by webhook). Kinds that are not known are left out."""
    chosen = [
        NoticePreference(person_id=person, kind=kind, by_email=by_email, by_webhook=by_webhook)
        for kind, (by_email, by_webhook) in ways.items()
        if kind in notices.KINDS
    ]
    NoticePreference.objects.bulk_create(
        chosen,
        update_conflicts=True,
        unique_fields=["person", "kind"],
        update_fields=["by_email", "by_webhook"],
    )


def _told(source: str, *, since: datetime, now: datetime) -> list[int]:
    # SOURCES are constants of this program; what varies is handed over apart.
    statement = TELL.format(source=SOURCES[source])
    with connection.cursor() as cursor:
        cursor.execute(statement, {"since": since, "now": now, "limit": TOLD_AT_ONCE})
        return [pk for (pk,) in cursor.fetchall()]


def _write_letters(told: Sequence[int], *, now: datetime) -> None:
    """Write letters for new notices. Without a mail server there are none, so that one set up later does not send old news."""
    if not settings.EMAIL_HOST:
        return
    by_default = [kind.word for kind in notices.KINDS.values() if kind.by_email]
    asked: dict[str, Any] = {
        "ids": list(told),
        "by_default": by_default,
        "always": [kind.word for kind in notices.KINDS.values() if kind.is_always_mailed],
        "next_at": now + GATHERED_FOR,
    }
    with connection.cursor() as cursor:
        cursor.execute(WRITE_LETTERS, asked)


def _write_deliveries(told: Sequence[int], *, now: datetime) -> None:
    asked: dict[str, Any] = {"ids": list(told), "now": now}
    with connection.cursor() as cursor:
        cursor.execute(WRITE_DELIVERIES, asked)


def stop_mail(*, person: UUID, kinds: Sequence[str]) -> None:
    """Send somebody no more mail about kinds of notices; other ways stay as they were chosen. Again, and nothing changes."""
    chosen = {choice.kind: choice for choice in queries.choices_of(person)}
    ways = {kind: (False, chosen[kind].by_webhook) for kind in kinds if kind in chosen}
    choose_ways(person=person, ways=ways)
