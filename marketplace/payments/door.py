"""The client of Stripe, how lists of it are read, and its errors in this house's words."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import lru_cache
from typing import Any

import stripe
from django.conf import settings

from marketplace.errors import CardsRefused, CardsSwitchedOff, CardsUnavailable

logger = logging.getLogger(__name__)

# Connecting and reading; a person is waiting, and the library's own limit of 80 s would hold a web thread.
TIMEOUT_S = (3.0, 10.0)
NETWORK_RETRIES = 2  # the idempotency key makes a repeat safe
LISTED_MAX = 50_000  # events or balance transactions at once: 500 calls
HANGING_MAX = 100  # refunds, disputes or reversals of one object: Stripe lists no more at once


def can_ask() -> bool:
    """Say whether Stripe can be asked. Without a webhook secret a card could be charged and never credited."""
    return bool(settings.STRIPE_SECRET_KEY and webhook_secrets())


class Inbox(StrEnum):
    """Where Stripe's events come in: each has an address and secrets of its own."""

    HOUSE = "house"
    """What happens to the house's own account."""
    CONNECTED = "connected"
    """What happens to accounts that people have connected."""


def webhook_secrets(inbox: Inbox = Inbox.HOUSE) -> list[str]:
    """Return the secrets that are good for an inbox: two during a rotation."""
    told = {
        Inbox.HOUSE: settings.STRIPE_WEBHOOK_SECRET,
        Inbox.CONNECTED: settings.STRIPE_CONNECT_WEBHOOK_SECRET,
    }[inbox]
    return [word for word in map(str.strip, told.split(",")) if word]


def client() -> stripe.StripeClient:
    if not can_ask():
        raise CardsSwitchedOff
    return _client_of(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE)


@lru_cache(maxsize=2)
def _client_of(secret_key: str, api_base: str) -> stripe.StripeClient:
    """Keep one client per key, so that its connections are used again."""
    return stripe.StripeClient(
        secret_key,
        base_addresses={"api": api_base} if api_base else None,
        max_network_retries=NETWORK_RETRIES,
        http_client=stripe.RequestsClient(timeout=TIMEOUT_S),
    )


def listed(
    service: Any,  # noqa: ANN401  any of Stripe's lists
    asked: dict[str, Any],
    *,
    account_id: str = "",
) -> Iterator[dict[str, Any]]:
    """Read a list page by page, of the house or of an account connected to it."""
    options = {"stripe_account": account_id} if account_id else {}
    with faults_named():
        pages = service.list(params=asked | {"limit": HANGING_MAX}, options=options)
        for count, item in enumerate(pages.auto_paging_iter()):
            if count >= LISTED_MAX:
                raise CardsRefused(reason="too long a list: ask for fewer days")
            yield item.to_dict()


@contextmanager
def faults_named() -> Iterator[None]:
    """Turn Stripe's errors into this house's two: try again later, or do not."""
    try:
        yield
    except (stripe.APIConnectionError, stripe.RateLimitError, stripe.APIError) as fault:
        logger.warning("cards:unavailable reason=%s", type(fault).__name__)
        raise CardsUnavailable from fault
    except stripe.StripeError as fault:
        # Stripe's message may quote what was sent; its code is enough for the caller and for the log.
        reason = fault.code or type(fault).__name__
        logger.warning("cards:refused reason=%s request=%s", reason, fault.request_id)
        raise CardsRefused(reason=reason) from fault


def dicts(listed: Any) -> list[dict[str, Any]]:  # noqa: ANN401  a list object of whatever Stripe lists
    return [item.to_dict() for item in listed.data]
