"""How errors look on the wire: RFC 9457 problem documents, for domain errors and for DRF's own.

A domain error becomes {type, title, status, detail, code} and its typed fields; a validation error
carries `errors`, each with a JSON pointer. Amounts stay decimal strings (docs/api.md).
"""

import logging
import sys
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import exception_handler
from drf_standardized_errors.types import ErrorResponse, ExceptionHandlerContext
from redis.exceptions import RedisError
from rest_framework.response import Response

from ledger.errors import DomainError
from ledger.refusals import RefusedBefore
from ledger.rest.problems import members
from marketplace.pages import refusals

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
# Below these, programs ask: they get problems where people get pages.
PROGRAMS_ASK = ("/api/", "/owner/rules/check/")
TITLES = {
    400: "Bad request",
    401: "Not signed in",
    402: "Payment required",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    410: "Gone",
    412: "Precondition failed",
    413: "Too large",
    415: "Unsupported media type",
    422: "Not acceptable input",
    428: "Precondition required",
    429: "Too many requests",
    500: "Internal error",
    503: "Temporarily unavailable",
}


class ProblemFormatter(ExceptionFormatter):
    """Turn DRF's flattened errors into one problem document."""

    def format_error_response(self, error_response: ErrorResponse) -> dict[str, Any]:
        status = self.exc.status_code
        first = error_response.errors[0]
        if not any(error.attr for error in error_response.errors):
            return problem(status=status, code=first.code, detail=first.detail)
        detail = "Some fields are not acceptable; `errors` names each."
        body = problem(status=status, code="invalid_input", detail=detail)
        body["errors"] = [
            {
                "pointer": "/" + (error.attr or "").replace(".", "/"),
                "code": error.code,
                "detail": error.detail,
            }
            for error in error_response.errors
        ]
        return body


def problem_response(exc: Exception, context: ExceptionHandlerContext) -> Response | None:
    """Answer any exception of a view as a problem document (DRF's EXCEPTION_HANDLER)."""
    if isinstance(exc, DomainError):
        body = problem(**members(exc))
        wait_s = exc.fields.get("retry_after_s")
        headers = {} if wait_s is None else {"Retry-After": str(wait_s)}
        response: Response | None = Response(body, status=exc.http_status, headers=headers)
    elif isinstance(exc, RefusedBefore):
        response = Response(
            problem(**exc.problem),
            status=exc.problem["status"],
            headers={"Idempotent-Replayed": "true"},
        )
    elif (found := outage(exc)) is not None:
        body = problem(status=503, code=found.code, detail=found.detail)
        response = Response(body, status=503, headers={"Retry-After": found.retry_after_s})
    elif isinstance(exc, RequestDataTooBig):
        body = problem(status=413, code="body_too_large", detail=too_large())
        response = Response(body, status=413)
    else:
        response = exception_handler(exc, context)
    if response is not None:
        response.content_type = MEDIA_TYPE
        if response.status_code == 401 and "WWW-Authenticate" not in response.headers:
            response.headers["WWW-Authenticate"] = challenge(context)
    return response


def challenge(context: ExceptionHandlerContext) -> str:
    """Name how to prove who asks: the scheme that the view tries first."""
    request = context["request"]
    named = context["view"].get_authenticate_header(request) if request else None
    return str(named or "Bearer")


def problem(*, status: int, code: str, detail: str, **fields: object) -> dict[str, Any]:
    """Return the members every problem document has, and the fields of this one after them."""
    base = {
        "type": f"urn:problem:{code}",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "code": code,
    }
    return base | {name: value for name, value in fields.items() if name not in base}


@dataclass(frozen=True, slots=True)
class Outage:
    """Something is away for a moment. retry_after_s: as the header carries it."""

    code: str
    detail: str
    retry_after_s: str


def outage(exc: BaseException | None) -> Outage | None:
    """Tell what passes by itself, a lock held by others or a server that restarts, from a fault of ours."""
    if isinstance(exc, OperationalError) and is_lock_timeout(exc):
        return Outage("busy", "Others are writing here; try again.", "1")
    if isinstance(exc, (OperationalError, InterfaceError, RedisError)):
        log.error("unavailable cause=%s", type(exc).__name__, exc_info=exc)
        return Outage("unavailable", "A part of the server is away; try again.", "5")
    return None


def is_lock_timeout(exc: OperationalError) -> bool:
    """Tell a wait for a lock that ran out (SQLSTATE 55P03) or a deadlock (40P01) from a broken database."""
    return getattr(exc.__cause__, "sqlstate", "") in {"55P03", "40P01"}


def too_large() -> str:
    """Say how long a request may be."""
    return f"A request has at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes."


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what no view got to see: too long a body, a host that is not ours (Django's handler400)."""
    if isinstance(exception, RequestDataTooBig):
        status, code, detail = 413, "body_too_large", too_large()
    elif isinstance(exception, DisallowedHost):
        status, code, detail = 400, "wrong_host", "This server does not answer to that host name."
    else:
        status, code, detail = 400, "bad_request", "The request cannot be read."
    if request.path.startswith(PROGRAMS_ASK):
        return plain_problem(status=status, code=code, detail=detail)
    return refusals.unreadable(request, detail, status=status)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address that leads nowhere: a problem below /api/, a page elsewhere (Django's handler404)."""
    if request.path.startswith(PROGRAMS_ASK):
        return plain_problem(
            status=404, code="not_found", detail="There is nothing at this address."
        )
    return refusals.not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer what no view caught: a problem below /api/, a page elsewhere (Django's handler500).

    Django calls this while it handles the exception, and hands over the request alone.
    """
    found = outage(sys.exception())
    is_program = request.path.startswith(PROGRAMS_ASK)
    if found is not None:
        if is_program:
            answer = plain_problem(status=503, code=found.code, detail=found.detail)
        else:
            answer = refusals.unavailable(request, found.detail)
        answer.headers["Retry-After"] = found.retry_after_s
        return answer
    if is_program:
        return plain_problem(
            status=500, code="error", detail="The server failed; it is not your request."
        )
    return refusals.broken(request)


def plain_problem(*, status: int, code: str, detail: str) -> HttpResponse:
    """Return a problem document outside of DRF."""
    body = problem(status=status, code=code, detail=detail)
    return JsonResponse(body, status=status, content_type=MEDIA_TYPE)
