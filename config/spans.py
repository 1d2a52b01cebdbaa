"""Spans for OpenTelemetry: each request of web and gateway, each sweep, told to OTEL_EXPORTER_OTLP_ENDPOINT.

Without that address nothing of OpenTelemetry is even imported. Its other standard names (OTEL_SERVICE_NAME,
OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS, OTEL_BSP_*) are read by its SDK. A caller's `traceparent` is continued.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse

from compute.gateway.wire import Application, Message, Receive, Send
from config.logs import METHODS, request_id

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

CONTINUED = ("traceparent", "tracestate")
PATH_MAX = 100  # a caller's own words; the longest path the gateway answers is shorter


@cache
def provider() -> "TracerProvider | None":
    """Return what makes and sends this process's spans, and goes on doing so in its forks; None where none are wanted."""
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return None
    sdk = import_module("opentelemetry.sdk.trace")
    export = import_module("opentelemetry.sdk.trace.export")
    otlp = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    resources = import_module("opentelemetry.sdk.resources")
    named = {"service.name": os.environ.get("OTEL_SERVICE_NAME", "marketplace")}
    made: TracerProvider = sdk.TracerProvider(resource=resources.Resource.create(named))
    made.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    return made


def flush(**_: object) -> None:
    """Send what waits: a worker's child ends without its interpreter's farewell."""
    if (made := provider()) is not None:
        made.force_flush()


def request_span(
    made: "TracerProvider", headers: Iterable[tuple[str, str]]
) -> "AbstractContextManager[Span]":
    """Open the span of a request, as a part of its caller's trace where it names one."""
    trace = import_module("opentelemetry.trace")
    propagation = import_module("opentelemetry.trace.propagation.tracecontext")
    carrier = {name.lower(): value for name, value in headers if name.lower() in CONTINUED}
    parent = propagation.TraceContextTextMapPropagator().extract(carrier)
    tracer = made.get_tracer("config.spans")
    return tracer.start_as_current_span("request", context=parent, kind=trace.SpanKind.SERVER)


def describe(span: "Span", *, method: str, route: str, status: int) -> None:
    """Name a request's span by what was called, never by its address: addresses hold ids and queries, some secret."""
    known = method if method in METHODS else "other"
    span.update_name(f"{known} {route}")
    span.set_attribute("http.request.method", known)
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(import_module("opentelemetry.trace").StatusCode.ERROR)


class SpansMiddleware:
    """Tell of each request of pages and API, with the id that stands in its log lines."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        made = provider()
        if made is None:
            raise MiddlewareNotUsed
        self.get_response, self.provider = get_response, made

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with request_span(self.provider, request.headers.items()) as span:
            response = self.get_response(request)
            found = request.resolver_match
            route = found.route if found else "none"
            describe(span, method=request.method or "", route=route, status=response.status_code)
            span.set_attribute("request", request_id.get())
            return response


def spanned(application: Application) -> Application:
    """Wrap the gateway so that each HTTP request is told, its whole answer included; itself where none are wanted."""
    made = provider()
    if made is None:
        return application

    async def told(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        headers = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])  # fmt: skip
        with request_span(made, headers) as span:

            async def noting(message: Message) -> None:
                if message["type"] == "http.response.start":
                    route = "gateway" if message["status"] == 404 else scope["path"][:PATH_MAX]
                    describe(span, method=scope["method"], route=route, status=message["status"])
                await send(message)

            await application(scope, receive, noting)

    return told


def sweep_span(name: str, *, task_id: str) -> "Span | None":
    """Begin the span of a sweep; whoever ran it ends it."""
    made = provider()
    if made is None:
        return None
    return made.get_tracer("config.spans").start_span(name, attributes={"request": task_id})
