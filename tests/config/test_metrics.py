"""What Prometheus reads: who may, by which labels, at what cost; and what sweeps and the gateway add to it."""

import asyncio

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client import REGISTRY

from config import metrics, streaming, sweeping
from config.backlog import Backlog
from config.watching import Watched
from ledger import sweeps
from ledger.errors import HoldUnknown
from marketplace import events
from tests import make


def value(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0


@pytest.mark.django_db
@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer other", "Bearer tøken"])
def test_metrics_are_found_by_nobody_without_the_token(client, settings, sent):
    settings.METRICS_TOKEN = "token"

    assert client.get("/metrics", headers={"Authorization": sent}).status_code == 404
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


@pytest.mark.django_db
def test_requests_are_counted_by_route_and_waiting_work_is_shown(settings):
    settings.METRICS_TOKEN = "token"
    make.network(now=timezone.now())
    make.job(make.subnet(now=timezone.now()), now=timezone.now())
    client, metrics.BACKLOG._kept = Client(), (0.0, [])
    client.get("/subnets/1/")

    answer = client.get("/metrics", headers={"Authorization": "Bearer token"})

    said = answer.content.decode()
    assert answer.status_code == 200
    route = 'snm_requests_total{method="GET",route="subnets/<int:netuid>/",status="200"}'
    assert route in said
    assert "/subnets/1/" not in said
    assert 'snm_waiting{what="jobs_queued"} 1.0' in said
    assert "snm_books_balanced 1.0" in said
    assert "snm_clock_ahead_seconds" in said


@pytest.mark.django_db
def test_two_scrapes_in_a_row_ask_the_database_once(django_assert_num_queries):
    make.network()
    backlog = Backlog()
    list(backlog.collect())

    with django_assert_num_queries(0):
        assert {gauge.name for gauge in backlog.collect()} >= {"snm_waiting", "snm_oldest_seconds"}


def test_what_came_of_a_sweeps_items_is_counted():
    def work(item):
        if item == "refused":
            raise HoldUnknown(hold="1")
        if item == "failed":
            raise ZeroDivisionError

    named = type("Task", (), {"name": "compute.tasks.expire_due_leases"})()
    seen = [value("snm_sweep_items_total", sweep="expire_due_leases", outcome=o) for o in ("done", "refused", "failed")]  # fmt: skip
    sweeping.begin(task_id="t-1", task=named)
    sweeps.each(["done", "refused", "failed", "done"], work)
    sweeping.end(task_id="t-1", task=named)

    now = [value("snm_sweep_items_total", sweep="expire_due_leases", outcome=o) for o in ("done", "refused", "failed")]  # fmt: skip
    assert [b - a for a, b in zip(seen, now, strict=True)] == [2, 1, 1]
    assert value("snm_sweep_seconds_count", sweep="expire_due_leases") >= 1


def test_a_gateways_request_is_in_flight_until_it_ends_and_its_first_piece_is_timed():
    during = []

    async def application(scope, receive, send):
        during.append(value("snm_gateway_in_flight"))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})

    async def send(message):
        pass

    before = value("snm_gateway_first_token_seconds_count")
    scope = {"type": "http", "path": "/v1/chat/completions", "method": "POST"}
    asyncio.run(Watched(application)(scope, None, send))

    assert (during, value("snm_gateway_in_flight")) == ([1], 0)
    assert value("snm_gateway_first_token_seconds_count") == before + 1


def test_an_event_stream_is_open_until_its_reader_goes_and_each_message_is_timed():
    during = []

    async def application(scope, receive, send):
        during.append(value("snm_events_streams"))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for listener in events.listeners:
            listener("auction", 0.2)

    async def send(message):
        pass

    names = ["snm_events_sent_total", "snm_events_lag_seconds_count", "snm_events_lag_seconds_sum"]
    before = [value(name, about="auction") for name in names]
    begun = value("snm_events_answers_total", status="200")
    streaming.measured_s.clear()
    asyncio.run(streaming.WatchedStreams(application)({"type": "http"}, None, send))

    assert (during, value("snm_events_streams")) == ([1], 0)
    after = [value(name, about="auction") for name in names]
    assert [b - a for a, b in zip(before, after, strict=True)] == pytest.approx([1, 1, 0.2])
    assert value("snm_events_answers_total", status="200") == begun + 1
    assert value("snm_events_memory_bytes") > 2**20
