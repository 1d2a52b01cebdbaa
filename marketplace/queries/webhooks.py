"""Webhooks that go out: endpoints of an owner, their deliveries, and what is due."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from ledger.keyset import Window
from marketplace.errors import DeliveryUnknown, EndpointUnknown
from marketplace.models import Delivery, Letter, WebhookEndpoint

DELIVERIES_SHOWN = 50
# The first halves of advisory locks' names, so that no other use of such locks meets them.
HOOK_CLAIM = 0x484F4F4B
MAIL_CLAIM = 0x4D41494C


def endpoints_of(owner: UUID) -> list[WebhookEndpoint]:
    """List an owner's endpoints, the oldest first."""
    removed = WebhookEndpoint.State.REMOVED
    return list(WebhookEndpoint.objects.filter(owner=owner).exclude(state=removed))


def endpoint(endpoint_id: UUID, *, owner: UUID) -> WebhookEndpoint:
    """Return an owner's endpoint. Raises: EndpointUnknown."""
    found = WebhookEndpoint.objects.filter(pk=endpoint_id, owner=owner)
    row = found.exclude(state=WebhookEndpoint.State.REMOVED).first()
    if row is None:
        raise EndpointUnknown(endpoint_id=endpoint_id)
    return row


def lock_endpoint(endpoint_id: UUID, *, owner: UUID) -> WebhookEndpoint:
    """Lock an owner's endpoint. Raises: EndpointUnknown."""
    found = WebhookEndpoint.objects.select_for_update(of=("self",)).filter(
        pk=endpoint_id, owner=owner
    )
    row = found.exclude(state=WebhookEndpoint.State.REMOVED).first()
    if row is None:
        raise EndpointUnknown(endpoint_id=endpoint_id)
    return row


def endpoint_by_key(key: str) -> WebhookEndpoint | None:
    """Find an endpoint by the key it was made under."""
    return WebhookEndpoint.objects.filter(key=key).first()


def deliveries_of(endpoint_id: UUID) -> list[Delivery]:
    """List an endpoint's newest deliveries with their notices, in one statement."""
    rows = Delivery.objects.filter(endpoint=endpoint_id).select_related("notice")
    return list(rows[:DELIVERIES_SHOWN])


def deliveries_in(endpoint_id: UUID, *, window: Window) -> list[Delivery]:
    """List a page of an endpoint's deliveries with their notices, in one statement."""
    rows = Delivery.objects.filter(endpoint=endpoint_id).select_related("notice")
    return list(window.cut(rows))


def lock_delivery(delivery_id: UUID, *, endpoint_id: UUID) -> Delivery:
    """Lock a delivery of an endpoint. Raises: DeliveryUnknown."""
    rows = Delivery.objects.select_for_update(of=("self",))
    row = rows.filter(pk=delivery_id, endpoint=endpoint_id).first()
    if row is None:
        raise DeliveryUnknown(delivery_id=delivery_id)
    return row


def lock_due_endpoints(*, now: datetime, limit: int) -> list[WebhookEndpoint]:
    """Lock endpoints with something due that no worker has; those that another worker looks at are passed over."""
    due = Delivery.objects.filter(
        endpoint=OuterRef("pk"), state=Delivery.State.WAITING, next_at__lte=now
    )
    free = Q(taken_until__isnull=True) | Q(taken_until__lte=now)
    rows = WebhookEndpoint.objects.select_for_update(of=("self",), skip_locked=True)
    is_on = rows.filter(free, state=WebhookEndpoint.State.ENABLED)
    return list(is_on.filter(Exists(due)).order_by("taken_until")[:limit])


def due_deliveries(endpoint_id: UUID, *, now: datetime, limit: int) -> list[Delivery]:
    """List what is due at an endpoint, the longest overdue first."""
    rows = Delivery.objects.filter(
        endpoint=endpoint_id, state=Delivery.State.WAITING, next_at__lte=now
    )
    return list(rows.select_related("notice").order_by("next_at")[:limit])


def lock_due_letters(*, now: datetime, limit: int) -> list[Letter]:
    """Lock the waiting letters of one person to whom one is due; those of others, and those under way, are passed over.

    Letters that wait for their first attempt go along; one that failed keeps its own time.
    """
    waiting = Letter.objects.filter(state=Letter.State.WAITING)
    first = waiting.filter(next_at__lte=now).order_by("next_at")
    person = first.values_list("person_id", flat=True).first()
    if person is None:
        return []
    rows = waiting.select_for_update(of=("self",), skip_locked=True).filter(person=person)
    ready = rows.filter(Q(next_at__lte=now) | Q(attempts=0))
    return list(ready.select_related("notice", "person").order_by("notice_id")[:limit])


@contextmanager
def claimed(claim: int) -> Iterator[bool]:
    """Claim a kind of talking to others for this process; False when another has it. Waits for nobody.

    One at a time, so that slow strangers hold one worker and leave the rest for settlements. The claim is the
    database session's and ends with it, however the process dies.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, 0)", [claim])
        (is_mine,) = cursor.fetchone()
    try:
        yield is_mine
    finally:
        if is_mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, 0)", [claim])


def waiting_by_hand(endpoint_id: UUID) -> int:
    """Count what waits at an endpoint."""
    return Delivery.objects.filter(endpoint=endpoint_id, state=Delivery.State.WAITING).count()
