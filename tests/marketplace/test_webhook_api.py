"""Webhook endpoints over REST: registered once, secrets shown once, deliveries in pages."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from ledger.scopes import Scope
from marketplace import operations
from marketplace.models import Delivery, WebhookEndpoint
from tests.marketplace import world
from tests.marketplace.test_api import post, signed_in
from tests.marketplace.test_egress import receiver, says

pytestmark = pytest.mark.django_db

PATH = "webhook-endpoints/"


@pytest.fixture
def ada(settings):
    settings.WEBHOOKS_TO_LOOPBACK = True
    return world.person(email="ada@example.com")


@pytest.fixture
def url():
    with receiver(says(200, b"thanks")) as (address, _):
        yield address


def get(client, path):
    return client.get(f"/api/v1/{path}")


def change(client, path, body):
    return client.patch(f"/api/v1/{path}", body, content_type="application/json")


def test_an_endpoint_is_registered_once_and_its_secret_is_in_no_other_answer(ada, url):
    client = signed_in(ada)

    made, again = (post(client, PATH, {"url": url, "kinds": ["won"]}, key="a") for _ in range(2))

    assert (made.status_code, again.json()) == (201, made.json())
    endpoint = made.json()["endpoint"]
    assert (endpoint["url"], endpoint["kinds"], endpoint["state"]) == (url, ["won"], "enabled")
    secret = made.json()["secret"]
    assert secret.startswith("whsec_")
    one, listed = get(client, f"{PATH}{endpoint['id']}/"), get(client, PATH)
    assert listed.json()["results"] == [one.json()] == [endpoint]
    assert secret not in one.content.decode() + listed.content.decode()


def test_an_endpoint_is_changed_rotated_and_removed(ada, url):
    client = signed_in(ada)
    made = post(client, PATH, {"url": url}).json()
    path = f"{PATH}{made['endpoint']['id']}/"

    off = change(client, path, {"state": "disabled", "kinds": ["lost", "won"]}).json()
    on = change(client, path, {"state": "enabled"}).json()
    rotated, again = (post(client, f"{path}rotate/", {}, key="a").json() for _ in range(2))
    gone = [client.delete(f"/api/v1/{path}").status_code for _ in range(2)]

    assert (off["state"], off["reason"]) == ("disabled", "switched off by you")
    assert (on["state"], on["reason"], on["kinds"]) == ("enabled", "", ["lost", "won"])
    assert rotated["secret"] == again["secret"] != made["secret"]
    assert (gone, get(client, path).status_code) == ([204, 404], 404)


def test_deliveries_are_listed_in_pages_and_sent_again(ada, url):
    client = signed_in(ada)
    path = f"{PATH}{post(client, PATH, {'url': url}).json()['endpoint']['id']}/"
    first, same, other = (post(client, f"{path}test/", {}, key=key) for key in ("a", "a", "b"))
    operations.deliver_due_webhooks(now=timezone.now(), jitter=0.0)

    page = get(client, f"{path}deliveries/?limit=1").json()
    rest = client.get(page["next"]).json()
    assert same.json() == first.json()
    shown = [*page["results"], *rest["results"]]
    assert [one["id"] for one in shown] == [other.json()["id"], first.json()["id"]]
    assert (shown[0]["type"], shown[0]["state"], shown[0]["status"], shown[0]["answer"]) == (
        "test", "delivered", 200, "thanks",
    )  # fmt: skip
    again = post(client, f"{path}deliveries/{shown[0]['id']}/send-again/", {}).json()
    assert (again["id"], again["state"], again["attempts"]) == (shown[0]["id"], "waiting", 0)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "https://169.254.169.254/"}, "address_refused"),
        ({"url": "https://example.com/", "kinds": ["nonsense"]}, "invalid_input"),
        ({"url": ""}, "invalid_input"),
    ],
)
def test_what_is_not_taken_is_refused(ada, body, code):
    answer = post(signed_in(ada), PATH, body)

    assert (answer.json()["code"], WebhookEndpoint.objects.count()) == (code, 0)


def test_nobody_reads_or_moves_anothers_endpoint_and_a_key_needs_its_scope(ada, url):
    path = f"{PATH}{post(signed_in(ada), PATH, {'url': url}).json()['endpoint']['id']}/"
    stranger = signed_in(world.person())
    key = operations.create_api_key(
        owner=ada.id,
        name="bot",
        scopes=[Scope.READ],
        expires_at=timezone.now() + timedelta(days=1),
        now=timezone.now(),
    )
    reading = Client(headers={"Authorization": f"Bearer {key.text}"})

    answers = [
        get(stranger, path),
        get(stranger, f"{path}deliveries/"),
        change(stranger, path, {"state": "disabled"}),
        post(stranger, f"{path}rotate/", {}),
        post(stranger, f"{path}test/", {}),
    ]

    assert {answer.json()["code"] for answer in answers} == {"webhook_endpoint_unknown"}
    assert get(reading, PATH).json()["code"] == "scope_missing"
    assert Delivery.objects.count() == 0


def test_a_page_of_deliveries_costs_as_many_statements_for_twenty_as_for_one(
    ada, url, django_assert_max_num_queries
):
    client = signed_in(ada)
    path = f"{PATH}{post(client, PATH, {'url': url}).json()['endpoint']['id']}/"
    endpoint = WebhookEndpoint.objects.get()
    now = timezone.now()
    Delivery.objects.bulk_create(
        Delivery(endpoint=endpoint, next_at=now, created_at=now) for _ in range(20)
    )

    with django_assert_max_num_queries(4):
        assert len(get(client, f"{path}deliveries/").json()["results"]) == 20
