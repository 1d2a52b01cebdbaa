"""One town for a test that asks it of everything."""

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.utils import timezone

from tests.fuzz import town as towns
from tests.stripe_server import StripeServer

# A fuzzer asks more often than anybody may, and what a limit answers is tested elsewhere.
UNLIMITED = dict.fromkeys(
    ("auth", "bid", "explanation", "money", "public", "read", "rule_check", "tune"), "1000000/1"
)


@pytest.fixture
def one_connection():
    """Keep the connection over requests: each is asked in a transaction that the test rolls back."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def town(transactional_db, settings, one_connection):
    settings.RATE_LIMITS = UNLIMITED
    settings.WEBHOOKS_TO_LOOPBACK = True
    with StripeServer() as server:
        settings.STRIPE_SECRET_KEY = server.secret_key
        settings.STRIPE_WEBHOOK_SECRET = server.webhook_secret
        settings.STRIPE_CONNECT_WEBHOOK_SECRET = server.connect_secret
        settings.STRIPE_API_BASE = server.url
        yield towns.built(now=timezone.now())
