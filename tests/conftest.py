"""What every test lives by: books are checked after each database test, and nothing leaves this machine."""

import pytest
from pytest_socket import socket_allow_hosts


def pytest_collection_modifyitems(items):
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        marked = item.get_closest_marker("django_db") is not None
        if marked or {"db", "transactional_db", "live_server"} & set(fixtures):
            item.add_marker(pytest.mark.database)


@pytest.fixture(autouse=True, scope="session")
def _only_this_machine():
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _books_are_balanced(request):
    """Check the books of every app after every test that touched the database."""
    uses_database = bool({"db", "transactional_db"} & set(request.fixturenames))
    if not uses_database:
        yield
        return
    request.getfixturevalue(
        "transactional_db" if "transactional_db" in request.fixturenames else "db"
    )
    from django.core.cache import cache

    cache.clear()
    yield
    if request.node.get_closest_marker("breaks_books"):
        return
    from ledger.invariants import check_all_books

    assert check_all_books() == []
