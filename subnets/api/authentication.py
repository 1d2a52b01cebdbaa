"""Who signed this request: btauth/1 on the way in, each nonce accepted once.

The protocol and its checks are `neurons.protocol`; what belongs to the server alone is here: its own
address, the store of used nonces (Redis, shared by every worker process), and the answer on the wire.
"""

import hashlib
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import cast
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from ledger.errors import DomainError
from neurons import protocol
from neurons.keys import Keypair
from subnets import queries
from subnets.errors import HotkeyNotLinked

# A nonce is kept for the whole window in which its request would be fresh, and a little longer.
NONCE_KEPT_S = 15


class RequestNotAuthentic(DomainError):
    """The signature headers do not prove who sent this; `code` says which check refused them."""

    code = "signature_missing"
    http_status = 401
    message = "{detail}"

    def __init__(self, *, code: str, detail: str) -> None:
        super().__init__(detail=detail)
        self.code = code  # type: ignore[misc]  # one class, the codes of the protocol


class NonceStoreUnavailable(DomainError):
    """The store of used nonces cannot be reached; refusing is safer than accepting a replay."""

    code = "nonce_store_unavailable"
    http_status = 503
    message = "Signed requests cannot be checked at the moment. Try again shortly."


@dataclass(frozen=True, slots=True)
class SignedCaller:
    """A hotkey that signed the request; `owner` is the account that answers for it, None when unlinked."""

    hotkey: str
    owner: UUID | None
    is_authenticated: bool = True

    @property
    def linked_owner(self) -> UUID:
        """Return the owner. Raises: HotkeyNotLinked."""
        if self.owner is None:
            raise HotkeyNotLinked(hotkey=self.hotkey)
        return self.owner

    @property
    def pk(self) -> str:
        """Identify the caller to throttles."""
        return self.hotkey


@lru_cache(maxsize=1)
def server_keypair() -> Keypair:
    """Return the server's own key, made from its secret seed."""
    seed = hashlib.sha256(b"server hotkey:" + settings.SERVER_HOTKEY_SEED.encode()).digest()
    return Keypair.from_seed(seed.hex())


def receiver() -> str:
    """Return the address requests have to be signed for."""
    return server_keypair().ss58_address


class HotkeyAuthentication(BaseAuthentication):
    """Accept a request signed by a hotkey for this server, once."""

    def authenticate(self, request: Request) -> tuple[SignedCaller, None]:
        """Return the caller. Raises: RequestNotAuthentic, NonceStoreUnavailable."""
        try:
            signed = protocol.check_auth(
                headers=request.headers,
                method=request.method or "",
                path=request.get_full_path(),
                body=request._request.body,  # noqa: SLF001  the raw bytes, before DRF parses them
                receiver=receiver(),
                now_ns=time.time_ns(),
            )
        except protocol.AuthRefused as refusal:
            raise RequestNotAuthentic(code=refusal.code, detail=str(refusal)) from None
        remember_nonce(signed)
        linked = queries.hotkey(signed.hotkey)
        return SignedCaller(hotkey=signed.hotkey, owner=linked.owner if linked else None), None

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme of a 401."""
        return protocol.PROTOCOL


def remember_nonce(signed: protocol.Signed) -> None:
    """Accept a verified nonce once. Raises: RequestNotAuthentic (replayed_request), NonceStoreUnavailable."""
    try:
        is_new = cache.add(f"nonce:{signed.hotkey}:{signed.nonce_ns}", 1, NONCE_KEPT_S)
    except RedisError:
        raise NonceStoreUnavailable from None
    if not is_new:
        raise RequestNotAuthentic(
            code="replayed_request",
            detail="This request was received before. Sign each request anew.",
        )


class IsSigned(BasePermission):
    """Let any hotkey in that signed the request, linked or not."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether a hotkey signed."""
        return isinstance(cast(object, request.user), SignedCaller)


class IsLinkedHotkey(IsSigned):
    """Let a hotkey in that an account answers for."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Say whether the hotkey is linked. Raises: HotkeyNotLinked, which tells the remedy."""
        caller = cast(object, request.user)
        return isinstance(caller, SignedCaller) and caller.linked_owner is not None
