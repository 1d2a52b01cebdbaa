"""The story of a sale: a slot is bought, two bid for the subnet, it closes late, and the money and the keys change hands."""

import json
from contextlib import contextmanager
from datetime import datetime, timedelta

import httpx
import pytest
from django.utils import timezone

from ledger import chart
from ledger import queries as books
from ledger.money import RAO_PER_TAO as TAO

pytestmark = pytest.mark.network

BLOCK_MS = 12_000  # the first epoch is an hour away: no emission in this story's money
DURATION_S = 16
CLOCK = {"AUCTION_SOFT_CLOSE_S": "8", "AUCTION_SOFT_CLOSE_CAP_S": "16"}
LATE = timedelta(seconds=6)  # within the last 8 seconds, in which a bid moves the end
FEE_BPS = 250


class Stream:
    """A reader of server-sent events, over one open connection."""

    def __init__(self, lines):
        self._lines = lines
        self.versions = []

    def next(self):
        """Wait for the next event; return what it says."""
        event = {}
        for line in self._lines:
            name, _, value = line.partition(": ")
            if line:
                event[name] = value
            elif "data" in event:
                break
        said = json.loads(event["data"])
        assert event["event"] == "auction"
        assert event["id"] == str(said["version"])
        self.versions.append(said["version"])
        return said


@contextmanager
def watching(url):
    """Open a stream as anybody may: no account, no cookie."""
    with (
        httpx.Client(timeout=60, trust_env=False) as client,
        client.stream("GET", url) as answer,
    ):
        assert answer.status_code == httpx.codes.OK
        yield Stream(answer.iter_lines())


def bid(on, bidder, tao):
    return bidder.post(f"auctions/{on['id']}/bids/", {"max_rao": str(tao * TAO)})


def instant(text):
    return datetime.fromisoformat(text)


def owns(person, netuid):
    """Say whether somebody can open a subnet in the owners' console."""
    return person.page(f"/owner/subnets/subnet/{netuid}/change/").status_code == httpx.codes.OK


def test_a_subnet_is_bought_auctioned_and_handed_over(house):
    house.start("web", "events", "worker", "beat")
    seller, ann, bob = (house.person(name, tao=100) for name in ("seller", "ann", "bob"))

    slot = seller.post(
        "slots/",
        {
            "name": "Prime Products",
            "summary": "Multiplies matrices.",
            "blueprint": "matmul",
            "max_cost_rao": str(50 * TAO),
        },
    )
    netuid, cost_rao = slot["netuid"], int(slot["cost_rao"])
    assert seller.wallet == (100 * TAO - cost_rao, 0)
    assert owns(seller, netuid)

    on = seller.post(
        "auctions/", {"netuid": netuid, "start_rao": str(10 * TAO), "duration_s": DURATION_S}
    )
    with watching(f"{house.events_address}/events/auctions/{on['id']}/") as stream:
        assert stream.next()["price_rao"] is None

        assert bid(on, ann, 20)["is_leading"]
        first = stream.next()
        assert (first["price_rao"], first["leader_alias"]) == (str(10 * TAO), "bidder 1")
        assert ann.wallet == (100 * TAO, 20 * TAO)

        # One step above the 20 TAO of the runner-up: half a TAO there.
        assert bid(on, bob, 30)["price_rao"] == str(20 * TAO + TAO // 2)
        second = stream.next()
        assert (second["price_rao"], second["leader_alias"]) == (
            str(20 * TAO + TAO // 2),
            "bidder 2",
        )
        assert ann.wallet == (100 * TAO, 0)
        assert bob.wallet == (100 * TAO, 30 * TAO)
        assert second["closes_at"] == first["closes_at"]

        closes_at = instant(on["closes_at"])
        house.until(lambda: timezone.now() > closes_at - LATE, "the last seconds")
        late = bid(on, ann, 40)
        third = stream.next()
        assert (third["price_rao"], third["leader_alias"]) == (str(31 * TAO), "bidder 1")
        assert instant(late["closes_at"]) > closes_at

        assert stream.next()["state"] == "settled"
        assert timezone.now() >= instant(late["closes_at"])
        assert stream.versions == sorted(set(stream.versions))
        assert len(stream.versions) == 5

    fee_rao = 31 * TAO * FEE_BPS // 10_000
    assert bob.wallet == (100 * TAO, 0)
    assert ann.wallet == (69 * TAO, 0)
    assert seller.wallet == (131 * TAO - cost_rao - fee_rao, 0)
    assert books.balance(chart.FEES).posted_rao == fee_rao

    assert ann.get(f"subnets/{netuid}/")["owner"] == str(ann.id)
    assert [owns(who, netuid) for who in (seller, ann, bob)] == [False, True, False]

    grant = ("treasury:grant:made", 100 * TAO)
    sale = "auction:sale:settled"
    assert bob.statement() == [grant]
    assert ann.statement() == [grant, (sale, -(31 * TAO - fee_rao)), (sale, -fee_rao)]
    assert seller.statement() == [
        grant,
        ("subnet:slot:bought", -cost_rao),
        (sale, 31 * TAO - fee_rao),
    ]

    figures = bob.get("network/")
    assert (figures["auctions_settled_count"], figures["auctions_open_count"]) == (1, 0)
    assert figures["is_balanced"] is True
