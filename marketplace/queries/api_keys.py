"""API keys: the one behind a request, and those a person has."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from django.db.models import F

from compute import queries as compute
from ledger import prepared
from ledger.rows import columns_of, named, row_of
from marketplace.errors import ApiKeyUnknown
from marketplace.models import ApiKey, User
from marketplace.queries.auctions import ROWS_MAX

# What no program is asked about itself, a password least of all.
UNASKED = ("password", "last_login", "first_name", "last_name", "date_joined")


def api_key(key_id: str) -> ApiKey | None:
    """Return a key with its owner, in one planned statement by its primary key; None where there is none.

    Every request of a program begins with it: written by the ORM it took as long as placing a bid.
    """
    found = prepared.rows(_key_with_owner(), {"key": key_id})
    if not found:
        return None
    count = len(columns_of(ApiKey))
    key = row_of(ApiKey, found[0][:count])
    key.owner = row_of(User, found[0][count:], UNASKED)
    return key


@cache
def _key_with_owner() -> str:
    return f"""
SELECT {named(ApiKey, "key")}, {named(User, "owner", UNASKED)}
FROM marketplace_apikey AS key JOIN marketplace_user AS owner ON owner.id = key.owner_id
WHERE key.id = %(key)s::text
"""  # noqa: S608  names of columns, out of the models


def api_keys_of(owner: UUID) -> list[ApiKey]:
    """List a person's keys, the newest first; those that work before those that do not."""
    rows = ApiKey.objects.filter(owner=owner)
    return list(
        rows.order_by(F("revoked_at").desc(nulls_first=True), "-created_at", "pk")[:ROWS_MAX]
    )


@dataclass(frozen=True, slots=True)
class ApiKeyLine:
    """A key, and what models cost it this month; what its open tabs set aside is counted as spent."""

    row: ApiKey
    spent_rao: int


def key_lines(owner: UUID, *, now: datetime) -> list[ApiKeyLine]:
    """List a person's keys with what they spent, in two statements."""
    rows = api_keys_of(owner)
    spent = compute.spent_by_payer([row.id for row in rows], now=now)
    return [ApiKeyLine(row, spent.get(row.id, 0)) for row in rows]


def working_api_keys(owner: UUID, *, now: datetime) -> int:
    """Count a person's keys that are neither revoked nor past their end."""
    return ApiKey.objects.filter(owner=owner, revoked_at=None, expires_at__gt=now).count()


def lock_api_key(key_id: str, *, owner: UUID) -> ApiKey:
    """Lock one of a person's keys. Raises: ApiKeyUnknown, also for somebody else's."""
    row = ApiKey.objects.select_for_update(of=("self",)).filter(pk=key_id, owner=owner).first()
    if row is None:
        raise ApiKeyUnknown(key_id=key_id)
    return row
