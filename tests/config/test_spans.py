"""What an OTLP collector is told of requests and sweeps: a real one, on loopback."""

import asyncio
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from django.test import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from config import spans, sweeping

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


class Collector:
    """Keeps the spans it is sent."""

    def __init__(self):
        self.bodies = bodies = []

        class Taking(BaseHTTPRequestHandler):
            def do_POST(self):
                bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
        self.thread = Thread(target=self.server.serve_forever)
        self.thread.start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def told(self):
        """Return the one span that was sent."""
        spans.flush()
        [(path, body)] = self.bodies
        assert path == "/v1/traces"
        [resource] = ExportTraceServiceRequest.FromString(body).resource_spans
        [scope] = resource.scope_spans
        [span] = scope.spans
        return span


def facts(span):
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


@pytest.fixture
def collector(monkeypatch, settings):
    begun = Collector()
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = begun.address
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", begun.address)
    spans.provider.cache_clear()
    yield begun
    spans.provider().shutdown()
    spans.provider.cache_clear()
    begun.close()


@pytest.mark.django_db
def test_a_request_continues_its_callers_trace_and_names_its_route(collector):
    headers = {"traceparent": TRACEPARENT, "X-Request-Id": "bot-7.first_try"}

    Client().get("/docs/start/?token=secret", headers=headers)

    span = collector.told()
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, CALLER)
    assert facts(span)["http.response.status_code"] == 200
    assert facts(span)["request"] == "bot-7.first_try"
    assert span.name == f"GET {facts(span)['http.route']}"
    assert "secret" not in str(span)


@pytest.mark.parametrize(
    ("status", "name", "is_error"),
    [(200, "POST /v1/embeddings", False), (404, "POST gateway", False), (500, "POST /v1/embeddings", True)],
)  # fmt: skip
def test_a_request_of_the_gateway_is_told_with_its_status(collector, status, name, is_error):
    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"a"})

    async def send(message):
        pass

    headers = [(b"traceparent", TRACEPARENT.encode()), (b"authorization", b"Bearer secret")]
    scope = {"type": "http", "path": "/v1/embeddings", "method": "POST", "headers": headers}
    asyncio.run(spans.spanned(application)(scope, None, send))

    span = collector.told()
    assert (span.name, span.trace_id.hex()) == (name, TRACE)
    assert (span.status.code == span.status.STATUS_CODE_ERROR) == is_error
    assert "secret" not in str(span)


@pytest.mark.parametrize("fault", [None, ZeroDivisionError("a fault")])
def test_a_sweep_is_told_under_its_tasks_id_and_whether_it_broke_off(collector, fault):
    task = type("Task", (), {"name": "compute.tasks.expire_due_leases"})()
    sweeping.begin(task_id="t-1", task=task)
    if fault:
        sweeping.fail(sender=task, task_id="t-1", exception=fault)
    sweeping.end(task_id="t-1", task=task)

    span = collector.told()
    assert (span.name, facts(span)) == ("expire_due_leases", {"request": "t-1"})
    assert (span.status.code == span.status.STATUS_CODE_ERROR) == bool(fault)


def test_without_an_address_nothing_is_wrapped_and_nothing_imported():
    spans.provider.cache_clear()
    code = (
        "import sys; from config import spans; a = object(); assert spans.spanned(a) is a;"
        "assert spans.sweep_span('s', task_id='t') is None;"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )

    env = {"DJANGO_SETTINGS_MODULE": "config.settings", "DEBUG": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
