"""The demo's programs take what visitors do to the demo: they bid where there are bids, and leave sold subnets alone."""

import pytest

from launch import crowd, seeding
from launch.visitor import VisitRefused

NOW, LATER = "2026-11-29T05:00:00Z", "2026-11-29T06:00:00Z"


class Bidder:
    """A visitor to whom so many auctions are open, and who remembers where they bid."""

    email = "cleo@example.com"

    def __init__(self, *auctions):
        self.auctions, self.bids = auctions, []

    def get(self, path, **params):
        return {"results": self.auctions}

    def post(self, path, body, *, key=None):
        if int(body["max_rao"]) > 100 * 10**9:
            raise VisitRefused(status=402, code="insufficient_funds", detail="Too dear.")
        self.bids.append((path, body["max_rao"]))
        return {"is_leading": True}


def auction(name, *, form="english", least="1000000000", opens_at=NOW):
    return {
        "id": name,
        "netuid": 1,
        "format": form,
        "min_next_rao": least,
        "bid_count": 0,
        "opens_at": opens_at,
        "server_now": NOW,
    }


def test_the_crowd_bids_in_english_auctions_that_have_begun_and_nowhere_else():
    bidder = Bidder(
        auction("fixed", form="fixed", least=None),
        auction("falling", form="dutch", least=None),
        auction("sealed", form="sealed"),
        auction("scheduled", opens_at=LATER),
        auction("too dear", least="900000000000"),
        auction("english"),
    )

    crowd.bid(bidder)

    assert bidder.bids == [("auctions/english/bids/", "2000000000")]


class Owner:
    """An owner who is refused with a code."""

    def __init__(self, code):
        self.code = code

    def put(self, path, body):
        raise VisitRefused(status=403, code=self.code, detail="Subnet 5 is not yours.")


def test_a_subnet_that_a_visitor_bought_does_not_stop_the_next_demo():
    assert "another owner" in seeding.serve_model(lambda name: Owner("not_the_owner"))
    with pytest.raises(VisitRefused):
        seeding.serve_model(lambda name: Owner("throttled"))
