"""Every answer carries its request's id and its time, and the log lines of the request carry the id."""

import contextvars
import logging

import pytest

from config.logs import RequestIdFilter

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/docs/start/", "/api/v1/auctions/", "/nothing/", "/api/v1/no/"])
def test_every_answer_has_an_id_and_a_time(client, path):
    answer = client.get(path)

    assert len(answer.headers["X-Request-Id"]) == 32
    assert answer.headers["Server-Timing"].startswith("app;dur=")


def test_the_callers_own_id_is_echoed(client):
    answer = client.get("/api/v1/no/", headers={"X-Request-Id": "bot-7.first_try"})

    assert answer.headers["X-Request-Id"] == "bot-7.first_try"


@pytest.mark.parametrize("sent", ["short", "x" * 65, "two words", "a\tb-cdefgh", "ünïcode-id"])
def test_an_id_that_could_write_log_lines_is_replaced(client, sent):
    answer = client.get("/api/v1/no/", headers={"X-Request-Id": sent})

    assert answer.headers["X-Request-Id"] != sent


def test_a_line_of_the_request_carries_its_id_and_one_outside_none(client):
    seen = []
    record = logging.makeLogRecord({})

    class Listener(logging.Handler):
        def emit(self, record):
            RequestIdFilter().filter(record)
            seen.append(record.request_id)

    listener = Listener()
    logging.getLogger("django.request").addHandler(listener)
    try:
        client.get("/api/v1/no/", headers={"X-Request-Id": "bot-7-second"})
    finally:
        logging.getLogger("django.request").removeHandler(listener)
    contextvars.Context().run(RequestIdFilter().filter, record)

    assert seen == ["bot-7-second"]
    assert record.request_id == "-"
