"""Entity tags: a client that asks again is told that nothing changed (304), and one that writes can say what it saw.

`server_now` is the clock, no part of what a tag stands for: two answers that differ in it alone have one tag.
"""

import hashlib
import json
from typing import Any

from django.utils.http import parse_etags
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.views import APIView

CLOCK = "server_now"


class TaggedView(APIView):
    """Tag each answer to a GET: with what the method gave it, else with a digest of its content."""

    def finalize_response(
        self,
        request: Request,
        response: Any,  # noqa: ANN401  DRF's own
        *args: Any,  # noqa: ANN401
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Set the tag; answer 304 where the client has what it stands for."""
        # A file has no content to digest here; it is sent as it is.
        is_tagged = isinstance(response, Response) and response.status_code == 200
        if request.method in {"GET", "HEAD"} and is_tagged:
            etag = response.headers.get("ETag") or content_tag(response.data)
            response.headers["ETag"] = etag
            if is_known(request, etag):
                response = unchanged(etag)
        return super().finalize_response(request, response, *args, **kwargs)


def tag(*parts: object) -> str:
    """Return a strong tag of what decides an answer.

    Example:
        >>> tag("a") == tag("a"), tag("a") == tag("b")
        (True, False)
    """
    digest = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
    return f'"{digest[:32]}"'


def version_tag(version: int, *parts: object) -> str:
    """Return a strong tag that names the version of a row, and stands for the parts too.

    Example:
        >>> version_of(version_tag(7, "Ada's subnet"))
        7
    """
    return f'"{version}-{tag(*parts)[1:17]}"'


def version_of(etag: str) -> int | None:
    """Return the version that a tag names; None for one that names none."""
    number = etag.strip('"').split("-")[0]
    return int(number) if number.isdecimal() and len(number) < 10 else None


def content_tag(data: object) -> str:
    """Return the tag of an answer's content."""
    return tag(json.dumps(without_clock(data), cls=JSONEncoder, sort_keys=True))


def without_clock(data: object) -> object:
    """Return content without the instants at which it was read."""
    if isinstance(data, dict):
        return {name: without_clock(value) for name, value in data.items() if name != CLOCK}
    if isinstance(data, list):
        return [without_clock(value) for value in data]
    return data


def is_known(request: Request, etag: str) -> bool:
    """Tell whether the client has what a tag stands for (If-None-Match; weak tags count, RFC 9110 13.1.2)."""
    sent = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in sent or etag in {one.removeprefix("W/") for one in sent}


def unchanged(etag: str) -> Response:
    """Answer that the client has it already."""
    return Response(status=304, headers={"ETag": etag})


def expected_versions(request: Request) -> frozenset[int] | None:
    """Return the versions a writer takes the row to have (If-Match); None where it did not say, or any will do.

    A tag that names no version is one that no row has: the answer may be empty, and then nothing passes.
    """
    sent = parse_etags(request.headers.get("If-Match", ""))
    if not sent or "*" in sent:
        # A header that holds no tag at all said something, and nothing that could be met.
        return frozenset() if request.headers.get("If-Match") and not sent else None
    named = (version_of(one) for one in sent if not one.startswith("W/"))
    return frozenset(version for version in named if version is not None)


def tagged(response: Response, etag: str) -> Response:
    """Give an answer its tag."""
    response.headers["ETag"] = etag
    return response


IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The ETag of what you saw. If it changed since, the request is refused with 412.",
)
