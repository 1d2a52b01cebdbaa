"""What the frame around every page shows. Each part is asked for only where a template uses it."""

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from ledger import chart
from ledger import queries as books
from marketplace import queries as market
from subnets import queries as subnets
from subnets.errors import NetworkNotFounded


def site(request: HttpRequest) -> dict[str, Any]:
    """Give templates the address of the event streams, whether mail is sent, the open block, the reader's purse and unread notices.

    Block, purse and unread are functions that a template calls: one statement each, and none where unused.
    """
    return {
        "events_url": events_url(request),
        "mail_is_on": bool(settings.EMAIL_HOST),
        "block": cache(block),
        "purse_rao": cache(lambda: purse_rao(request)),
        "unread": cache(lambda: unread(request)),
    }


def events_url(request: HttpRequest) -> str:
    """Return the origin of the event streams: this one, or the same host's own port for them."""
    if not settings.EVENTS_PORT:
        return ""
    host = request.get_host().rsplit(":", 1)[0]
    return f"//{host}:{settings.EVENTS_PORT}"


def block() -> int | None:
    """Return the open block; None before the network's genesis."""
    try:
        return subnets.block_now(timezone.now())
    except NetworkNotFounded:
        return None


def purse_rao(request: HttpRequest) -> int | None:
    """Return what the signed-in reader can spend; None for a visitor."""
    if not request.user.is_authenticated:
        return None
    return books.balance(chart.wallet(request.user.id)).available_rao


def unread(request: HttpRequest) -> str:
    """Return how many notices the signed-in reader has not read: "" for none, "99+" for more than are counted."""
    if not request.user.is_authenticated:
        return ""
    count = market.unread_count(request.user.id)
    if count >= market.UNREAD_COUNTED:
        return f"{market.UNREAD_COUNTED - 1}+"
    return str(count or "")
