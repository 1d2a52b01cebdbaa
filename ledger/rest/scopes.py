"""Whether an API key may do what is asked. A view says which scope each method needs; nobody checks it elsewhere.

    class WalletView(APIView):
        scopes = {"GET": Scope.READ}

A method that a view does not name takes no API key at all; one named with None takes any. A view that decides by what
it finds which scope a key needs names None here, asks by itself, and says so in `scope_words`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from rest_framework.request import Request

if TYPE_CHECKING:  # its module asks the settings for the authentication classes, which ask here
    from rest_framework.views import APIView

from ledger.errors import DomainError
from ledger.scopes import Scope


class ScopeMissing(DomainError):
    """The API key may not do this; `scope` names what it lacks."""

    code = "scope_missing"
    http_status = 403
    message = (
        "This API key lacks the scope {scope!r}. Make a key that has it, on the page API keys."
    )


class KeyNotAccepted(DomainError):
    """No API key may do this, whatever its scopes: sign in on the site."""

    code = "api_key_not_accepted"
    http_status = 403
    message = "No API key may do this. Sign in on the site instead."


Scopes = Mapping[str, Scope | None]
# Method → what a view may refuse, for the description of the API; the frame's own refusals go without saying.
Refusals = Mapping[str, Sequence[type[DomainError]]]


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """What the API key behind a request may do: `request.auth` of a request that carries one."""

    key_id: str
    owner: UUID
    scopes: frozenset[str]


def require_scope(grant: KeyGrant, *, view: "APIView", method: str) -> None:
    """Refuse what a key was not made for. Raises: ScopeMissing, KeyNotAccepted."""
    if method == "OPTIONS":
        return
    wanted = scopes_of(view)
    asked = "GET" if method == "HEAD" else method
    if asked not in wanted:
        raise KeyNotAccepted
    scope = wanted[asked]
    if scope is not None and scope not in grant.scopes:
        raise ScopeMissing(scope=scope.value)


def scopes_of(view: "APIView | type[APIView]") -> Scopes:
    """Return method → the scope it needs, as a view declares it."""
    declared: Scopes = getattr(view, "scopes", {})
    return declared


def scope_words(view: "APIView | type[APIView]", method: str) -> str:
    """Return the scope that an API key needs, as the description of the API says it; empty where it needs none."""
    scope = scopes_of(view).get(method)
    if scope is not None:
        return scope.value
    return str(getattr(view, "scope_words", "")) if method in scopes_of(view) else ""


def grant_of(request: Request) -> KeyGrant | None:
    """Return what the request's API key may do; None for a session, a hotkey or nobody."""
    found = getattr(request, "auth", None)
    return found if isinstance(found, KeyGrant) else None
