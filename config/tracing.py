"""What an answer says of itself: its request's id, how long it took, and how often its caller may ask."""

import re
import secrets
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from config.logs import request_id
from ledger.rest import limits

HEADER = "X-Request-Id"
# Taken over from a proxy or a client, so that both find their request in the log. Nothing else may come in:
# an id with a line end in it would write log lines of its own.
ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")


class TracingMiddleware:
    """Give every request an id, pages and API alike; it stands in the answer and in each log line of the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        sent = request.headers.get(HEADER, "")
        own_id = sent if ACCEPTED.match(sent) else secrets.token_hex(16)
        # Left standing when the request is over: Django logs refusals after the last middleware. The thread's next
        # request has an id of its own.
        request_id.set(own_id)
        response = self.get_response(request)
        response.headers[HEADER] = own_id
        response.headers["Server-Timing"] = f"app;dur={(time.perf_counter() - began) * 1_000:.1f}"
        for name, value in limits.headers_of(request).items():
            response.headers[name] = value
        return response
