"""A client's key counts once, whatever came of it: what was refused stays refused.

    @extend_schema(parameters=[IDEMPOTENCY_KEY], ...)
    @once
    def post(self, request): ...

What succeeded is replayed by the operation, which finds the key in its own rows. What was refused left no row, and
asked again later it might succeed by luck: when money has come meanwhile, or an operator has lowered a price, and
whoever sent it has long done something else. So the refusal itself is kept under the key.
Not everything is: what would be refused again anyhow (bad input), and what says "try again" (limits, outages), is not.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from django.db import DatabaseError
from rest_framework.request import Request
from rest_framework.response import Response

from ledger import refusals
from ledger.errors import DomainError
from ledger.idempotency import stored_key
from ledger.refusals import Kept, Sent
from ledger.rest.amounts import idempotency_key
from ledger.rest.problems import members

View = TypeVar("View")
Given = ParamSpec("Given")


def once(
    method: Callable[Concatenate[View, Request, Given], Response],
) -> Callable[Concatenate[View, Request, Given], Response]:
    """Give a request that was refused under its key the same answer again, for thirty days.

    Raises: RefusedBefore; IdempotencyConflict when the key was refused something else; Busy.
    """

    @wraps(method)
    def keyed(view: View, request: Request, /, *args: Given.args, **path: Given.kwargs) -> Response:
        sent = sent_under_key(request, **path)
        if sent is None:
            return method(view, request, *args, **path)
        with _claimed(sent) as claim:
            if claim.earlier is not None:
                raise claim.earlier.again(sent)
            try:
                return method(view, request, *args, **path)
            except DomainError as refusal:
                if refusals.lasts(refusal):
                    claim.refused = refusal
                raise

    return keyed


def sent_under_key(request: Request, **path: object) -> Sent | None:
    """Return a request as its refusal is kept; None without a usable key, which the operation refuses.

    path: what the address says, a part of what is asked for.  For `once`, and for an operation that keeps its refusals itself.
    """
    route = request.resolver_match
    assert route is not None, "a view is reached by a route"
    act = f"{request.method} {route.view_name}"
    try:
        said = idempotency_key(request)
        key = stored_key(act, caller=str(request.user.pk), key=said)
    except DomainError:
        return None
    return Sent(key, said, {**path, **_fields(request)}, members)


def _fields(request: Request) -> dict[str, object]:
    """Return the fields of the body; one that has none is a field itself."""
    body = request.data
    return dict(body) if isinstance(body, Mapping) else {"body": body}


@dataclass(slots=True)
class _Claim:
    """A request that is held. earlier: what it was refused before.  refused: what it is refused now, and shall stay."""

    earlier: Kept | None
    refused: DomainError | None = None


@contextmanager
def _claimed(sent: Sent) -> Iterator[_Claim]:
    """Hold a request while it is worked on, and keep what it is refused."""
    claim = _Claim(refusals.claim(sent))
    try:
        yield claim
    finally:
        # A refusal that could not be kept is not told: it might turn out otherwise the next time.
        with nullcontext() if claim.refused else suppress(DatabaseError):
            refusals.release(sent, refusal=claim.refused)
