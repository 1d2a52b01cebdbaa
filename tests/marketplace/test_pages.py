"""Pages: what a person sees and does, with real rows behind them."""

import re

import pytest
from django.template import engines
from django.urls import reverse
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from marketplace import queries as market
from marketplace.models import Bid
from subnets import operations as subnets
from subnets import queries as slots
from tests.marketplace import world

pytestmark = pytest.mark.django_db
MISSING = "¿%s?"
HOTKEY = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"


@pytest.fixture(autouse=True)
def _names_must_exist(settings):
    """A template that asks for what its view does not give shows it, instead of a gap."""
    engine = engines["django"].engine
    before, engine.string_if_invalid = engine.string_if_invalid, MISSING
    yield
    engine.string_if_invalid = before


def read(client, name, *args, status=200, **query):
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == status
    html = answer.content.decode()
    assert "¿" not in html
    assert not re.search(r"<[^>]+\sstyle=|<script(?![^>]+src=)|\son[a-z]+=", html), (
        "the CSP forbids it"
    )
    return html


def open_auction(**terms):
    return world.auction(now=timezone.now(), **terms)


@pytest.mark.parametrize("name", ["home", "subnets", "auctions", "guide"])
def test_a_visitor_may_look_around_before_the_genesis_or_after(client, name):
    if name in {"home", "guide"}:
        read(client, name)
    world.auction()

    read(client, name)


def test_a_subnets_page_says_what_it_pays_by_what_rule(client):
    netuid = world.subnet(world.person(tao=100), name="Useful Work")

    html = read(client, "subnet", netuid)

    assert "Useful Work" in html
    assert "canary_quality &gt;= 0.99" in html
    assert "Pay for verified work" in html
    assert "Sell this subnet" not in html


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
    assert "Alpha" not in read(client, "subnets", sale="1")
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

    with django_assert_num_queries(len(first)):
        read(client, name)


def test_a_bid_is_reviewed_then_placed(client):
    sale, ada = open_auction(start=10), world.person(tao=100)
    client.force_login(ada)
    page = reverse("auction", args=[sale.id])

    review = client.post(page, {"step": "review", "max_rao": "12.5"}).content.decode()
    assert "¿" not in review
    assert "Place the bid" in review
    assert Bid.objects.count() == 0
    key = re.search(r'name="key" value="([^"]+)"', review)[1]
    sent = {"step": "place", "max_rao": "12.5", "key": key}
    placed = client.post(page, sent, follow=True).content.decode()

    assert "You lead. The price is 10 TAO." in placed
    assert world.purse(ada) == (100 * TAO, 12_500_000_000)
    client.post(page, sent)
    assert Bid.objects.count() == 1


@pytest.mark.parametrize(("tao", "why"), [("31", "3 times the price"), ("25", "50 % of what")])
def test_an_amount_that_looks_like_a_slip_is_asked_for_again(client, tao, why):
    sale = open_auction(start=10)
    client.force_login(world.person(tao=100 if tao == "31" else 40))
    page = reverse("auction", args=[sale.id])
    sent = {"step": "place", "max_rao": tao, "key": "k"}

    assert why in client.post(page, sent).content.decode()
    assert "differ" in client.post(page, sent | {"repeat_rao": "3"}).content.decode()
    assert Bid.objects.count() == 0
    client.post(page, sent | {"repeat_rao": tao})

    assert Bid.objects.get().max_rao == int(tao) * TAO


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("9", "The lowest bid taken now is 10 TAO"),
        ("-1", "not an amount of TAO"),
        ("0", "above zero"),
        ("1e3", "not an amount of TAO"),
        ("", "required"),
    ],
)
def test_a_bid_that_cannot_be_is_refused_in_words(client, typed, sentence):
    sale = open_auction(start=10)
    client.force_login(world.person(tao=100))
    sent = {"step": "place", "max_rao": typed, "repeat_rao": typed, "key": "k"}

    answer = client.post(reverse("auction", args=[sale.id]), sent)

    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert Bid.objects.count() == 0


@pytest.mark.parametrize("is_settled", [False, True])
def test_a_bid_after_the_end_is_told_so(client, is_settled):
    sale = world.auction(start=10, duration_s=60, now=timezone.now() - world.HOUR)
    if is_settled:
        world.settle(sale)
    client.force_login(world.person(tao=100))
    sent = {"step": "place", "max_rao": "12", "key": "k"}

    answer = client.post(reverse("auction", args=[sale.id]), sent)

    assert answer.status_code == 422
    assert "This auction closed at" in answer.content.decode()


