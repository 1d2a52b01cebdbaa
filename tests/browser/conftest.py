"""What the browser's tests share: one site with something on every page, a Chromium, pages that remember their faults.

The site is filled before Playwright starts and is left alone until it ends: Playwright runs an event loop in the
thread, in which Django refuses to touch the database. What a test asks of the site, it asks over HTTP.
"""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect, sync_playwright

from compute import operations as compute
from compute import tasks
from launch import browser as chromiums
from ledger.money import RAO_PER_TAO as TAO
from tests import make
from tests.people import Person
from tests.processes import House, collected_static, show_logs

WAIT_MS = 15_000
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
    """What stands on the pages: a subnet at work with its owner, an auction, and two bidders with TAO."""

    address: str
    owner: Person
    netuid: int
    auction_id: str
    first_bidder: Person
    bidder: Person

    def bid_first(self):
        """Place the auction's first bid: its maximum is 20 TAO, its price the 10 that the auction starts at."""
        self.first_bidder.post(f"auctions/{self.auction_id}/bids/", {"max_rao": str(20 * TAO)})


@pytest.fixture
def house(transactional_db, tmp_path, tmp_path_factory):
    """Run web and events."""
    with House(tmp_path, static=collected_static(tmp_path_factory)) as house:
        house.start("web", "events")
        yield house


@pytest.fixture
def site(house):
    """Fill the site: an hour of work and an epoch paid, then people who came through the door."""
    past = timezone.now() - timedelta(hours=2)
    make.network(now=past)
    owner, first, bidder = (
        house.person(name, tao=1_000) for name in ("owner", "first-bidder", "bidder")
    )
    netuid = an_hour_of_work(owner, past)
    sold = make.subnet(owner.id, name="Blank Slate", now=past)
    auction = owner.post(
        "auctions/", {"netuid": sold, "start_rao": str(10 * TAO), "duration_s": 3_600}
    )
    return Site(house.address, owner, netuid, auction["id"], first, bidder)


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
        if person is not None:
            session = person._http.cookies["sessionid"]
            context.add_cookies([{"name": "sessionid", "value": session, "url": self._address}])
        page = context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.goto(path)
        return page

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


@pytest.fixture
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
    browsing = Browsing(chromium, site.address)
    yield browsing
    browsing.close()
    assert browsing.faults == []
