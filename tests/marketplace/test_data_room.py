"""The data room: what the books say of a subnet, and nothing that is sealed."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from compute import operations as compute
from compute.queries import job_shares, work_figures
from marketplace import facts, queries
from marketplace.offering import Backing
from subnets import queries as subnets
from tests import make
from tests.marketplace import world
from tests.marketplace.reading import names_must_exist, open_auction, read  # noqa: F401

pytestmark = pytest.mark.django_db
JOB_SHARE_RAO = 360  # 18 % of 2 000


def values(netuid, *, now=make.NOW):
    (room,) = queries.data_rooms([netuid], now=now)
    return {fact.kind.name: fact for fact in room.facts}


@pytest.fixture
def worked():
    """A paid job, verified in the running window of its subnet."""
    netuid = make.subnet(make.rich_owner())
    miner, validator = make.miner(netuid), make.validator(netuid)
    job = make.job(netuid)
    (lease,) = make.dispatched()
    make.scored(make.returned(lease, miner), validator)
    compute.settle_job(job_id=job.pk, now=make.NOW)
    return netuid


def closed(netuid):
    """Close the running epoch of a subnet; return the instant."""
    net, row = subnets.network(), subnets.subnet(netuid)
    now = net.genesis_at + timedelta(milliseconds=net.block_ms * row.next_epoch_block + 2_000)
    for due in subnets.due_epochs(now):
        assert compute.close_epoch(due=due, now=now)
    return now


def test_a_verdict_of_the_running_epoch_is_in_no_figure(worked):
    later = make.NOW + timedelta(minutes=1)

    assert job_shares(since=make.NOW - timedelta(days=1), now=later) == {}
    assert worked not in work_figures([worked], now=later)
    assert values(worked, now=later)["verified_count"].value is None


@pytest.mark.django_db(transaction=True)  # an epoch is read in a transaction of its own
def test_once_its_epoch_has_closed_a_job_counts_everywhere(transactional_db, worked):
    now = closed(worked)

    known = values(worked, now=now)

    assert job_shares(since=make.NOW - timedelta(days=1), now=now) == {worked: JOB_SHARE_RAO}
    assert known["jobs_month_rao"].value == JOB_SHARE_RAO
    assert known["verified_count"].value == 1
    assert known["open_job_count"].value == 0
    assert known["uptime_bps"].value == 10_000
    assert (known["uptime_bps"].epoch, known["stake_rao"].epoch) == (1, None)
    (line,) = queries.epoch_lines(worked, now=now)
    assert line.jobs_rao == JOB_SHARE_RAO
    assert line.revenue_rao == JOB_SHARE_RAO + line.owner_rao
    assert known["revenue_month_rao"].value == line.revenue_rao
    assert not line.is_late
    # While more scores may still come for it, a job's verdict is told to nobody, whatever has closed.
    assert job_shares(since=make.NOW - timedelta(days=1), now=make.NOW + timedelta(seconds=9)) == {}


def test_stake_says_how_few_hold_most_of_it():
    netuid = make.subnet(make.rich_owner())
    for tao in (600, 300, 200):
        make.validator(netuid, stake_tao=tao)

    known = values(netuid)

    assert known["top_stake_bps"].value == 600 * 10_000 // 1_100
    assert known["half_stake_count"].value == 1
    assert known["places_rao"].value >= 3 * 10**9
    assert known["lock_rao"].value == make.MIN_LOCK_TAO * 10**9


def test_four_data_rooms_take_as_many_statements_as_one(client, django_assert_num_queries):
    netuids = [make.subnet(name=f"Room {place}") for place in range(4)]
    with django_assert_num_queries(20):
        assert len(queries.data_rooms(netuids[:1], now=make.NOW)) == 1

    with django_assert_num_queries(20):
        rooms = queries.data_rooms([*netuids, 99], now=make.NOW)

    assert [room.subnet.netuid for room in rooms] == netuids


def test_the_page_keeps_facts_and_the_sellers_words_apart(client):
    netuid = world.subnet(world.person(tao=100), name="Useful Work")

    text = read(client, "data_room", netuid)

    read_from_books, said = text.split('id="said"')
    assert "Owner’s revenue in 30 days" in read_from_books
    assert "no epoch closed yet" in read_from_books
    assert "not checked" in said
    read(client, "data_room", 99, status=404)


def test_up_to_four_stand_side_by_side_with_the_better_marked(client):
    owner = world.person(tao=100_000)
    first, second = world.subnet(owner, name="One"), world.subnet(owner, name="Two")
    make.validator(second, stake_tao=10)

    text = read(client, "compare", netuid=[first, second, "x", 99, first])

    assert text.count("best: ") >= 1
    assert f'href="?netuid={second}"' in text
    assert "Nothing to compare yet" in read(client, "compare")
    for place in range(3):
        world.subnet(owner, name=f"More {place}")
    assert "Four are compared" in read(client, "compare", netuid=[1, 2, 3, 4, 5])


def test_a_filter_in_the_address_is_shown_as_chips_that_let_go_of_it(client):
    auction = open_auction(start=50)
    world.subnet(world.person(tao=10_000), name="Not for sale")
    cache.clear()

    text = read(client, "subnets", sale="any", price_max="60", sort="price")

    assert "Not for sale" not in text
    assert 'href="?sort=price&amp;price_max=60"' in text
    assert str(auction.id) in text
    assert "No subnet matches" in read(client, "subnets", sale="any", price_max="49")
    assert "Type an amount above zero" in read(client, "subnets", price_max="0")


def test_the_floor_is_the_lowest_offer_that_is_open():
    now = timezone.now()
    cheap, dear = open_auction(start=20), open_auction(start=30)

    assert queries.floor_ask(queries.asks()).auction_id == cheap.id
    world.operations.cancel_auction(auction_id=cheap.id, seller=cheap.seller, now=now)
    assert queries.floor_ask(queries.asks()).auction_id == dear.id
    assert queries.floor_ask([]) is None


def test_the_api_gives_the_same_facts_with_rao_as_text(client):
    netuid = world.subnet(world.person(tao=100), name="Useful Work")

    answer = client.get(f"/api/v1/subnets/{netuid}/data-room/").json()

    assert answer["name"] == "Useful Work"
    assert set(answer["facts"]) == {kind.name for kind in facts.KINDS}
    assert answer["facts"]["lock_rao"]["value"] == str(world.LOCK_RAO)
    assert answer["facts"]["lock_rao"]["epoch"] is None
    assert answer["facts"]["emission_day_rao"] == {"value": None, "epoch": None, "at": None}
    assert answer["facts"]["owner_count"]["value"] == 1
    assert client.get("/api/v1/subnets/99/data-room/").status_code == 404


@pytest.mark.parametrize("listed", [True, False])
def test_every_subnets_page_says_what_it_would_take_to_buy_it(client, listed):
    netuid = open_auction(start=50).netuid if listed else world.subnet(world.person(tao=100))

    text = read(client, "subnet", netuid)

    assert ("English auction" in text) is listed
    assert ("Not listed" in text) is not listed
    assert f'href="/subnets/{netuid}/offer/"' in text


@pytest.mark.parametrize("page", ["home", "auctions"])
def test_the_floor_and_the_last_sales_stand_where_people_look_first(client, page):
    open_auction(start=50)

    text = read(client, page)

    assert "floor 50 TAO" in text
    assert "Slot bought" in text


def test_every_subnet_is_listed_at_the_price_of_its_own_last_sale():
    world.network()
    bought = [
        world.slot(world.person(tao=100), now=make.NOW + timedelta(days=day)) for day in range(3)
    ]

    listed = {row.netuid: row.last_price_rao for row in queries.subnet_figures(make.NOW)}

    assert listed == {sale.netuid: sale.price_rao for sale in bought}
    assert len(set(listed.values())) > 1


def test_a_subnet_that_waits_for_payment_is_shown_as_sold_and_is_not_for_sale(client):
    terms = {"backing": Backing.DEPOSIT, "deposit_bps": 1_000, "pay_within_s": 86_400}
    on = world.auction(start=50, now=timezone.now(), **terms)
    world.bid(on, world.person(tao=100), 60, now=timezone.now())
    world.settle(on)
    cache.clear()

    page = read(client, "subnet", on.netuid)
    sold = read(client, "subnets", sale="awaiting")
    for_sale = read(client, "subnets", sale="any")
    auctions = read(client, "auctions")

    assert 'Sold <span class="chip is-wait">awaiting payment</span>' in page
    assert f'href="/auctions/{on.id}/"' in page
    assert f'<a class="chip is-wait" href="/auctions/{on.id}/">50.00</a>' in sold
    assert "0 are for sale" in sold
    assert str(on.id) not in for_sale
    assert "No subnet is for sale right now" in auctions
    assert 'id="awaiting"' in auctions
    assert queries.floor_ask(queries.asks()) is None
