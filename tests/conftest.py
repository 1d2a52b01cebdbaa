"""What every test lives by: books are checked after each database test, and nothing leaves this machine."""

import os
from importlib import import_module

import pytest
from django.core.management.commands import flush
from django.db.backends.postgresql.operations import DatabaseOperations
from django.test import TransactionTestCase
from hypothesis import HealthCheck, settings
from pytest_socket import socket_allow_hosts

from config import garbage

# How fast examples are made says how busy the machine is, and nothing of what is tested. They are the same each time, so
# that a change is judged by what it changes; `make fuzz` draws others.
settings.register_profile(
    "patient",
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
    derandomize="FUZZ_SEED" not in os.environ,
)
settings.load_profile("patient")


def pytest_collection_modifyitems(items):
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        marked = item.get_closest_marker("django_db") is not None
        marked = marked or issubclass(getattr(item, "cls", None) or object, TransactionTestCase)
        if marked or {"db", "transactional_db", "live_server"} & set(fixtures):
            item.add_marker(pytest.mark.database)


def pytest_collection_finish():
    """Look for garbage as seldom as the processes that serve do: all that was collected stays to the end."""
    garbage.settle()


@pytest.fixture(autouse=True, scope="session")
def _only_this_machine():
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


def database_fixture(request):
    """Return the fixture by which a test has its database, None without one."""
    marker = request.node.get_closest_marker("django_db")
    if "transactional_db" in request.fixturenames or (marker and marker.kwargs.get("transaction")):
        return "transactional_db"
    return "db" if marker or "db" in request.fixturenames else None


@pytest.fixture(autouse=True)
def _books_are_balanced(request):
    """Check the books of every app after every test that touched the database."""
    fixture = database_fixture(request)
    if fixture is None:
        yield
        return
    request.getfixturevalue(fixture)
    from django.core.cache import cache

    cache.clear()
    yield
    if request.node.get_closest_marker("breaks_books"):
        return
    assert faults_of_the_books(request, is_rolled_back=fixture == "db") == []


def faults_of_the_books(request, *, is_rolled_back):
    """Return what a test left wrong. A test in one transaction is asked about the apps whose rows it wrote alone."""
    from ledger import invariants

    # The ledger's own tests post entries that name jobs and epochs nobody made.
    if "ledger" in request.path.parts:
        return invariants.check_books()
    if not is_rolled_back:
        return invariants.check_all_books()
    with invariants.planned_for_whole_tables():
        checks = [import_module(f"{app}.invariants").check_books for app in written_apps()]
        return [fault for check in checks for fault in check()]


def written_apps():
    """Return our apps whose tables this transaction wrote to; people alone are no business of the marketplace's."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT split_part(relname, '_', 1) FROM pg_stat_xact_user_tables"
            " WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND relname <> 'marketplace_user'"
        )
        return {app for (app,) in cursor.fetchall()} & {
            "ledger",
            "subnets",
            "compute",
            "marketplace",
        }


# What Django itself writes after migrating, and would write again after each flush.
KEPT_TABLES = {"django_content_type", "auth_permission", "django_site"}
# A table that nobody ever wrote to has no page. Emptying a hundred tables by TRUNCATE makes a new file for each of them
# and its indexes: half a second, where most tests wrote some rows in twenty.
EMPTY = """
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY '{%s}'::text[] LOOP
        IF pg_relation_size(name::regclass) > 0 THEN
            EXECUTE format('DELETE FROM %%I', name);
        END IF;
    END LOOP;
END $$
"""


@pytest.fixture(autouse=True, scope="session")
def _flush_may_delete():
    """Let the flush that ends a test which committed pass the triggers that refuse it to everyone, and be quick."""

    def sql_flush(self, style, tables, **kwargs):
        emptied = ",".join(sorted(set(tables) - KEPT_TABLES))
        # No setting puts the ledger's triggers to sleep, but this one, which is a superuser's.
        return ["SET LOCAL session_replication_role = replica", EMPTY % emptied]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", sql_flush)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *words, **more: None)
        yield