def test_money_one_does_not_have_is_refused_in_tao(client):
    sale = open_auction(start=10)
    client.force_login(world.person(tao=5))

    answer = client.post(
        reverse("auction", args=[sale.id]),
        {"step": "place", "max_rao": "10", "repeat_rao": "10", "key": "k"},
    )

    assert "10 TAO are needed and 5 TAO are available" in answer.content.decode()


def test_a_visitor_who_bids_is_asked_to_sign_in(client):
    sale = open_auction()

    answer = client.post(reverse("auction", args=[sale.id]), {"step": "review", "max_rao": "20"})

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


def test_nobody_reads_anothers_maximum(client):
    sale, ada, ben = open_auction(start=10), world.person(tao=999), world.person(tao=999)
    world.bid(sale, ada, 477, now=timezone.now())
    world.bid(sale, ben, 20, now=timezone.now())
    client.force_login(ben)

    html = read(client, "auction", sale.id)
    fragment = read(client, "auction_live", sale.id)

    # As a page would write it: the digits alone also stand in ids and tokens by chance.
    for shown in ("477<", "477.", "477 TAO", "477000000000"):
        assert shown not in html + fragment
    assert "You have been outbid" in html
    assert ada.email not in html
    assert str(ada.id) not in html


def test_the_leader_is_told_so_and_the_winner_too(client):
    sale, ada = open_auction(start=10), world.person(tao=100)
    world.bid(sale, ada, 20, now=timezone.now())
    client.force_login(ada)
    assert "You lead" in read(client, "auction", sale.id)
    assert "leading" in read(client, "wallet")

    world.settle(sale)

    assert "You won" in read(client, "auction", sale.id)
    assert slots.subnet(sale.netuid).owner == ada.id


def test_a_seller_opens_and_withdraws_an_auction(client):
    owner = world.person(tao=100)
    netuid = world.subnet(owner)
    client.force_login(owner)
    terms = {
        "start_rao": "10",
        "reserve_rao": "",
        "duration_s": "3600",
        "is_agreed": "on",
        "key": "k",
    }

    answer = client.post(reverse("sell_subnet", args=[netuid]), terms, follow=True)

    assert "The auction is open" in answer.content.decode()
    opened = market.open_auction_of(netuid)
    assert opened.start_rao == 10 * TAO
    client.post(reverse("cancel_auction", args=[opened.id]))
    assert market.open_auction_of(netuid) is None


def test_a_reserve_below_the_start_is_refused_where_it_stands(client):
    owner = world.person(tao=100)
    netuid = world.subnet(owner)
    client.force_login(owner)
    terms = {"start_rao": "10", "reserve_rao": "9", "duration_s": "3600", "is_agreed": "on"}

    answer = client.post(reverse("sell_subnet", args=[netuid]), terms)

    assert "The reserve cannot lie below the start price" in answer.content.decode()
    assert market.open_auction_of(netuid) is None


def test_a_slot_is_reviewed_then_bought(client):
    ada = world.person(tao=100)
    client.force_login(ada)
    assert "A slot costs now" in read(client, "buy_slot")
    sent = {"name": "Mine", "summary": "Works.", "blueprint": "matmul", "max_cost_rao": "50"}

    review = client.post(reverse("buy_slot"), sent).content.decode()
    assert "Confirm the purchase" in review
    assert slots.subnets_of(ada.id) == []
    bought = client.post(reverse("buy_slot"), sent | {"step": "place", "key": "k"}, follow=True)

    assert "is yours" in bought.content.decode()
    assert [row.name for row in slots.subnets_of(ada.id)] == ["Mine"]


def test_a_slot_above_the_limit_is_not_bought(client):
    ada = world.person(tao=100)
    client.force_login(ada)
    sent = {"name": "Mine", "summary": "Works.", "blueprint": "matmul", "max_cost_rao": "0.5"}

    answer = client.post(reverse("buy_slot"), sent | {"step": "place", "key": "k"})

    assert answer.status_code == 422
    assert "above your limit of 0.5 TAO" in answer.content.decode()
    assert world.purse(ada) == (100 * TAO, 0)


@pytest.mark.parametrize("name", ["wallet", "keys"])
def test_ones_own_pages_ask_visitors_to_sign_in(client, name):
    assert client.get(reverse(name))["Location"].startswith("/accounts/login/")


def test_the_wallet_tells_every_movement_in_words(client):
    ada = world.person(tao=100)
    world.subnet(ada)
    client.force_login(ada)

    html = read(client, "wallet")

    assert "Grant from the treasury" in html
    assert "Slot bought" in html
    assert "Cards are switched off" in html


def test_a_card_top_up_leads_to_the_card_page(client, far_end):
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

    html = client.post(reverse("keys"), {"netuid": netuid}).content.decode()

    code = re.search(r"--code (\S+)", html)[1]
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
