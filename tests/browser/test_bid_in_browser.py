"""A bid placed by hand in one browser moves the price in another."""

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.network]

PRICE, LABEL = "[data-role=price]", "[data-role=price-label]"


def test_a_bid_placed_in_one_browser_moves_the_price_in_another(site, browsing):
    path = f"/auctions/{site.auction_id}/"
    watcher = browsing.open("/")
    # What a poll would hear stays as it was: only the event stream can tell of the bids.
    before = site.bidder.get(f"auctions/{site.auction_id}/")
    watcher.route(f"**/api/v1{path}", lambda route: route.fulfill(json=before))
    watcher.goto(path)
    watcher.evaluate("window.wasHereBefore = true")
    expect(watcher.locator(LABEL)).to_have_text("Bids start at")
    site.bid_first()
    expect(watcher.locator(LABEL)).to_have_text("The price now")
    expect(watcher.locator(PRICE)).to_have_text("10")

    bidder = browsing.open(path)
    bidder.get_by_role("main").get_by_role("link", name="Sign in").click()
    bidder.get_by_label("Email").fill(site.bidder.email)
    bidder.get_by_label("Password").fill(site.bidder.password)
    bidder.get_by_role("button", name="Sign in").click()
    bidder.get_by_label("Your maximum").fill("30")
    bidder.get_by_role("button", name="Review the bid").click()
    expect(bidder.get_by_role("heading", name="Confirm your bid")).to_be_visible()
    assert site.bidder.wallet[1] == 0
    bidder.get_by_role("button", name="Place the bid").click()

    expect(bidder.locator(PRICE)).to_have_text("20.5")
    expect(bidder.get_by_text("You lead.", exact=False).first).to_be_visible()
    expect(watcher.locator(PRICE)).to_have_text("20.5")
    expect(watcher.locator("[data-role=leader]")).to_have_text("Bidder 2")
    expect(watcher.locator("[data-role=bid-count]")).to_have_text("2")
    expect(watcher.locator("[data-role=live] tbody tr")).to_have_count(2)
    assert watcher.evaluate("window.wasHereBefore") is True
    assert site.bidder.wallet[1] == 30 * 10**9
    assert site.first_bidder.wallet[1] == 0
