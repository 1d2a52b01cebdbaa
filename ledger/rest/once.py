"""A client's key counts once, whatever came of it: what was refused stays refused.

    @extend_schema(parameters=[IDEMPOTENCY_KEY], ...)
    @once
    def post(self, request): ...

What succeeded is replayed by the operation, which finds the key in its own rows. What was refused left no row, and
asked again later it might succeed by luck: when money has come meanwhile, or an operator has lowered a price, and
whoever sent it has long done something else. So the refusal itself is kept under the key.
Not everything is: what would be refused again anyhow (bad input), and what says "try again" (limits, outages), is not.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.db import DatabaseError
from rest_framework.request import Request
from rest_framework.response import Response

from ledger import refusals
from ledger.errors import DomainError, IdempotencyConflict
from ledger.idempotency import stored_key
from ledger.refusals import Kept
from ledger.rest.amounts import idempotency_key
from ledger.rest.problems import members

# Refusals by how things stood: no money, not allowed, not there, not possible now, gone.
LASTING = frozenset({402, 403, 404, 409, 410})


View = TypeVar("View")
Given = ParamSpec("Given")


class RefusedBefore(Exception):
    """The key was refused before; problem: what was answered then."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        self.problem = dict(problem)
        super().__init__(self.problem["detail"])


def once(
    method: Callable[Concatenate[View, Request, Given], Response],
) -> Callable[Concatenate[View, Request, Given], Response]:
    """Give a request that was refused under its key the same answer again, for thirty days.

    Raises: RefusedBefore; IdempotencyConflict when the key was refused something else; Busy.
    """

    @wraps(method)
    def keyed(view: View, request: Request, /, *args: Given.args, **path: Given.kwargs) -> Response:
        key = _stored(request)
        if key is None:
            return method(view, request, *args, **path)
        asked = _digests({**path, **_fields(request)})
        with _claimed(key) as claim:
            if claim.earlier is not None:
                _refuse_again(request, asked, claim.earlier)
            try:
                return method(view, request, *args, **path)
            except DomainError as refusal:
                if refusal.http_status in LASTING:
                    claim.refused = Kept(asked, members(refusal))
                raise

    return keyed


def _stored(request: Request) -> str | None:
    """Name the key, the caller and what is asked for; None without a usable key, which the operation refuses."""
    route = request.resolver_match
    assert route is not None, "a view is reached by a route"
    try:
        return stored_key(
            f"{request.method} {route.view_name}",
            caller=str(request.user.pk),
            key=idempotency_key(request),
        )
    except DomainError:
        return None


def _fields(request: Request) -> dict[str, object]:
    """Return the fields of the body; one that has none is a field itself."""
    body = request.data
    return dict(body) if isinstance(body, Mapping) else {"body": body}


def _digests(fields: Mapping[str, object]) -> dict[str, str]:
    """Return a digest of each field: enough to compare, and nothing of a secret."""
    return {
        name: hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
        for name, value in fields.items()
    }


@dataclass(slots=True)
class _Claim:
    """A key that is held. earlier: what it was refused before.  refused: what it is refused now, and shall stay."""

    earlier: Kept | None
    refused: Kept | None = None


@contextmanager
def _claimed(key: str) -> Iterator[_Claim]:
    """Hold a key while its request is worked on, and keep what it is refused. A lost connection lets go."""
    lock = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], signed=True)
    claim = _Claim(refusals.claim(key, lock=lock))
    try:
        yield claim
    finally:
        # A refusal that could not be kept is not told: it might turn out otherwise the next time.
        with nullcontext() if claim.refused else suppress(DatabaseError):
            refusals.release(key, lock=lock, refused=claim.refused)


def _refuse_again(request: Request, asked: Mapping[str, str], earlier: Kept) -> None:
    for field in sorted(asked.keys() | earlier.asked.keys()):
        if asked.get(field) != earlier.asked.get(field):
            raise IdempotencyConflict(key=idempotency_key(request), field=field)
    raise RefusedBefore(earlier.problem)
