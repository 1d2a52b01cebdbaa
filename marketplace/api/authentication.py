"""Programs of a person: `Authorization: Bearer snm_live_…`, beside the session of the site.

A key is no cookie, so it needs no CSRF token; a session does as before. What the view says of scopes is asked
here, where no view can forget it. A wrong key costs one look-up by its id, and an address that sends many is
refused before that.
"""

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from ledger.rest.limits import AuthThrottle, note
from ledger.rest.scopes import KeyGrant, require_scope
from marketplace import operations, queries, tokens
from marketplace.errors import (
    ApiKeyAddressRefused,
    ApiKeyExpired,
    ApiKeyInvalid,
    ApiKeyRevoked,
)
from marketplace.models import ApiKey, User

SCHEME = b"bearer"


class ApiKeyAuthentication(BaseAuthentication):
    """Accept an API key that works, and that the view's scopes let in."""

    def authenticate(self, request: Request) -> tuple[User, KeyGrant] | None:
        """Return whose key it is, None when none was sent.

        Raises: ApiKeyInvalid, ApiKeyExpired, ApiKeyRevoked, ApiKeyAddressRefused, ScopeMissing,
        KeyNotAccepted, Throttled (too many wrong keys from one address).
        """
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != SCHEME:
            return None
        throttle = AuthThrottle()
        address = throttle.identity(request)
        refuse_searches(throttle, request, by=0)
        try:
            row = working_key(parts[1] if len(parts) == 2 else b"", address=address)
        except ApiKeyInvalid:
            refuse_searches(throttle, request, by=1)
            raise
        operations.note_use(row, now=timezone.now())
        grant = KeyGrant(key_id=row.id, owner=row.owner_id, scopes=frozenset(row.scopes))
        require_scope(grant, view=request.parser_context["view"], method=request.method or "")
        return row.owner, grant

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme of a 401."""
        return 'Bearer realm="api"'


def working_key(sent: bytes, *, address: str) -> ApiKey:
    """Return the key that was sent. Only who knows its secret hears why it does not work.

    Raises: ApiKeyInvalid, ApiKeyExpired, ApiKeyRevoked, ApiKeyAddressRefused.
    """
    token = tokens.read_token(sent.decode("ascii", "replace"))
    row = queries.api_key(token.id) if token else None
    if token is None or row is None or not tokens.is_secret(token.secret, kept=row.secret_digest):
        raise ApiKeyInvalid
    if not row.owner.is_active:
        raise ApiKeyInvalid
    if row.revoked_at is not None:
        raise ApiKeyRevoked(revoked_at=row.revoked_at)
    if row.expires_at <= timezone.now():
        raise ApiKeyExpired(expires_at=row.expires_at)
    if not tokens.is_within(address, row.networks):
        raise ApiKeyAddressRefused(address=address)
    return row


def refuse_searches(throttle: AuthThrottle, request: Request, *, by: int) -> None:
    """Count a wrong key of an address, or look whether it sent too many. Raises: Throttled."""
    counted = throttle.count(throttle.identity(request), by=by)
    if counted is None:
        return
    is_spent = counted.used >= counted.rate.quota if by == 0 else not counted.is_within
    if by or is_spent:
        note(request, counted)
    if is_spent:
        raise Throttled(wait=counted.reset_s)
