"""Pages that people who see little, use a phone or like it dark can use, and that raise no error."""

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = [pytest.mark.browser, pytest.mark.network]

GRAVE = {"serious", "critical"}
PHONE = {"width": 390, "height": 844}
PAGES = {
    "home": lambda site: ("/", None),
    "subnets": lambda site: ("/subnets/", None),
    "subnet": lambda site: (f"/subnets/{site.netuid}/", None),
    "auction": lambda site: (f"/auctions/{site.auction_id}/", site.first_bidder),
    "wallet": lambda site: ("/wallet/", site.owner),
    "login": lambda site: ("/accounts/login/", None),
}


def violations(page):
    """Return what axe finds grave: rule, and the elements that break it."""
    found = Axe().run(page).response["violations"]
    return {
        fault["id"]: [node["html"][:200] for node in fault["nodes"]]
        for fault in found
        if fault["impact"] in GRAVE
    }


def faults(page):
    """Return what is wrong with a page on a desk by day and on a phone by night."""
    found = {"desk": violations(page)}
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)
    found["phone"] = violations(page)
    width = page.evaluate("document.documentElement.scrollWidth")
    if width > PHONE["width"]:
        found["phone"]["too wide"] = width
    return {where: what for where, what in found.items() if what}


def test_every_page_can_be_used_by_everybody(site, browsing):
    site.bid_first()
    found = {}
    for name, where in PAGES.items():
        path, person = where(site)
        # Without motion axe sees no colour half way from day to night.
        page = browsing.open(path, person=person, color_scheme="light", reduced_motion="reduce")
        assert page.locator("h1").count() == 1, name
        found[name] = faults(page)

    assert {name: what for name, what in found.items() if what} == {}
