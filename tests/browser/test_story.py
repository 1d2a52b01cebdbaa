"""The story of a purchase, from two people's sign-up to ownership; one of them has a keyboard and nothing else."""

from datetime import datetime
from uuid import UUID

import pytest
from playwright.sync_api import expect

from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations as market

pytestmark = [pytest.mark.browser, pytest.mark.network]

STOPS_MAX = 80  # more presses of Tab than any page here has stops
PASSWORD = "a long password of theirs"

# Where the keyboard stands: whether it shows, is on the screen with nothing above it, and comes after the last stop.
STOP = """() => {
  const stop = document.activeElement;
  if (stop === document.body) { window.lastStop = null; return null; }
  const style = getComputedStyle(stop), box = stop.getBoundingClientRect(), before = window.lastStop;
  const above = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  window.lastStop = stop;
  return {
    stop: stop.outerHTML.slice(0, 200),
    isMarked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    isSeen: above !== null && (stop.contains(above) || above.contains(stop)),
    isNext: !before || !before.isConnected || before === stop
      || Boolean(before.compareDocumentPosition(stop) & Node.DOCUMENT_POSITION_FOLLOWING),
  };
}"""


class Keyboard:
    """Somebody who goes through the pages by Tab and Enter, and sees at every stop where they are."""

    def __init__(self, page):
        self.page = page

    def go(self, wanted):
        """Press Tab until the control is reached."""
        expect(wanted).to_be_visible()
        for _ in range(STOPS_MAX):
            self.page.keyboard.press("Tab")
            at = self.page.evaluate(STOP)
            assert at is None or (at["isMarked"] and at["isSeen"] and at["isNext"]), at
            if wanted.evaluate("control => control === document.activeElement"):
                return
        raise AssertionError(f"Tab does not lead to {wanted} on {self.page.url}")

    def press(self, role, name):
        """Reach a link or a button and press Enter."""
        self.go(self.page.get_by_role(role, name=name).first)
        self.page.keyboard.press("Enter")

    def fill(self, name, words):
        """Reach a field and type in it."""
        self.go(self.page.get_by_label(name))
        self.page.keyboard.type(words)


class Mouse:
    """Somebody who points and clicks."""

    def __init__(self, page):
        self.page = page

    def press(self, role, name):
        self.page.get_by_role(role, name=name).first.click()

    def fill(self, name, words):
        self.page.get_by_label(name).fill(words)


def signs_up(hand, email):
    hand.press("link", "Open an account")
    hand.fill("Email", email)
    hand.fill("Password", PASSWORD)
    hand.press("button", "Open the account")
    expect(hand.page.get_by_role("heading", name="Wallet")).to_be_visible()


def takes_test_tao(hand):
    hand.press("button", "test TAO")
    expect(hand.page.locator("[data-role=purse]")).to_have_text("10\u202f000.00")


def finds(hand, words, name):
    hand.press("link", "Subnets")
    hand.fill("Name, words or number", words)
    hand.press("button", "Show")
    hand.press("link", name)
    hand.press("link", "Go to the auction")
    expect(hand.page.locator("[data-role=price-label]")).to_be_visible()


def bids(hand, tao):
    hand.fill("Your maximum", str(tao))
    hand.press("button", "Review the bid")
    expect(hand.page.get_by_role("heading", name="Confirm your bid")).to_be_visible()
    hand.press("button", "Place the bid")
    expect(hand.page.get_by_text("You lead.", exact=False).first).to_be_visible()


def hears_by_the_stream_alone(hand, site, auction_id):
    """Let a poll hear what it heard before, so that only the event stream can tell of bids; mark the page."""
    before = site.owner.get(f"auctions/{auction_id}/")
    address = f"**/api/v1/auctions/{auction_id}/"
    hand.page.route(address, lambda route: route.fulfill(json=before))
    hand.page.evaluate("window.wasHereBefore = true")


def is_outbid(hand, price, *, free):
    """Wait until a page that was not loaded again says so, with the price and what is free again."""
    page = hand.page
    expect(page.get_by_text("You have been outbid.", exact=True)).to_be_visible()
    expect(page.locator("[data-role=price]")).to_have_text(price)
    expect(page.locator("[data-role=available]")).to_have_text(free)
    expect(page.locator("[data-role=purse]")).to_have_text(free.removesuffix("00"))
    assert page.evaluate("window.wasHereBefore") is True


def test_two_people_sign_up_and_bid_and_the_one_without_a_mouse_owns_the_subnet(site, browsing):
    on = site.listed("Blank Slate")
    ann = Mouse(browsing.open("/", reduced_motion="reduce"))
    bob = Keyboard(browsing.open("/", reduced_motion="reduce"))

    for who, email in ((ann, "ann@example.com"), (bob, "bob@example.com")):
        signs_up(who, email)
        takes_test_tao(who)
        finds(who, "blank slat", "Blank Slate")

    bids(ann, 20)
    hears_by_the_stream_alone(ann, site, on["id"])
    ends = ann.page.locator("[data-role=closes]").text_content()
    bob.page.reload()
    bids(bob, 25)
    is_outbid(ann, "20.5", free="10\u202f000.0000")
    assert ann.page.locator("[data-role=closes]").text_content() == ends
    expect(ann.page.locator("[data-role=leader]")).to_have_text("Bidder 2")
    expect(ann.page.locator("[data-role=live] tbody tr")).to_have_count(2)
    hears_by_the_stream_alone(bob, site, on["id"])
    ann.page.unroute_all()
    bids(ann, 40)
    is_outbid(bob, "26", free="10\u202f000.0000")
    bids(bob, 60)
    expect(bob.page.locator("[data-role=price]")).to_have_text("41")
    seller_loses_and_bob_has_it(site, ann, bob, on)


def seller_loses_and_bob_has_it(site, ann, bob, on):
    """Settle at the close: the pages of all three say so, and the console has another owner."""
    console = f"/owner/subnets/subnet/{on['netuid']}/change/"
    seller_rao = site.owner.wallet[0]
    closes_at = datetime.fromisoformat(on["closes_at"])
    site.ask(market.settle_auction, auction_id=UUID(on["id"]), now=closes_at)
    expect(ann.page.get_by_text("Another bidder won.")).to_be_visible()
    expect(ann.page.locator("[data-role=purse]")).to_have_text("10\u202f000.00")
    expect(bob.page.get_by_text("You won.")).to_be_visible()
    expect(bob.page.locator("[data-role=purse]")).to_have_text("9\u202f959.00")
    bob.press("link", "Set its rule")
    expect(bob.page.get_by_text("Blank Slate").first).to_be_visible()

    bob.page.goto(console)
    expect(bob.page.get_by_role("heading", name="Blank Slate").first).to_be_visible()
    assert site.owner.page(console).status_code != 200
    fee_rao = 41 * TAO * 250 // 10_000
    assert site.owner.wallet[0] == seller_rao + 41 * TAO - fee_rao
