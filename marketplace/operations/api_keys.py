"""API keys from making to revoking. The secret leaves once, in the answer to who made the key."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from ledger.money import MAX_SUPPLY_RAO
from ledger.scopes import Scope
from marketplace import queries, tokens
from marketplace.errors import ApiKeyTermsInvalid, TooManyApiKeys
from marketplace.models import ApiKey, User
from marketplace.models.api_keys import LIFETIME_MAX, NAME_LENGTH_MAX
from subnets import naming

logger = logging.getLogger(__name__)

API_KEYS_MAX = 20  # one a program and a spare to rotate; more are keys that nobody remembers
NETWORKS_MAX = 16
USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key that was just made. text: what its owner sends; shown now and never again."""

    row: ApiKey
    text: str = field(repr=False)


@transaction.atomic
def create_api_key(
    *,
    owner: UUID,
    name: str,
    scopes: Collection[Scope],
    expires_at: datetime,
    now: datetime,
    networks: Sequence[str] = (),
    spend_limit_rao: int | None = None,
) -> NewApiKey:
    """Make a key for a person's programs. A replay makes another one: what was shown once cannot be shown again.

    networks: addresses or CIDR networks it may be used from, none for anywhere.
    spend_limit_rao: what models may cost it in a calendar month (UTC), none for no limit.
    Raises: ApiKeyTermsInvalid, TooManyApiKeys, TextRefused.
    """
    name = naming.read_prose(name, field="name", length_max=NAME_LENGTH_MAX)
    # The person's row is the queue: two windows cannot pass the limit together.
    User.objects.select_for_update(of=("self",)).get(pk=owner)
    check_limit(spend_limit_rao)
    allowed = check_terms(scopes=scopes, expires_at=expires_at, networks=networks, now=now)
    if queries.working_api_keys(owner, now=now) >= API_KEYS_MAX:
        raise TooManyApiKeys(limit=API_KEYS_MAX)
    token = tokens.new_token()
    row = ApiKey.objects.create(
        id=token.id,
        owner_id=owner,
        name=name,
        secret_digest=tokens.digest(token.secret),
        scopes=[scope.value for scope in Scope if scope in scopes],
        networks=allowed,
        spend_limit_rao=spend_limit_rao,
        created_at=now,
        expires_at=expires_at,
    )
    logger.info("api_key:created key=%s owner=%s scopes=%s", row.id, owner, ",".join(row.scopes))
    return NewApiKey(row, token.text)


@transaction.atomic
def revoke_api_key(*, key_id: str, owner: UUID, now: datetime) -> ApiKey:
    """Stop a key for good. Revoking it again changes nothing. Raises: ApiKeyUnknown."""
    row = queries.lock_api_key(key_id, owner=owner)
    if row.revoked_at is None:
        row.revoked_at = now
        row.save(update_fields=["revoked_at"])
        logger.info("api_key:revoked key=%s owner=%s", row.id, owner)
    return row


@transaction.atomic
def limit_api_key(*, key_id: str, owner: UUID, spend_limit_rao: int | None) -> ApiKey:
    """Set what a key may spend on models in a calendar month, none for no limit. A gateway hears of it within seconds.

    What it spent this month already counts. Raises: ApiKeyUnknown, ApiKeyTermsInvalid.
    """
    check_limit(spend_limit_rao)
    row = queries.lock_api_key(key_id, owner=owner)
    row.spend_limit_rao = spend_limit_rao
    row.save(update_fields=["spend_limit_rao"])
    logger.info("api_key:limited key=%s owner=%s limit_rao=%s", row.id, owner, spend_limit_rao)
    return row


def check_limit(spend_limit_rao: int | None) -> None:
    """Refuse a limit that is no amount of TAO. Raises: ApiKeyTermsInvalid."""
    if spend_limit_rao is not None and not 0 <= spend_limit_rao <= MAX_SUPPLY_RAO:
        raise ApiKeyTermsInvalid(reason="a limit is an amount of TAO, or none")


def note_use(row: ApiKey, *, now: datetime) -> None:
    """Remember that a key was used, once a minute at most: reading and writing requests alike stay cheap."""
    if row.last_used_at is not None and now - row.last_used_at < USED_EVERY:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_EVERY)
    ApiKey.objects.filter(stale, pk=row.pk).update(last_used_at=now)


def check_terms(
    *, scopes: Collection[Scope], expires_at: datetime, networks: Sequence[str], now: datetime
) -> list[str]:
    """Refuse a key without scopes, without an end, or from nowhere; return its networks in their one form.

    Raises: ApiKeyTermsInvalid.
    """
    if not scopes:
        raise ApiKeyTermsInvalid(reason="choose what it may do")
    if not now < expires_at <= now + LIFETIME_MAX:
        raise ApiKeyTermsInvalid(reason="it has to end within a year from now")
    if len(networks) > NETWORKS_MAX:
        raise ApiKeyTermsInvalid(reason=f"at most {NETWORKS_MAX} networks can be named")
    try:
        return [tokens.read_network(network) for network in networks]
    except ValueError:
        raise ApiKeyTermsInvalid(
            reason="name networks as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
        ) from None
