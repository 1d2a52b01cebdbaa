"""What the browser's tests share: one site with something on every page, a Chromium, pages that remember their faults.

The site is founded once for all of them, before Playwright starts: that runs an event loop in the thread, in which
Django refuses to touch the database. What a test asks of the site, it asks over HTTP, or of a clerk in another thread.
`make test` keeps these tests on one of its workers (`--dist loadgroup`).
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, connections
from django.utils import timezone
from playwright.sync_api import expect, sync_playwright

from compute import operations as compute
from compute import tasks
from launch import browser as chromiums
from ledger import invariants
from ledger.money import RAO_PER_TAO as TAO
from subnets import operations as subnets
from tests import make
from tests.people import Person
from tests.processes import House, collected_static, show_logs

WAIT_MS = 60_000
CHROMIUM_WORDS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    """Keep the browser's tests on one worker, and have a test database made for them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.django_db(transaction=True))


@pytest.fixture(autouse=True)
def _django_db_marker():
    """Leave the database as it is between tests of the browser: the house empties it after the last one."""


@pytest.fixture(autouse=True)
def _books_are_balanced():
    """Leave the books to the house, which checks them after the last test."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Show a failed test's logs, and what its pages looked like."""
    report = yield
    show_logs(item, report)
    browsing = item.funcargs.get("browsing")
    if report.failed and call.when == "call" and browsing is not None:
        report.sections += browsing.screenshots(item.funcargs["tmp_path"])
    return report


@dataclass(frozen=True)
class Site:
    """A subnet at work with its owner, and a clerk who calls operations from a thread that runs no event loop."""

    house: House
    owner: Person
    netuid: int
    clerk: ThreadPoolExecutor

    def ask(self, function, *words, **more):
        """Have the clerk call something that needs the database; return what it returns."""
        return self.clerk.submit(function, *words, **more).result()

    def person(self, name, *, tao):
        """Sign somebody up, with TAO."""
        return self.ask(self.house.person, name, tao=tao)

    def listed(self, name):
        """Put a new subnet of the owner up, from 10 TAO, for an hour; return what the API says of the auction."""
        netuid = self.ask(lambda: make.subnet(self.owner.id, name=name, now=timezone.now()))
        terms = {"netuid": netuid, "start_rao": str(10 * TAO), "duration_s": 3_600}
        return self.owner.post("auctions/", terms)


@pytest.fixture(scope="package")
def house(django_db_setup, django_db_blocker, tmp_path_factory):
    """Run web and events for all tests of the browser; afterwards the books balance, and nothing is left."""
    with django_db_blocker.unblock():
        assert connection.settings_dict["NAME"].startswith("test_")
        cache.clear()
        static = collected_static(tmp_path_factory)
        with House(tmp_path_factory.mktemp("site"), static=static) as house:
            house.start("web", "events")
            yield house
        faults = invariants.check_all_books()
        call_command("flush", interactive=False, verbosity=0)
    assert faults == []


@pytest.fixture(scope="package")
def site(house):
    """Fill the site: an hour of work and an epoch paid."""
    past = timezone.now() - timedelta(hours=2)
    # A slot costs twice what the one before did: a dozen of them have to stay payable.
    subnets.found_network(block_ms=12_000, min_lock_rao=TAO // 10, now=past)
    make.network(now=past)
    owner = house.person("owner", tao=20_000)
    netuid = an_hour_of_work(owner, past)
    with ThreadPoolExecutor(1) as clerk:
        yield Site(house, owner, netuid, clerk)
        clerk.submit(connections.close_all).result()


def an_hour_of_work(owner, past):
    """Make a subnet on which jobs were done, judged and paid, and an epoch closed; return its netuid."""
    netuid = make.subnet(owner.id, name="Prime Products", now=past)
    miner, validator = make.miner(netuid, now=past), make.validator(netuid, now=past)
    for minute in range(3):
        now = past + timedelta(minutes=minute)
        job = make.job(netuid, now=now)
        # A machine is live for a minute after it was heard of.
        compute.see_machine(machine_id=miner.machine_id, hotkey=miner.hotkey, now=now)
        (lease,) = make.dispatched(now=now)
        make.scored(make.returned(lease, miner, now=now), validator, now=now)
        compute.settle_job(job_id=job.pk, now=now)
    tasks.close_due_epochs()
    return netuid


class Browsing:
    """The pages one test has open, and what went wrong on them."""

    def __init__(self, chromium, address):
        self._chromium = chromium
        self._address = address
        self.contexts = []
        self.faults = []

    def open(self, path, *, person=None, **looks):
        """Open a page in a browser of its own, signed in as somebody or as nobody."""
        context = self._chromium.new_context(base_url=self._address, **looks)
        context.set_default_timeout(WAIT_MS)
        self.contexts.append(context)
        self.enter(context, person)
        page = context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.goto(path)
        return page

    def enter(self, context, person):
        """Be somebody from the next page on, or nobody."""
        context.clear_cookies()
        if person is not None:
            session = person._http.cookies["sessionid"]
            context.add_cookies([{"name": "sessionid", "value": session, "url": self._address}])

    def screenshots(self, folder):
        """Picture every open page; return sections for the report that say where."""
        pages = [page for context in self.contexts for page in context.pages]
        sections = []
        for number, page in enumerate(pages):
            file = folder / f"page-{number}.png"
            page.screenshot(path=file, full_page=True)
            sections.append(("screenshot", f"{page.url}: {file}"))
        return sections

    def close(self):
        for context in self.contexts:
            context.close()

    def _hear(self, message):
        if message.type == "error":
            self.faults.append(f"{message.text} ({message.location['url']})")


@pytest.fixture(scope="package")
def chromium(site):
    """A headless Chromium; closed before the house, so that Django may use the database again."""
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromiums.ensure(), args=CHROMIUM_WORDS
        )
        yield browser
        browser.close()


@pytest.fixture
def browsing(chromium, site, tmp_path):
    """Pages of one test; each error in a console fails it."""
    browsing = Browsing(chromium, site.house.address)
    yield browsing
    browsing.close()
    assert browsing.faults == []
