"""What Prometheus is told: requests, sweeps, the gateway, and how much due work waits in the database.

Processes of one host write into one folder (PROMETHEUS_MULTIPROC_DIR, prometheus_client's own), and any web process
shows the sum at /metrics to who has METRICS_TOKEN. Without the token there is no such address.
"""

import secrets
import time
from collections.abc import Callable

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from config.backlog import Backlog
from config.logs import METHODS

FAST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30)
SLOW_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

REQUESTS = Counter("snm_requests_total", "Requests answered.", ["method", "route", "status"])
REQUEST_S = Histogram(
    "snm_request_seconds", "How long a request took.", ["method", "route"], buckets=FAST_S
)
SWEEP_S = Histogram("snm_sweep_seconds", "How long a sweep took.", ["sweep"], buckets=SLOW_S)
SWEEPS_FAILED = Counter("snm_sweeps_failed_total", "Sweeps that broke off.", ["sweep"])
ITEMS = Counter("snm_sweep_items_total", "Due items by what came of them.", ["sweep", "outcome"])
IN_FLIGHT = Gauge("snm_gateway_in_flight", "Requests under way.", multiprocess_mode="livesum")
TUNNELS = Gauge("snm_gateway_tunnels", "Miners' connections.", multiprocess_mode="livesum")
FIRST_S = Histogram("snm_gateway_first_token_seconds", "Until an answer began.", buckets=SLOW_S)
ANSWERS = Counter("snm_gateway_answers_total", "Answers of the gateway.", ["status"])
STREAMS = Gauge("snm_events_streams", "Event streams open.", multiprocess_mode="livesum")
STREAM_ANSWERS = Counter("snm_events_answers_total", "Streams begun or refused.", ["status"])
VERSIONS = Counter("snm_events_sent_total", "Messages that readers took.", ["about"])
STREAM_LAG_S = Histogram(
    "snm_events_lag_seconds",
    "From having a message to a reader's taking it.",
    ["about"],
    buckets=FAST_S,
)
STREAMS_MEMORY = Gauge(
    "snm_events_memory_bytes", "Resident memory of event processes.", multiprocess_mode="livesum"
)

BACKLOG = Backlog()


class MetricsMiddleware:
    """Count each request by its route, never by its address: there are as many of those as ids."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self.get_response(request)
        found = request.resolver_match
        route = found.route if found else "none"
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(method, route, response.status_code).inc()
        REQUEST_S.labels(method, route).observe(time.perf_counter() - began)
        return response


def metrics(request: HttpRequest) -> HttpResponse:
    """Show everything to who has the token. Raises: Http404, so that nobody learns there is one."""
    sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
    wanted = settings.METRICS_TOKEN
    if not wanted or not secrets.compare_digest(sent.encode(), wanted.encode()):
        raise Http404
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)


def exposition() -> bytes:
    """Write the figures of every process of this host, and those of the database."""
    if not settings.PROMETHEUS_MULTIPROC_DIR:
        return generate_latest(REGISTRY) + generate_latest(BACKLOG.registry)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry) + generate_latest(BACKLOG.registry)
