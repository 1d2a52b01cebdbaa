"""The two steps of a bid and of a purchase, walked back and forth."""

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.network]


def test_back_after_each_step_shows_a_page_and_never_asks_to_send_again(site, browsing):
    bidder = site.person("careful", tao=1_000)
    path = f"/auctions/{site.listed('Turning Back')['id']}/"
    page = browsing.open(path, person=bidder)

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

    page = browsing.open("/slots/new/", person=bidder)
    page.get_by_label("Name").fill("Prime Products")
    page.get_by_label("Summary").fill("Multiplies.")
    page.get_by_role("button", name="Review the purchase").click()
    expect(page.get_by_text("Another subnet is called")).to_be_visible()
    page.get_by_label("Name").fill("Prime Numbers")
    page.get_by_role("button", name="Review the purchase").click()
    expect(page.get_by_role("heading", name="Confirm the purchase")).to_be_visible()
    page.go_back()

    expect(page.get_by_role("heading", name="Buy a free slot")).to_be_visible()
