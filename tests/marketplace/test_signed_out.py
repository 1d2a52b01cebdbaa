"""A form sent after its session ended: nothing is done, that is said, and there is a way back to the form."""

from urllib.parse import urlencode

import pytest
from django.urls import reverse
from django.utils import timezone

from marketplace.models import Auction, Bid
from tests.marketplace import factors, world
from tests.marketplace.reading import names_must_exist, open_auction, read  # noqa: F401

pytestmark = pytest.mark.django_db

SAID = "You are not signed in, so nothing was done. Sign in, then send it again."


def send(client, address, fields, *, stood_on):
    """Send a form as a browser does: it says which page of the site the form stood on."""
    return client.post(address, fields, headers={"referer": f"http://testserver{stood_on}"})


def test_a_bid_sent_after_the_session_ended_is_said_to_be_none_and_can_be_made_anew(client):
    sale, ada = open_auction(), world.person(tao=100)
    page = reverse("auction", args=[sale.id])

    answer = send(client, page, {"step": "place", "max_rao": "20", "key": "k"}, stood_on=page)
    entrance = client.get(answer["Location"]).content.decode()

    assert SAID in entrance
    entered = factors.sign_in(client, ada, next=page)
    assert entered["Location"] == page
    assert SAID not in read(client, "auction", sale.id)
    assert not Bid.objects.exists()


def test_who_comes_back_from_the_entrance_finds_the_page_the_form_stood_on(client):
    ada = world.person(tao=1_000)
    sale = open_auction(seller=ada)
    page = reverse("auction", args=[sale.id])

    # Its address takes forms alone: to come back to it would be an error.
    answer = send(client, reverse("cancel_auction", args=[sale.id]), {}, stood_on=page + "?a=1")

    assert answer["Location"] == f"/accounts/login/?{urlencode({'next': page + '?a=1'}, safe='/')}"
    sale.refresh_from_db()
    assert sale.state == Auction.State.OPEN


@pytest.mark.parametrize(
    "address",
    [
        "/subnets/1/watch/",
        "/wallet/test-tao/",
        "/subnets/1/documents/",
        "/auctions/3e7ed30a-9038-4e3f-ab73-cc9f2879ce92/decline/",
        "/accounts/2fa/totp/activate/",
        "/owner/subnets/incentiverule/add/",
        "/admin/marketplace/auction/",
    ],
)
def test_whatever_is_sent_by_nobody_is_answered_so(client, address):
    world.network()

    answer = send(client, address, {}, stood_on="/subnets/1/")

    assert answer["Location"] == "/accounts/login/?next=/subnets/1/"
    assert SAID in client.get(answer["Location"]).content.decode()


@pytest.mark.parametrize("headers", [{}, {"referer": "https://evil.example/subnets/1/"}])
def test_a_form_of_no_page_of_this_site_leads_to_the_wallet(client, headers):
    answer = client.post("/subnets/1/watch/", headers=headers)

    assert answer["Location"] == f"/accounts/login/?next={reverse('wallet')}"


def test_a_page_that_is_only_opened_leads_to_the_entrance_and_back_without_a_word(client):
    answer = client.get(reverse("desk"))

    assert answer["Location"] == "/accounts/login/?next=/desk/"
    assert SAID not in client.get(answer["Location"]).content.decode()


def test_a_wrong_password_is_no_form_of_a_page(client):
    answer = factors.sign_in(client, world.person(), password="wrong")

    assert SAID not in answer.content.decode()


def test_what_is_refused_of_a_page_grown_old_leads_back_to_it(client):
    ada = world.person(tao=100)
    sale = open_auction(seller=ada)
    page = reverse("auction", args=[sale.id])
    client.force_login(ada)
    world.bid(sale, world.person(tao=100), 20, now=timezone.now())

    refused = send(client, reverse("cancel_auction", args=[sale.id]), {}, stood_on=page)

    assert refused.status_code == 409
    assert f'href="{page}">Back to where you were' in refused.content.decode()
    seldom = client.post(reverse("cancel_auction", args=[sale.id])).content.decode()
    assert "Back to where you were" not in seldom
