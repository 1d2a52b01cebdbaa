"""Live prices: what is said to everybody when an auction changes, after the change is committed.

Messages carry the whole public state and its version, so one that is lost is made good by the next, and a
listener drops what is not newer than what it has. Nothing in a message is private: no maximum, no reserve,
no bidder but by alias.
"""

import json
import logging
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

import redis
from django.conf import settings
from django.db import transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

from marketplace import queries
from marketplace.combining import Turn
from marketplace.models import Auction
from marketplace.queries import AuctionView

logger = logging.getLogger(__name__)

# One channel for all auctions: at most 128 are open, and each listening process serves many of them.
CHANNEL = "marketplace:auctions"
# A bidder waits for this after their bid is safe; a Redis that needs longer is as good as down.
PUBLISH_TIMEOUT_S = 0.5


def announce(auction_id: UUID) -> None:
    """Tell everybody about an auction once the transaction is committed; a failure stops nobody."""
    transaction.on_commit(
        lambda: _publish(auction_message(queries.auction(auction_id))), robust=True
    )


def announce_bid(auction: Auction, *, now: datetime, turn: Turn) -> None:
    """Tell everybody about an open auction as a bid has left it, from the row in hand, once the bidders know."""
    message = bid_message(auction, now=now)
    transaction.on_commit(lambda: turn.leave(lambda: _publish(message)), robust=True)


def auction_message(view: AuctionView) -> dict[str, object]:
    """Return an auction as listeners get it: rao as decimal strings, instants in RFC 3339."""
    return {
        "auction": str(view.id),
        "netuid": view.netuid,
        "version": view.version,
        "state": view.state,
        "price_rao": None if view.price_rao is None else str(view.price_rao),
        "min_next_rao": None if view.min_next_rao is None else str(view.min_next_rao),
        "leader_alias": view.leader_alias,
        "reserve_met": view.reserve_met,
        "bid_count": view.bid_count,
        "closes_at": instant(view.closes_at),
        "server_now": instant(view.server_now),
    }


def bid_message(row: Auction, *, now: datetime) -> dict[str, object]:
    """Return a row as listeners get it: what `auction_message` says of it once it is committed."""
    return {
        "auction": str(row.id),
        "netuid": row.netuid,
        "version": row.version,
        "state": row.state,
        "price_rao": None if row.price_rao is None else str(row.price_rao),
        "min_next_rao": str(queries.min_next_rao(row, price_rao=row.price_rao)),
        "leader_alias": queries.leader_alias(row),
        "reserve_met": queries.reserve_is_met(row),
        "bid_count": row.bid_count,
        "closes_at": instant(row.closes_at),
        "server_now": instant(now),
    }


def instant(at: datetime) -> str:
    """Write an instant in UTC to the millisecond, as browsers read it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _publish(message: dict[str, object]) -> None:
    try:
        _redis(settings.REDIS_URL).publish(CHANNEL, json.dumps(message))
    except redis.RedisError as fault:
        # Listeners look the open auctions up every few seconds, so the price arrives a little later.
        logger.warning(
            "auction:announce failed auction=%s reason=%s",
            message["auction"],
            type(fault).__name__,
        )


@lru_cache(maxsize=1)
def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=PUBLISH_TIMEOUT_S,
        socket_timeout=PUBLISH_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
