"""Watching, and reading notices: pages and API."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from marketplace import queries, unsubscribing
from marketplace.errors import UnsubscribeLinkInvalid
from marketplace.models import Notice
from tests.marketplace import world
from tests.marketplace.reading import names_must_exist, open_auction, read  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(db):
    return world.person(tao=100, email="ada@example.com")


@pytest.fixture
def at_home(client, ada):
    client.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def told(person, *, count=1, netuid=1):
    """Write notices of the simplest kind for somebody, as the sweep would."""
    now = timezone.now()
    return [
        Notice.objects.create(
            key=f"bought:{number}:{person.id}",
            person=person,
            kind="bought",
            netuid=netuid,
            data={"name": f"Subnet {number}", "price_rao": "1500000000"},
            happened_at=now,
            created_at=now - timedelta(seconds=1),
        )
        for number in range(count)
    ]


def test_a_subnet_is_watched_and_no_longer_watched_from_its_page_and_its_auction(at_home, ada):
    on = open_auction()
    page = reverse("subnet", args=[on.netuid])
    assert "Stop watching" not in read(at_home, "subnet", on.netuid)

    answer = at_home.post(reverse("watch", args=[on.netuid]), {"next": page})

    assert (answer.status_code, answer["Location"]) == (302, page)
    for name, argument in (("subnet", on.netuid), ("auction", on.id)):
        assert "Stop watching" in read(at_home, name, argument)
    assert f"/auctions/{on.id}/" in read(at_home, "watchlist")

    at_home.post(reverse("watch", args=[on.netuid]), {"act": "unwatch", "next": page})

    assert queries.watched_by(ada.id) == []
    assert "You watch no subnet" in read(at_home, "watchlist")


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"],
)
def test_a_form_leads_nowhere_but_to_this_site(at_home, ada, elsewhere):
    netuid = world.subnet(ada)

    answer = at_home.post(reverse("watch", args=[netuid]), {"next": elsewhere})

    assert answer["Location"] == f"/subnets/{netuid}/"


def test_a_visitor_who_wants_to_watch_is_led_to_sign_in_and_back(client, ada):
    netuid = world.subnet(ada)

    text = read(client, "subnet", netuid)

    assert f"/accounts/login/?next=/subnets/{netuid}/" in text
    assert client.post(reverse("watch", args=[netuid])).status_code == 302
    assert queries.watcher_count(netuid) == 0


def test_the_bell_counts_what_is_unread_and_reading_one_counts_it_off(at_home, ada):
    first, _ = told(ada, count=2)
    text = read(at_home, "notices")
    assert '<span class="bell-count num">2<' in text
    assert "You bought Subnet 1 for 1.5 TAO." in text

    at_home.post(reverse("read_notices"), {"notice": first.id, "next": "/notices/"})
    assert '<span class="bell-count num">1<' in read(at_home, "notices")
    at_home.post(reverse("read_notices"), {"until": first.id + 1})

    assert "bell-count" not in read(at_home, "notices")


def test_many_unread_notices_are_not_counted_to_the_end(at_home, ada, monkeypatch):
    monkeypatch.setattr(queries, "UNREAD_COUNTED", 3)
    told(ada, count=5)

    assert '<span class="bell-count num">2+<' in read(at_home, "notices")


def test_notices_come_in_pages_in_as_many_statements_for_thirty_as_for_one(
    at_home, ada, django_assert_num_queries
):
    told(ada)
    read(at_home, "notices")
    with django_assert_num_queries(6):
        read(at_home, "notices")
    Notice.objects.all().delete()
    rows = told(ada, count=35)

    with django_assert_num_queries(6):
        text = read(at_home, "notices")

    assert "Subnet 34 " in text
    assert "Subnet 4 " not in text
    assert f"?before={rows[5].id}" in text
    assert "Subnet 4 " in read(at_home, "notices", before=rows[5].id)


def test_a_person_who_was_told_nothing_learns_what_to_do(at_home):
    text = read(at_home, "notices")

    assert "Watch a subnet" in text
    assert "Mark all as read" not in text


def test_ways_are_chosen_for_each_kind_and_the_page_says_when_no_mail_is_sent(
    at_home, ada, settings
):
    settings.EMAIL_HOST = ""
    assert "No mail is sent from this server" in read(at_home, "notice_settings")

    at_home.post(reverse("notice_settings"), {"mail:lost": "on", "hook:won": "on"})

    ways = {one.kind: (one.by_email, one.by_webhook) for one in queries.choices_of(ada.id)}
    assert ways["lost"] == (True, False)
    assert ways["won"] == (False, True)
    assert ways["outbid"] == (False, False)


def test_mail_is_stopped_by_a_signed_link_without_signing_in_and_only_by_a_post(ada, settings):
    stranger = Client(enforce_csrf_checks=True)
    token = unsubscribing.token(ada.id, ["outbid", "won"], secret=settings.SECRET_KEY)
    link = reverse("unsubscribe", args=[token])

    text = read(stranger, "unsubscribe", token)
    assert "You were outbid" in text
    before = mailed(ada)

    for _ in range(2):
        answer = stranger.post(link, {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200

    assert before - mailed(ada) == {"outbid", "won"}
    assert "sold" in mailed(ada)


def test_a_link_that_was_changed_stops_nothing(client, ada, settings):
    token = unsubscribing.token(ada.id, ["outbid"], secret=settings.SECRET_KEY)
    other = unsubscribing.token(UUID(int=7), ["outbid"], secret="another secret")

    for wrong in (token[:-1], other, "x"):
        with pytest.raises(UnsubscribeLinkInvalid):
            unsubscribing.read(wrong, secret=settings.SECRET_KEY)
    assert client.post(reverse("unsubscribe", args=[other])).status_code == 400
    assert "outbid" in mailed(ada)


def mailed(person):
    return {one.kind for one in queries.choices_of(person.id) if one.by_email}


# Over REST ----------------------------------------------------------------------------------------


def test_the_watchlist_over_rest_takes_a_subnet_and_gives_it_up(at_home, ada):
    netuid = world.subnet(ada)
    address = f"/api/v1/watchlist/{netuid}/"

    assert [at_home.put(address).status_code for _ in range(2)] == [200, 200]
    assert at_home.get("/api/v1/watchlist/").json() == {"results": [{"netuid": netuid}]}
    assert at_home.delete(address).status_code == 204
    assert at_home.get("/api/v1/watchlist/").json() == {"results": []}
    refused = at_home.put("/api/v1/watchlist/99/")
    assert (refused.status_code, refused.json()["code"]) == (404, "subnet_unknown")


def test_notices_over_rest_come_in_pages_and_are_read(at_home, ada):
    rows = told(ada, count=3)
    told(world.person())

    page = at_home.get("/api/v1/notices/", {"limit": 2}).json()
    rest = at_home.get(page["next"]).json()
    read_now = at_home.post("/api/v1/notices/read/", {"ids": [rows[0].id]}, "application/json")
    unread = at_home.get("/api/v1/notices/", {"unread": "true"}).json()

    assert [one["id"] for one in page["results"] + rest["results"]] == [
        row.id for row in reversed(rows)
    ]
    assert rest["next"] is None
    assert page["results"][0]["type"] == "sale.bought"
    assert page["results"][0]["facts"]["price_rao"] == "1500000000"
    assert read_now.json() == {"read_count": 1}
    assert [one["id"] for one in unread["results"]] == [rows[2].id, rows[1].id]


def test_preferences_over_rest_change_what_is_named_and_leave_the_rest(at_home):
    body = {"results": [{"kind": "lost", "by_email": True, "by_webhook": False}]}
    address = "/api/v1/notices/preferences/"

    answer = at_home.patch(address, body, "application/json")

    ways = {one["kind"]: one for one in answer.json()["results"]}
    assert (ways["lost"]["by_email"], ways["lost"]["by_webhook"]) == (True, False)
    assert ways["outbid"]["by_email"] is True
    wrong = {"results": [{"kind": "weather", "by_email": True, "by_webhook": False}]}
    assert at_home.patch(address, wrong, "application/json").status_code == 400


@pytest.mark.parametrize("path", ["watchlist/", "notices/", "notices/preferences/"])
def test_a_stranger_reads_nobodys_notices(client, path):
    assert client.get(f"/api/v1/{path}").status_code in {401, 403}
