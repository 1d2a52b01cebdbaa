"""The quick start of docs/api.md, run against a server: what a stranger copies has to work."""

import json
import re
import subprocess
from datetime import timedelta

import pytest
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from ledger.scopes import Scope
from marketplace import operations
from marketplace.models import Bid
from tests.marketplace import world
from tests.project import tree

pytestmark = pytest.mark.django_db(transaction=True)


def quick_start(language):
    section = tree.text("docs/api.md").split("## Quick start")[1].split("\n## ")[0]
    return re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)[1]


def test_a_stranger_bids_by_the_quick_start(live_server, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    now = timezone.now()
    ada = world.person(tao=100)
    auctions = [world.auction(now=now) for _ in range(2)]
    key = operations.create_api_key(
        owner=ada.id,
        name="bot",
        scopes=[Scope.READ, Scope.BID],
        expires_at=now + timedelta(days=1),
        now=now,
    )
    bot = {}
    exec(quick_start("python"), bot)  # the words of the page are the test

    seen = [row["id"] for row in bot["rows"](live_server.url, "auctions/", limit=1)]
    _, etag = bot["changed"](live_server.url, f"auctions/{auctions[0].id}/")
    same, _ = bot["changed"](live_server.url, f"auctions/{auctions[0].id}/", etag)
    placed = bot["bid"](live_server.url, key.text, auctions[0].id, 40 * TAO)
    low = bot["bid"](live_server.url, key.text, auctions[0].id, 1)
    after, _ = bot["changed"](live_server.url, f"auctions/{auctions[0].id}/", etag)
    by_hand = subprocess.run(
        ["bash", "-ec", quick_start("sh")],
        env={
            "PATH": "/usr/bin:/bin",
            "NO_PROXY": "*",
            "SITE": live_server.url,
            "KEY": key.text,
            "AUCTION": str(auctions[1].id),
        },
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert set(seen) == {str(auction.id) for auction in auctions}
    assert same is None
    assert (placed["is_leading"], low["code"]) == (True, "maximum_not_raised")
    assert after["version"] == 1
    last = json.JSONDecoder().raw_decode(by_hand[by_hand.rindex('{"bid_id"') :])[0]
    assert last["is_leading"] is True
    assert Bid.objects.filter(bidder=ada.id).count() == 2
