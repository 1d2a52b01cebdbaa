"""Pages that people look around on: server time, statements and bytes, with all 128 slots taken.

Each subnet has 96 neurons, 64 of them validators, and a week of closed epochs; there were 10 000 sales and 40 subnets are for sale. A page
is asked for through the whole stack of middleware, gzip included, in this process; templates are warm. Each page
is measured cold, with every figure that is kept in Redis forgotten before, and as the next reader gets it. The guide, a page without figures, is asked for in the same
run: it is the floor under any page here.
"""

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bench import _crowd, _world
from bench.figures import Figure
from ledger.money import RAO_PER_TAO
from marketplace.models import Auction, Bid, Sale
from subnets.models import Network

SUBNETS, NEURONS, SALES, LISTINGS, BIDS = 128, 96, 10_000, 40, 30
EPOCHS = 7 * 20  # a week at the chain's tempo
RUNS = 31
LIST_MS_MAX, PAGE_KB_MAX = 50, 120
OWNER = UUID(int=7)
FLOOR = "/docs/start/"
UNCOLLECTED = "django.contrib.staticfiles.storage.StaticFilesStorage"  # needs no collectstatic

EPOCH_ROWS = """
INSERT INTO subnets_epoch (id, subnet_id, number, start_block, end_block, closed_at, rule_id, emission_rao, owner_rao,
                           miners_rao, validators_rao, burned_rao, rule_fault, bundle, handed_on, digest)
SELECT gen_random_uuid(), rule.subnet_id, number, number * 360, number * 360 + 360,
       %(now)s - (%(epochs)s - number) * interval '72 minutes', rule.id,
       1000 * part, 180 * part, 410 * part, 410 * part, 0, '',
       decode(repeat(md5(number::text), 60), 'hex'), decode(md5(number::text), 'hex'), repeat('0', 64)
FROM subnets_incentiverule AS rule, generate_series(1, %(epochs)s) AS number,
     LATERAL (SELECT (1000000 + hashtext(number || ':' || rule.subnet_id) %% 100000)::bigint AS part) AS part
"""


def measure() -> Iterator[Figure]:
    """Ask for each page many times."""
    with _world.opened():
        settings.ALLOWED_HOSTS = ["testserver"]
        settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": UNCOLLECTED}}
        listed = filled()
        floor_ms = asked(FLOOR).warm_ms
        pages = {
            f"list of {SUBNETS} subnets": "/subnets/",
            "  searched, filtered, sorted": "/subnets/?q=subent&price_max=9000&sort=yield",
            "subnet": "/subnets/3/",
            "data room": "/subnets/3/data-room/",
            "four side by side": "/subnets/compare/?netuid=3&netuid=7&netuid=60&netuid=128",
            "auction": f"/auctions/{listed[0].pk}/",
            "auctions": "/auctions/",
            "home": "/",
        }
        for name, address in pages.items():
            page = asked(address)
            target = LIST_MS_MAX if name.startswith("list") else None
            yield Figure(name=f"{name}: median, cold", value=page.cold_ms, unit="ms", target=target)
            yield Figure(
                name="  with figures kept",
                value=page.warm_ms,
                unit="ms",
                peer=floor_ms,
                peer_name="the guide",
            )
            yield Figure(name="  statements, cold", value=page.statement_count, unit="")
            yield Figure(
                name="  over the wire", value=page.kilobytes, unit="kB", target=PAGE_KB_MAX
            )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page takes: milliseconds of the server, statements, kilobytes as they travel."""

    cold_ms: float
    warm_ms: float
    statement_count: int
    kilobytes: float


def asked(address: str) -> Asked:
    """Ask for a page again and again."""
    client = Client(headers={"accept-encoding": "gzip"})
    client.get(address)
    cache.clear()
    with CaptureQueriesContext(connection) as statements:
        answer = client.get(address)
    statement_count = len(statements)  # before the next request forgets them
    if answer.status_code != 200:
        raise RuntimeError(f"{address}: {answer.status_code}")
    gc.collect()
    return Asked(
        cold_ms=median(taken_ms(client, address, is_cold=True) for _ in range(RUNS)),
        warm_ms=median(taken_ms(client, address, is_cold=False) for _ in range(RUNS)),
        statement_count=statement_count,
        kilobytes=len(answer.content) / 1000,
    )


def taken_ms(client: Client, address: str, *, is_cold: bool) -> float:
    """Time one request."""
    if is_cold:
        cache.clear()
    started = time.perf_counter()
    client.get(address)
    return (time.perf_counter() - started) * 1000


def filled() -> list[Auction]:
    """Take every slot, let a week pass, sell much; return what is for sale."""
    now = timezone.now()
    keys = _crowd.hotkeys(NEURONS)
    _crowd.founded(range(1, SUBNETS + 1), keys)
    Network.objects.update(genesis_at=now - timedelta(days=7))
    with connection.cursor() as cursor:
        cursor.execute(EPOCH_ROWS, {"now": now, "epochs": EPOCHS})
    Sale.objects.bulk_create(
        Sale(
            kind=Sale.Kind.SLOT,
            key=f"bench:sale:{place}",
            netuid=1 + place % SUBNETS,
            buyer=OWNER,
            price_rao=(100 + place % 977) * RAO_PER_TAO,
            fee_rao=0,
            sold_at=now - timedelta(hours=place),
        )
        for place in range(SALES)
    )
    listed = offered(now)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")  # as autovacuum would have by then
    return listed


def offered(now: datetime) -> list[Auction]:
    """Put subnets up for auction, and let people bid."""
    listed = Auction.objects.bulk_create(
        Auction(
            netuid=1 + place * 3,
            seller=OWNER,
            key=f"bench:auction:{place}",
            start_rao=(50 + place) * RAO_PER_TAO,
            fee_bps=250,
            soft_close_s=600,
            soft_close_cap_s=7200,
            opens_at=now - timedelta(days=1),
            scheduled_close_at=now + timedelta(days=1),
            closes_at=now + timedelta(days=1),
            price_rao=(50 + place + BIDS) * RAO_PER_TAO,
            leader=UUID(int=BIDS),
            bid_count=BIDS,
        )
        for place in range(LISTINGS)
    )
    Bid.objects.bulk_create(
        Bid(
            auction=auction,
            bidder=UUID(int=1 + place),
            key=f"bench:bid:{auction.pk}:{place}",
            sequence=1 + place,
            place=1 + place,
            max_rao=auction.start_rao + (1 + place) * RAO_PER_TAO,
            price_rao=auction.start_rao + place * RAO_PER_TAO,
            leader=UUID(int=1 + place),
            closes_at=auction.closes_at,
            placed_at=now - timedelta(minutes=BIDS - place),
        )
        for auction in listed
        for place in range(BIDS)
    )
    return listed
