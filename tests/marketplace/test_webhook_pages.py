"""Pages of webhooks that go out."""

import pytest
from django.urls import reverse
from django.utils import timezone

from marketplace import operations
from marketplace.models import Delivery, WebhookEndpoint
from tests.marketplace import world
from tests.marketplace.reading import names_must_exist, read  # noqa: F401
from tests.marketplace.test_egress import receiver, says

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_home(client, settings):
    settings.WEBHOOKS_TO_LOOPBACK = True
    client.force_login(world.person(email="ada@example.com"))
    return client


def test_an_endpoint_is_added_tried_switched_off_and_removed_from_its_pages(at_home):
    assert "No endpoint yet" in read(at_home, "webhooks")
    with receiver(says(200, b"thanks")) as (url, seen):
        shown = at_home.post(reverse("webhooks"), {"url": url, "key": "1"}).content.decode()
        row = WebhookEndpoint.objects.get()
        assert "whsec_" in shown
        assert "whsec_" not in read(at_home, "webhook", row.pk)
        at_home.post(reverse("test_webhook", args=[row.pk]))
        operations.deliver_due_webhooks(now=timezone.now(), jitter=0.0)

    text = read(at_home, "webhook", row.pk)
    assert ("Delivered" in text, "thanks" in text, len(seen)) == (True, True, 1)
    at_home.post(reverse("resend_webhook", args=[row.pk, Delivery.objects.get().pk]))
    assert "Waiting" in read(at_home, "webhook", row.pk)
    assert "whsec_" in at_home.post(reverse("rotate_webhook", args=[row.pk])).content.decode()
    for state in ("disabled", "nonsense", "removed"):
        at_home.post(reverse("move_webhook", args=[row.pk]), {"state": state})
    row.refresh_from_db()
    assert row.state == "removed"
    read(at_home, "webhook", row.pk, status=404)


def test_which_notices_go_to_an_endpoint_is_changed_on_its_page(at_home):
    with receiver(says(200)) as (url, _):
        at_home.post(reverse("webhooks"), {"url": url, "key": "1", "kinds": ["won"]})
    row = WebhookEndpoint.objects.get()
    address = reverse("choose_webhook_kinds", args=[row.pk])

    at_home.post(address, {"kinds": ["outbid", "voided"]})
    chosen = read(at_home, "webhook", row.pk)
    row.refresh_from_db()
    kept = row.kinds
    at_home.post(address, {"kinds": ["of_a_time_to_come"]})
    refused = read(at_home, "webhook", row.pk)
    at_home.post(address, {})

    assert kept == ["outbid", "voided"]
    assert "You were outbid; An operator took your bids out of an auction" in chosen
    assert chosen.count("checked") == 2
    assert "Nothing was changed" in refused
    assert "go by webhook" in read(at_home, "webhook", row.pk)
    row.refresh_from_db()
    assert (row.kinds, row.state) == ([], "enabled")


def test_an_address_that_leads_inside_is_refused_on_the_form(at_home):
    answer = at_home.post(reverse("webhooks"), {"url": "https://169.254.169.254/", "key": "1"})

    assert "it leads into a network that is not public" in answer.content.decode()
    assert WebhookEndpoint.objects.count() == 0


def test_nobody_sees_anothers_endpoint(at_home):
    with receiver(says(200)) as (url, _):
        other = operations.add_endpoint(
            owner=world.person().id, url=url, kinds=[], key="1", now=timezone.now()
        )

    read(at_home, "webhook", other.endpoint.pk, status=404)
    assert at_home.post(reverse("rotate_webhook", args=[other.endpoint.pk])).status_code == 404
