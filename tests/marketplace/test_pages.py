"""Pages: what a person sees and does, with real rows behind them."""

import re
import time
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from marketplace import queries as market
from subnets import operations as subnets
from tests.marketplace import world
from tests.marketplace.reading import names_must_exist, open_auction, read  # noqa: F401

pytestmark = pytest.mark.django_db
HOTKEY = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"


@pytest.mark.parametrize("name", ["home", "subnets", "auctions", "guide"])
def test_a_visitor_may_look_around_before_the_genesis_or_after(client, name):
    if name in {"home", "guide"}:
        read(client, name)
    world.auction()

    read(client, name)


def test_a_subnets_page_says_what_it_pays_by_what_rule(client):
    netuid = world.subnet(world.person(tao=100), name="Useful Work")

    text = read(client, "subnet", netuid)

    assert "Useful Work" in text
    assert "canary_quality &gt;= 0.99" in text
    assert "Pay for verified work" in text
    assert "Sell this subnet" not in text


def test_only_the_owner_is_led_to_the_console_and_the_sale(client):
    owner = world.person(tao=100)
    netuid = world.subnet(owner)
    client.force_login(owner)

    assert "Sell this subnet" in read(client, "subnet", netuid)
    assert "Fee on the price" in read(client, "sell_subnet", netuid)

    client.force_login(world.person())
    assert "not yours" in read(client, "sell_subnet", netuid, status=403)


@pytest.mark.parametrize(("name", "args"), [("subnet", [99]), ("sell_subnet", [99])])
def test_a_subnet_that_is_not_there_is_not_found(client, name, args):
    client.force_login(world.person())

    read(client, name, *args, status=404)


def test_the_list_searches_filters_and_sorts(client):
    owner = world.person(tao=10_000)
    world.slot(owner, name="Alpha", blueprint="embeddings")
    world.slot(owner, name="Beta")

    assert "Alpha" not in read(client, "subnets", q="bet")
    assert "Beta" not in read(client, "subnets", blueprint="embeddings")
    assert "Alpha" not in read(client, "subnets", sale="any")
    assert "No subnet matches" in read(client, "subnets", q="nothing like it")
    by_name = read(client, "subnets", sort="name")
    assert by_name.index("Alpha") < by_name.index("Beta")
    read(client, "subnets", sort="no such order", blueprint="nonsense")


@pytest.mark.parametrize("name", ["home", "subnets", "auctions"])
def test_a_list_asks_the_database_as_often_for_one_row_as_for_many(
    client, name, django_assert_max_num_queries, django_assert_num_queries
):
    open_auction()
    with django_assert_max_num_queries(25) as first:
        read(client, name)
    open_auction()
    open_auction()
    cache.clear()  # figures are kept for some seconds

    with django_assert_num_queries(len(first)):
        read(client, name)


@pytest.mark.parametrize("name", ["wallet", "keys"])
def test_ones_own_pages_ask_visitors_to_sign_in(client, name):
    assert client.get(reverse(name))["Location"].startswith("/accounts/login/")


def test_the_wallet_tells_every_movement_in_words(client):
    ada = world.person(tao=100)
    world.subnet(ada)
    client.force_login(ada)

    text = read(client, "wallet")

    assert "Grant from the treasury" in text
    assert "Slot bought" in text
    assert "Cards are switched off" in text


def test_a_card_top_up_leads_to_the_card_page(client, far_end):
    far_end.clock = time.time  # the page asks the real clock how long the card page stays open
    client.force_login(world.person())
    assert "Continue to the card page" in read(client, "wallet")

    answer = client.post(reverse("wallet"), {"dollars": "50", "key": "k"})

    assert answer.status_code == 302
    assert market.deposits_of(client.session["_auth_user_id"])[0].checkout_url == answer["Location"]


@pytest.mark.parametrize("dollars", ["4", "10001", "-5", "x"])
def test_a_top_up_out_of_bounds_is_refused(client, far_end, dollars):
    client.force_login(world.person())

    answer = client.post(reverse("wallet"), {"dollars": dollars, "key": "k"})

    assert answer.status_code == 200
    assert "fault" in answer.content.decode()


def test_a_code_comes_with_the_command_that_uses_it(client):
    owner = world.person(tao=100)
    netuid = world.subnet(owner)
    client.force_login(owner)

    text = client.post(reverse("keys"), {"netuid": netuid}).content.decode()

    code = re.search(r"--code (\S+)", text)[1]
    linked = subnets.link_hotkey(ss58=HOTKEY, code=code, name="rack one", now=timezone.now())
    assert linked.owner == owner.id
    assert "rack one" in read(client, "keys")
    assert "registered on no subnet" in read(client, "neuron", HOTKEY)


@pytest.mark.parametrize(
    "name", ["account_login", "account_signup", "account_reset_password", "account_email"]
)
def test_the_account_pages_wear_the_sites_look(client, name):
    if name == "account_email":
        client.force_login(world.person())

    assert "css/site" in client.get(reverse(name)).content.decode()


def test_an_address_without_a_page_is_answered_without_the_database(
    client, django_assert_num_queries
):
    with django_assert_num_queries(0):
        answer = client.get("/no/such/page/")

    assert answer.status_code == 404
    assert "nothing at this address" in answer.content.decode()


@pytest.mark.parametrize("word", ["abc", HOTKEY[:-1] + "Z", HOTKEY + "x", "1" * 48])
def test_what_is_no_address_of_a_hotkey_has_no_page(client, word):
    assert client.get(f"/neurons/{word}/").status_code == 404


def test_the_icon_is_found_where_browsers_look(client):
    answer = client.get("/favicon.ico")

    assert answer.status_code == 302
    found = finders.find(answer["Location"].removeprefix("/static/"))
    assert Path(found).read_bytes()[:6] == b"\0\0\1\0\1\0"


@pytest.mark.parametrize(("verification", "tells"), [("mandatory", False), ("none", True)])
def test_signing_up_tells_of_accounts_only_where_no_mail_can_be_sent(
    client, settings, verification, tells
):
    settings.ACCOUNT_EMAIL_VERIFICATION = verification
    world.person(email="ada@example.com")

    def answer(email):
        sent = Client().post(
            reverse("account_signup"), {"email": email, "password1": "a long enough word"}
        )
        return sent.status_code, sent.get("Location")

    assert (answer("ada@example.com") != answer("new@example.com")) is tells


@pytest.mark.parametrize(("host", "word"), [("", "sends no mail"), ("mail.example", "on its way")])
def test_a_new_password_is_promised_by_mail_only_where_mail_is_sent(client, settings, host, word):
    settings.EMAIL_HOST = host

    assert word in read(client, "account_reset_password_done")
    assert ("sends no mail" in read(client, "account_reset_password")) is not bool(host)
