"""The engine: a dead connection is found out without asking, and instants are read as Django reads them."""

from datetime import UTC, datetime

import pytest
from django.db import DataError, connection, connections

from config.postgres.base import InstantLoader


@pytest.fixture
def line(transactional_db):
    """Return a connection as a request finds it that was kept by the one before."""
    mine = connection.copy()
    mine.ensure_connection()
    yield mine
    mine.close()


def end(mine):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [mine.connection.info.backend_pid])


def test_a_silent_connection_is_not_asked(line, monkeypatch):
    asked = []
    monkeypatch.setattr(
        line.connection, "cursor", lambda *args, **more: asked.append(args) or 1 / 0
    )

    assert line.is_usable()
    assert asked == []


def test_a_connection_that_the_server_closed_is_made_anew(line):
    first = line.connection
    end(line)

    line.close_if_unusable_or_obsolete()
    line.health_check_enabled, line.health_check_done = True, False
    with line.cursor() as cursor:
        cursor.execute("SELECT 1")

    assert not connections["default"].errors_occurred
    assert line.connection is not first


def test_a_connection_within_a_failed_transaction_is_not_usable(line):
    line.set_autocommit(False)
    with line.cursor() as cursor, pytest.raises(Exception, match="division by zero"):
        cursor.execute("SELECT 1 / 0")

    assert not line.is_usable()


def test_a_connection_that_has_been_told_something_is_asked_and_kept(line):
    with line.cursor() as cursor:
        cursor.execute("LISTEN news")
    with connection.cursor() as cursor:
        cursor.execute("NOTIFY news")

    assert line.is_usable()


@pytest.mark.parametrize(
    "said",
    [
        "2026-11-29 05:12:48.07",
        "2026-11-29 05:12:48",
        "2024-02-29 23:59:59.999999",
        "0001-01-01 00:00:00.000001",
        "9999-12-31 23:59:59.9",
    ],
)
def test_instants_are_read_to_the_microsecond_in_utc(db, said):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [said])
        (read,) = cursor.fetchone()
        loader = cursor.connection.adapters.get_loader(1184, 0)

    assert loader is InstantLoader
    assert (read, read.tzinfo) == (datetime.fromisoformat(said).replace(tzinfo=UTC), UTC)


@pytest.mark.parametrize("said", ["infinity", "10000-01-01", "0044-03-15 BC"])
def test_an_instant_that_python_has_no_words_for_is_refused(db, said):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [said])
        with pytest.raises(DataError):
            cursor.fetchone()
