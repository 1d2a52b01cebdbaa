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


def test_back_after_each_step_shows_a_page_and_never_asks_to_send_again(site, browsing):
    path = f"/auctions/{site.auction_id}/"
    page = browsing.open(path, person=site.bidder)

    page.get_by_label("Your maximum").fill("1")
    page.get_by_role("button", name="Review the bid").click()
    expect(page.get_by_text("The lowest bid taken now is 10 TAO")).to_be_visible()
    page.get_by_label("Your maximum").fill("12")
    page.get_by_role("button", name="Review the bid").click()
    expect(page.get_by_role("heading", name="Confirm your bid")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Your maximum")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("heading", name="Confirm your bid")).to_be_visible()
    page.get_by_role("button", name="Place the bid").click()
    expect(page.get_by_text("You lead.", exact=False).first).to_be_visible()
    page.go_back()

    # The bid is placed: where its review was there is the auction.
    expect(page.get_by_text("You lead.", exact=False).first).to_be_visible()
    assert page.url.split("#")[0].endswith(path)

    page = browsing.open("/slots/new/", person=site.bidder)
    page.get_by_label("Name").fill("Prime Products")
    page.get_by_label("Summary").fill("Multiplies.")
    page.get_by_role("button", name="Review the purchase").click()
    expect(page.get_by_text("Another subnet is called")).to_be_visible()
    page.get_by_label("Name").fill("Prime Numbers")
    page.get_by_role("button", name="Review the purchase").click()
    expect(page.get_by_role("heading", name="Confirm the purchase")).to_be_visible()
    page.go_back()

    expect(page.get_by_role("heading", name="Buy a free slot")).to_be_visible()


def test_an_outbid_page_shows_what_is_free_again_and_keeps_its_way_to_write_instants(
    site, browsing
):
    path = f"/auctions/{site.auction_id}/"
    site.bidder.post(f"auctions/{site.auction_id}/bids/", {"max_rao": str(15 * 10**9)})
    page = browsing.open(path, person=site.bidder)
    purse, available = page.locator("[data-role=purse]"), page.locator("[data-role=available]")
    expect(available).to_have_text("985.0000")
    ends = page.locator("[data-role=closes]").text_content()

    site.bid_first()

    expect(page.get_by_text("You have been outbid.", exact=True)).to_be_visible()
    expect(available).to_have_text("1\u202f000.0000")
    expect(purse).to_have_text("1\u202f000.00")
    assert page.locator("[data-role=closes]").text_content() == ends
