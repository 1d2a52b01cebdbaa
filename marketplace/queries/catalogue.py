"""What the catalogue is made of: every subnet's figures, and what is asked for some, in as many statements for 128 as for one."""

from datetime import datetime

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from compute import queries as compute
from marketplace.browsing import Ask, Listing
from marketplace.models import Auction
from marketplace.offering import Format
from marketplace.queries.playing import price_shown
from subnets import queries as subnets

# The newest sale of each, found by the index marketplace_sale_history: not one pass over all sales.
LAST_SALES = """
SELECT asked.netuid, sale.price_rao, sale.sold_at FROM unnest(%s::int[]) AS asked (netuid)
CROSS JOIN LATERAL (
    SELECT price_rao, sold_at FROM marketplace_sale
    WHERE marketplace_sale.netuid = asked.netuid ORDER BY sold_at DESC LIMIT 1
) AS sale
"""

LIVE = (Auction.State.OPEN, Auction.State.AWAITING)
# What an ask is made of: every reader of a list pays for each column of an auction.
ASKED = (
    "netuid",
    "state",
    "format",
    "price_rao",
    "start_rao",
    "floor_rao",
    "half_life_s",
    "bid_count",
    "opens_at",
    "closes_at",
    "due_at",
)


def asks() -> list[Ask]:
    """List every live offer, the first to end first. One statement."""
    return _asks(Auction.objects.filter(state__in=LIVE).order_by("closes_at", "id"))


def ask_of(netuid: int) -> Ask | None:
    """Return the live offer of a subnet, if any."""
    found = _asks(Auction.objects.filter(netuid=netuid, state__in=LIVE))
    return found[0] if found else None


def _asks(rows: QuerySet[Auction]) -> list[Ask]:
    return [
        Ask(
            auction_id=row.pk,
            netuid=row.netuid,
            format=Format(row.format),
            price_rao=price_shown(row, now=row.server_now) or row.start_rao,
            bid_count=row.bid_count,
            opens_at=row.opens_at,
            closes_at=row.closes_at,
            is_open=row.state == Auction.State.OPEN and row.opens_at <= row.server_now,
            due_at=row.due_at if row.state == Auction.State.AWAITING else None,
        )
        for row in rows.only(*ASKED).annotate(server_now=Now())
    ]


def floor_ask(open_asks: list[Ask]) -> Ask | None:
    """Return the lowest of the offers that can be taken up now: the floor of the market."""
    return min(
        (ask for ask in open_asks if ask.is_open), key=lambda ask: ask.price_rao, default=None
    )


def subnet_figures(now: datetime) -> list[Listing]:
    """List every subnet with its figures, by number, without what is asked for it. Ten statements."""
    rows = subnets.subnet_rows(sort="netuid")
    if not rows:
        return []
    weeks = subnets.emission_weeks(now)
    shares = compute.job_shares(since=now - subnets.WEEK, now=now)
    sold = last_sales([row.netuid for row in rows])
    return [
        _listing(row, weeks.get(row.netuid), shares.get(row.netuid, 0), sold.get(row.netuid))
        for row in rows
    ]


def last_sales(netuids: list[int]) -> dict[int, tuple[int, datetime]]:
    """Return netuid → price and instant of its newest sale, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(LAST_SALES, [netuids])
        return {netuid: (price_rao, sold_at) for netuid, price_rao, sold_at in cursor.fetchall()}


def _listing(
    row: subnets.SubnetRow,
    week: subnets.EmissionWeek | None,
    job_share_rao: int,
    sold: tuple[int, datetime] | None,
) -> Listing:
    return Listing(
        netuid=row.netuid,
        name=row.name,
        summary=row.summary,
        blueprint=row.blueprint,
        registered_at=row.registered_at,
        registrations_open=row.registrations_open,
        miner_count=row.neuron_count - row.validator_count,
        validator_count=row.validator_count,
        stake_rao=row.stake_rao,
        epoch_number=week.number if week else 0,
        emission_day_rao=week.day_rao if week else 0,
        growth_bps=week.growth_bps if week else None,
        revenue_week_rao=(week.owner_week_rao if week else 0) + job_share_rao,
        last_price_rao=sold[0] if sold else None,
        last_sold_at=sold[1] if sold else None,
        ask=None,
    )
