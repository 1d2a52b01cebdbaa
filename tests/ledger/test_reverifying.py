"""Every seal is recomputed once a day, some at a time; what was altered is named, kept and told to who watches."""

import logging
from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test import RequestFactory

from config import backlog
from ledger.admin import SealAdmin
from ledger.models import Entry, Seal, Verification
from ledger.reverifying import PASS_EVERY, verify_some
from tests.ledger.make import NOW
from tests.ledger.seals import history, sealed

pytestmark = pytest.mark.django_db


@pytest.fixture
def seals():
    history()
    return sealed(limit=4)


def alter(key):
    """Change a note as who owns the database can."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE ledger_entry SET note = 'another' WHERE key = %s", [key])
        cursor.execute("SET LOCAL session_replication_role = origin")


def gauges():
    return {one.name: [line.value for line in one.samples] for one in backlog.read()}


def test_a_pass_takes_up_where_it_stopped_and_ends_at_the_newest_seal(seals):
    assert len(seals) == 3

    halves = [verify_some(now=NOW + timedelta(minutes=at), seals_max=2) for at in range(2)]

    assert [half.next_seal for half in halves] == [3, 4]
    assert [half.ended_at for half in halves] == [None, NOW + timedelta(minutes=1)]
    only = Verification.objects.get()
    assert (only.entry_count, only.fault_count, only.faults) == (9, 0, [])


def test_few_entries_are_enough_for_one_time(seals):
    assert verify_some(now=NOW, entries_max=1).next_seal == 2


def test_a_pass_begins_again_at_the_first_seal_a_day_later(seals):
    verify_some(now=NOW)

    assert verify_some(now=NOW + PASS_EVERY - timedelta(seconds=1)) is None
    assert verify_some(now=NOW + PASS_EVERY).entry_count == 9
    assert Verification.objects.count() == 2


def test_a_byte_altered_in_an_old_row_is_named_kept_and_told(seals, caplog):
    verify_some(now=NOW)
    alter("first")

    with caplog.at_level(logging.ERROR, logger="ledger.reverifying"):
        found = verify_some(now=NOW + PASS_EVERY)

    entry = Entry.objects.get(key="first")
    words = f"entry {entry.id} (first) of seal 1 is not as it was sealed"
    assert words in found.faults
    assert words in caplog.text
    assert gauges()["snm_ledger_altered"] == [found.fault_count]
    assert gauges()["snm_ledger_verified_seconds"][0] != 0


@pytest.mark.breaks_books
def test_a_row_beside_the_chain_is_found_where_a_pass_ends(seals):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_entry (key, code, at, note, digest, xid)"
            " SELECT 'slipped in', code, at, note, digest, xid - 1 FROM ledger_entry LIMIT 1"
        )

    assert "slipped in" in verify_some(now=NOW).faults[0]


def test_the_admin_shows_each_seal_with_its_last_clean_pass(seals):
    verify_some(now=NOW)
    later = NOW + PASS_EVERY
    verify_some(now=later, seals_max=1)

    shown = SealAdmin(Seal, admin.site)
    rows = shown.get_queryset(RequestFactory().get("/admin/")).order_by("number")

    assert [shown.verified_at(row) for row in rows] == [later, NOW, NOW]


def test_books_without_a_pass_raise_no_alarm():
    assert gauges()["snm_ledger_altered"] == []
