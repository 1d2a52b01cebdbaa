"""What the stories share: a house of their own, opened for one test and closed before the database is flushed."""

import pytest
from django.utils import timezone

from tests import make
from tests.processes import House, collected_static, show_logs


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    show_logs(item, report)
    return report


@pytest.fixture
def house(request, transactional_db, tmp_path, tmp_path_factory):
    """A founded network, its treasury full, blocks of the story's BLOCK_MS and its CLOCK; no process runs yet."""
    make.network(block_ms=request.module.BLOCK_MS, now=timezone.now())
    clock = getattr(request.module, "CLOCK", {})
    with House(tmp_path, static=collected_static(tmp_path_factory), **clock) as house:
        yield house
