"""Lists in pages: an opaque, signed cursor says where a page ended, and `next` is the address of the one after it.

    class SalesAsked(PageAsked):                      # the filters
        netuid = serializers.IntegerField(required=False)

    class SalesOutput(Page):                          # the answer
        results = SaleOutput(many=True)

    asked = given(SalesAsked, request.query_params)
    window = paging.window(request, asked, by=("-sold_at", "id"))   # takes limit and cursor out of `asked`
    rows = queries.recent_sales(window=window, **asked)             # window.cut(...)
    return paging.answer(request, window, rows, SalesOutput)

A cursor is bound to its list and filters: on another list it is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from django.core.signing import BadSignature, Signer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.errors import DomainError
from ledger.keyset import Window

LIMIT_MAX = 100
CURSOR_LENGTH_MAX = 500
NOT_FILTERS = ("cursor", "limit")

Row = TypeVar("Row")


class CursorInvalid(DomainError):
    """The cursor was not given by this server for this list and these filters."""

    code = "cursor_invalid"
    http_status = 400
    message = "The cursor is not one of this list with these filters. Begin again without it."


class PageAsked(serializers.Serializer):
    """What every list takes beside its filters."""

    limit = serializers.IntegerField(min_value=1, max_value=LIMIT_MAX, default=LIMIT_MAX)
    cursor = serializers.CharField(
        required=False, max_length=CURSOR_LENGTH_MAX, help_text="From `next`: where a page ended."
    )


class Page(serializers.Serializer):
    """What every list answers beside its results."""

    next = serializers.URLField(
        allow_null=True,
        help_text="The page after this one, with the same filters; null on the last.",
    )


def window(request: Request, asked: dict[str, Any], *, by: tuple[str, ...]) -> Window:
    """Take limit and cursor out of what was asked; what remains are the filters. Raises: CursorInvalid."""
    cursor, limit = asked.pop("cursor", None), asked.pop("limit")
    after = None if cursor is None else read_cursor(request, cursor)
    if after is not None and len(after) != len(by):
        raise CursorInvalid
    return Window(by=by, limit=limit, after=after)


def answer(
    request: Request,
    asked: Window,
    rows: Sequence[Row],
    output: type[Page],
    *,
    position: Callable[[Row], Sequence[object]] | None = None,
    beside: Mapping[str, object] | None = None,
) -> Response:
    """Present a page of rows, and where the next one begins, in the body and as a Link.

    rows: as Window.cut returned them, with one beyond the page when there is another.
    position: row → its values of `by`; its attributes of these names unless told.
    beside: what the list as a whole says, the same on every page.
    """
    shown = list(rows[: asked.limit])
    following = None
    if len(rows) > asked.limit:
        place = (
            position(shown[-1])
            if position
            else [attrgetter(name)(shown[-1]) for name in asked.names]
        )
        following = address(request, write_cursor(request, place))
    response = Response(output({**(beside or {}), "results": shown, "next": following}).data)
    if following:
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response


def write_cursor(request: Request, place: Sequence[object]) -> str:
    """Sign where a page ended."""
    return _signer(request).sign_object([_plain(value) for value in place])


def read_cursor(request: Request, cursor: str) -> list[object]:
    """Return where a page ended. Raises: CursorInvalid."""
    try:
        place = _signer(request).unsign_object(cursor)
    except (BadSignature, ValueError):
        raise CursorInvalid from None
    assert isinstance(place, list), "only lists are signed"
    return place


def address(request: Request, cursor: str) -> str:
    """Return the address of a page: this one's, with a cursor in place of its own."""
    query = [(name, value) for name, value in _pairs(request) if name != "cursor"]
    return request.build_absolute_uri(f"?{urlencode([*query, ('cursor', cursor)])}")


def _signer(request: Request) -> Signer:
    filters = sorted(pair for pair in _pairs(request) if pair[0] not in NOT_FILTERS)
    return Signer(salt=f"page {request.path}?{urlencode(filters)}")


def _pairs(request: Request) -> list[tuple[str, str]]:
    return [(name, value) for name, values in request.query_params.lists() for value in values]


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case _:
            return value
