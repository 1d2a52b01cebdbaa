"""Webhooks that go out: endpoints and their secrets, and the deliveries that are made to them."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from django.conf import settings
from django.db import transaction

from ledger.errors import IdempotencyConflict
from ledger.idempotency import stored_key
from marketplace import addresses, egress, notices, queries, vault
from marketplace.errors import EndpointDisabled, TooManyEndpoints, TooManyTests
from marketplace.models import Delivery, User, WebhookEndpoint

# Each is a connection a sweep may hold open; nobody needs more receivers of one account's news.
ENDPOINTS_MAX = 5
# What is asked for by hand joins what waits; a loop gone wrong is stopped here.
WAITING_MAX = 100
SECRET_BYTES = 32  # Standard Webhooks: 24 to 64
# For so long both secrets sign after a rotation, so that a receiver can change over at its own time.
OVERLAP = timedelta(hours=24)
PURPOSE = "webhook secret"


@dataclass(frozen=True, slots=True)
class Registered:
    """An endpoint and its secret, which is shown once."""

    endpoint: WebhookEndpoint
    secret: str


def rules() -> addresses.Rules:
    """Return what addresses this server speaks to."""
    return addresses.Rules(
        ports=frozenset(settings.WEBHOOK_PORTS), is_loopback_open=settings.WEBHOOKS_TO_LOOPBACK
    )


def add_endpoint(
    *, owner: UUID, url: str, kinds: Sequence[str], key: str, now: datetime
) -> Registered:
    """Register where an owner's news go. The same key with the same input gives the same endpoint.

    kinds: of notices; none stands for all.
    Raises: AddressRefused, TooManyEndpoints, IdempotencyConflict, IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    stored = stored_key("endpoint", caller=owner, key=key)
    chosen = _known(kinds)
    if (earlier := queries.endpoint_by_key(stored)) is None:
        # The name is looked up before anything is locked: a slow name server holds nobody up.
        egress.check(url, rules=rules())
    with transaction.atomic():
        User.objects.select_for_update(of=("self",)).get(pk=owner)
        if earlier := queries.endpoint_by_key(stored):
            return _replay(earlier, url, chosen, key=key)
        if len(queries.endpoints_of(owner)) >= ENDPOINTS_MAX:
            raise TooManyEndpoints(limit=ENDPOINTS_MAX)
        secret = _new_secret()
        made = WebhookEndpoint.objects.create(
            owner_id=owner, key=stored, url=url, kinds=chosen, secret=_kept(secret), created_at=now
        )
    return Registered(made, secret)


@transaction.atomic
def rotate_secret(*, endpoint_id: UUID, owner: UUID, key: str, now: datetime) -> Registered:
    """Make a new secret; the one before signs beside it for OVERLAP. The same key twice in a row rotates once.

    Raises: EndpointUnknown, IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    stored = stored_key("rotate", caller=owner, key=key)
    row = queries.lock_endpoint(endpoint_id, owner=owner)
    if row.rotation_key == stored:
        return Registered(row, _read(row.secret))
    secret = _new_secret()
    row.earlier_secret, row.earlier_until, row.secret = row.secret, now + OVERLAP, _kept(secret)
    row.rotation_key = stored
    row.save(update_fields=["secret", "earlier_secret", "earlier_until", "rotation_key"])
    return Registered(row, secret)


@transaction.atomic
def change_endpoint(
    *,
    endpoint_id: UUID,
    owner: UUID,
    state: WebhookEndpoint.State | None = None,
    kinds: Sequence[str] | None = None,
) -> WebhookEndpoint:
    """Switch an endpoint on or off, remove it, or choose what goes there; again, and nothing changes. Raises: EndpointUnknown."""
    row = queries.lock_endpoint(endpoint_id, owner=owner)
    if kinds is not None:
        row.kinds = _known(kinds)
    if state is not None and row.state != state:
        assert state in WebhookEndpoint.TRANSITIONS[WebhookEndpoint.State(row.state)]
        row.state = state
        row.reason = "switched off by you" if state == WebhookEndpoint.State.DISABLED else ""
    row.save(update_fields=["kinds", "state", "reason"])
    return row


@transaction.atomic
def test_endpoint(*, endpoint_id: UUID, owner: UUID, key: str, now: datetime) -> Delivery:
    """Send an event that says nothing. The same key sends one.

    Raises: EndpointUnknown, EndpointDisabled, TooManyTests, IdempotencyKeyMissing, IdempotencyKeyInvalid.
    """
    name = uuid5(endpoint_id, stored_key("test", caller=owner, key=key))
    row = _ready(endpoint_id, owner)
    sent, _ = Delivery.objects.get_or_create(
        pk=name, defaults={"endpoint": row, "next_at": now, "created_at": now}
    )
    return sent


@transaction.atomic
def resend(*, endpoint_id: UUID, delivery_id: UUID, owner: UUID, now: datetime) -> Delivery:
    """Send a delivery again, under the same id, from the first attempt on. One that waits goes out at once.

    Raises: EndpointUnknown, EndpointDisabled, DeliveryUnknown, TooManyTests.
    """
    row = _ready(endpoint_id, owner)
    again = queries.lock_delivery(delivery_id, endpoint_id=row.pk)
    again.state, again.attempts, again.next_at = Delivery.State.WAITING, 0, now
    again.save(update_fields=["state", "attempts", "next_at"])
    return again


def secrets_of(row: WebhookEndpoint, *, now: datetime) -> list[str]:
    """Return the secrets that sign now, the newest first; none where SECRET_KEY was changed since they were made."""
    kept = [row.secret]
    if row.earlier_until is not None and row.earlier_until > now:
        kept.append(row.earlier_secret)
    read = [vault.unlock(one, master=settings.SECRET_KEY, purpose=PURPOSE) for one in kept]
    return [secret for secret in read if secret is not None]


def _ready(endpoint_id: UUID, owner: UUID) -> WebhookEndpoint:
    row = queries.lock_endpoint(endpoint_id, owner=owner)
    if row.state != WebhookEndpoint.State.ENABLED:
        raise EndpointDisabled
    if queries.waiting_by_hand(row.pk) >= WAITING_MAX:
        raise TooManyTests(limit=WAITING_MAX)
    return row


def _replay(earlier: WebhookEndpoint, url: str, kinds: Sequence[str], *, key: str) -> Registered:
    for field, first, given in (("url", earlier.url, url), ("kinds", earlier.kinds, list(kinds))):
        if first != given:
            raise IdempotencyConflict(key=key, field=field)
    return Registered(earlier, _read(earlier.secret))


def _known(kinds: Sequence[str]) -> list[str]:
    return sorted(kind for kind in set(kinds) if kind in notices.KINDS)


def _read(kept: str) -> str:
    """Return a secret; nothing where SECRET_KEY was changed since it was made."""
    return vault.unlock(kept, master=settings.SECRET_KEY, purpose=PURPOSE) or ""


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _kept(secret: str) -> str:
    return vault.lock(secret, master=settings.SECRET_KEY, purpose=PURPOSE)
