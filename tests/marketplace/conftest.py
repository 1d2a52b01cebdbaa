"""What the market's tests share: Stripe's far end, switched on in the settings."""

from datetime import UTC, datetime

import pytest

from tests.stripe_server import StripeServer

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def far_end(settings):
    with StripeServer() as server:
        server.clock = NOW.timestamp
        settings.STRIPE_SECRET_KEY = server.secret_key
        settings.STRIPE_WEBHOOK_SECRET = server.webhook_secret
        settings.STRIPE_CONNECT_WEBHOOK_SECRET = server.connect_secret
        settings.STRIPE_API_BASE = server.url
        yield server
