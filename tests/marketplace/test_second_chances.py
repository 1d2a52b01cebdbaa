"""After the hammer, where a deposit backed the bid: payment, default, second chances, strikes."""

from datetime import timedelta
from uuid import uuid4

import pytest

from ledger import queries as books
from ledger.chart import FORFEITS
from ledger.errors import IdempotencyKeyMissing, InsufficientFunds
from ledger.money import RAO_PER_TAO as TAO
from marketplace import hammer, operations, queries
from marketplace.errors import (
    AuctionAlreadyOpen,
    NoSecondChance,
    NotAwaitingPayment,
    NotYoursToPay,
    PaymentOverdue,
    TooManyStrikes,
)
from marketplace.models import SecondChance, Strike
from marketplace.offering import Backing
from subnets import operations as subnets
from subnets import queries as slots
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def on_deposit(**terms):
    return world.auction(
        backing=Backing.DEPOSIT, deposit_bps=1_000, pay_within_s=2 * 86_400, **terms
    )


@pytest.fixture
def ada(db):
    return world.person(tao=200)


@pytest.fixture
def bob(db):
    return world.person(tao=200)


@pytest.fixture
def cleo(db):
    return world.person(tao=200)


@pytest.fixture
def hammered(ada, bob, cleo):
    """Vector D1 in TAO: Bob wins at 122.5 and has two days to pay; Cleo stopped at 120, Ada at 100."""
    on = on_deposit(start=10)
    world.bid(on, ada, 100)
    world.bid(on, bob, 150)
    world.bid(on, cleo, 120)
    world.settle(on)
    on.refresh_from_db()
    return on


def pay(on, who, *, now=NOW + world.HOUR, key="pay"):
    return operations.pay_auction(auction_id=on.id, buyer=who.id, key=key, now=now)


def overdue(on, *, now=None):
    on.refresh_from_db()
    ended = operations.end_overdue_auction(auction_id=on.id, now=now or on.due_at)
    on.refresh_from_db()
    return ended


# Bidding on a deposit ------------------------------------------------------------------------------


def test_a_leading_maximum_is_backed_by_its_deposit_alone(ada, bob):
    on = on_deposit(start=10)

    world.bid(on, ada, 500)
    assert world.purse(ada) == (200 * TAO, 50 * TAO)
    world.bid(on, bob, 600)

    assert world.purse(ada) == (200 * TAO, 0)
    assert world.purse(bob) == (200 * TAO, 60 * TAO)


@pytest.mark.parametrize("leads", [True, False])
def test_a_deposit_one_does_not_have_is_refused(ada, leads):
    on, poor = on_deposit(start=10), world.person(tao=20)
    if not leads:
        world.bid(on, ada, 500)

    with pytest.raises(InsufficientFunds) as refusal:
        world.bid(on, poor, 201)

    assert refusal.value.fields["needed_rao"] == 20_100_000_000
    world.bid(on, poor, 200)


def test_three_strikes_bar_from_deposits_for_half_a_year(ada):
    now = NOW
    for _ in range(3):
        lost = on_deposit(start=10, now=now)
        world.bid(lost, ada, 20, now=now)
        world.settle(lost)
        overdue(lost)
    on = on_deposit(start=10)

    with pytest.raises(TooManyStrikes) as refusal:
        world.bid(on, ada, 20)
    assert refusal.value.fields == {"strikes": 3, "days": 180}
    world.bid(world.auction(), ada, 20)
    later = NOW + hammer.STRIKES_COUNT_FOR + 3 * DAY
    world.bid(on_deposit(start=10, now=later), ada, 20, now=later)


# Payment -------------------------------------------------------------------------------------------


def test_a_winner_has_the_time_to_pay_and_the_subnet_waits(hammered, bob):
    assert (hammered.state, hammered.leader, hammered.price_rao) == (
        "awaiting", bob.id, 122_500_000_000,
    )  # fmt: skip
    assert hammered.due_at == hammered.closes_at + 2 * DAY
    assert hammered.ended_at is None
    assert world.purse(bob) == (200 * TAO, 15 * TAO)
    assert slots.subnet(hammered.netuid).owner == hammered.seller
    with pytest.raises(AuctionAlreadyOpen):
        operations.open_auction(
            netuid=hammered.netuid,
            seller=hammered.seller,
            asked=world.Offering(start_rao=TAO, duration_s=60),
            key="again",
            now=NOW,
        )
    assert world.settle(hammered) is None


def test_paying_settles_with_the_deposit_counted(hammered, bob):
    before = books.balance(world.wallet(hammered.seller)).posted_rao

    sale = pay(hammered, bob)

    assert (sale.buyer, sale.price_rao) == (bob.id, 122_500_000_000)
    assert world.purse(bob) == (77_500_000_000, 0)
    assert books.balance(world.wallet(hammered.seller)).posted_rao == (
        before + sale.price_rao - sale.fee_rao
    )
    assert slots.subnet(hammered.netuid).owner == bob.id
    assert pay(hammered, bob, key="another").id == sale.id
    hammered.refresh_from_db()
    assert (hammered.state, hammered.ended_at) == ("settled", NOW + world.HOUR)


def test_only_the_winner_pays_in_time_and_with_the_money(hammered, ada, bob):
    with pytest.raises(NotYoursToPay):
        pay(hammered, ada)
    with pytest.raises(PaymentOverdue) as late:
        pay(hammered, bob, now=hammered.due_at)
    assert late.value.fields == {"due_at": hammered.due_at}
    with pytest.raises(IdempotencyKeyMissing):
        pay(hammered, bob, key="")
    open_one = on_deposit(start=10)
    world.bid(open_one, bob, 100)
    with pytest.raises(NotAwaitingPayment) as early:
        pay(open_one, bob)
    assert early.value.fields == {"state": "open"}
    world.bid(world.auction(), bob, 100)
    with pytest.raises(InsufficientFunds):
        pay(hammered, bob)
    assert world.purse(bob)[1] == 125 * TAO


def test_paying_a_seller_with_nothing_to_sell_costs_nothing(hammered, bob):
    subnets.transfer_ownership(
        netuid=hammered.netuid, seller=hammered.seller, buyer=uuid4(), price_rao=1, now=NOW
    )

    assert pay(hammered, bob) is None

    hammered.refresh_from_db()
    assert hammered.state == "cancelled"
    assert world.purse(bob) == (200 * TAO, 0)


# Default -------------------------------------------------------------------------------------------


def test_an_unpaid_deposit_goes_to_the_seller_less_the_fee(hammered, bob):
    fees, before = world.fees(), books.balance(world.wallet(hammered.seller)).posted_rao

    overdue(hammered)

    strike = Strike.objects.get()
    assert (strike.owner, strike.forfeited_rao, strike.fee_rao) == (bob.id, 15 * TAO, 375_000_000)
    assert world.purse(bob) == (185 * TAO, 0)
    assert world.fees() == fees + 375_000_000
    assert books.balance(world.wallet(hammered.seller)).posted_rao == before + 14_625_000_000
    assert books.balance(FORFEITS).posted_rao == 0


def test_who_did_not_pay_reads_so_among_their_bids(hammered, bob, cleo, client):
    overdue(hammered)

    pages = {}
    for who in (bob, cleo):
        client.force_login(who)
        pages[who] = [client.get(path).content.decode() for path in ("/bids/", "/wallet/")]

    assert all("not paid, deposit lost" in page for page in pages[bob])
    assert all("to be paid" in page for page in pages[cleo])


def test_before_its_time_an_auction_is_left_alone(hammered, bob):
    overdue(hammered, now=hammered.due_at - timedelta(seconds=1))

    assert (hammered.state, hammered.leader) == ("awaiting", bob.id)
    assert queries.overdue_auctions(now=hammered.due_at, limit=9) == [hammered.id]
    assert Strike.objects.count() == 0


def test_the_next_bidder_is_asked_at_what_it_comes_to_without_the_winner(hammered, cleo):
    due_at = hammered.due_at

    overdue(hammered)

    chance = SecondChance.objects.get()
    assert (chance.bidder, chance.price_rao, chance.state) == (cleo.id, 102_500_000_000, "offered")
    assert chance.expires_at == hammered.due_at == due_at + DAY
    seen = queries.auction(hammered.id)
    assert (seen.state, seen.price_rao, seen.leader_alias) == (
        "awaiting", 102_500_000_000, "bidder 3",
    )  # fmt: skip
    assert world.purse(cleo) == (200 * TAO, 0)


def test_a_second_chance_is_taken_by_paying_at_once(hammered, bob, cleo):
    overdue(hammered)
    paid_at = hammered.due_at - timedelta(seconds=1)

    with pytest.raises(NotYoursToPay):
        pay(hammered, bob, now=paid_at)
    sale = pay(hammered, cleo, now=paid_at)

    assert (sale.buyer, sale.price_rao) == (cleo.id, 102_500_000_000)
    assert world.purse(cleo) == (97_500_000_000, 0)
    assert SecondChance.objects.get().state == "accepted"
    hammered.refresh_from_db()
    assert hammered.state == "settled"


def test_declining_asks_the_next_until_nobody_is_left(hammered, ada, cleo):
    overdue(hammered)

    declined = operations.decline_second_chance(
        auction_id=hammered.id, bidder=cleo.id, now=hammered.due_at - world.HOUR
    )

    assert declined.state == "declined"
    hammered.refresh_from_db()
    assert (hammered.leader, hammered.price_rao) == (ada.id, 10 * TAO)
    again = operations.decline_second_chance(
        auction_id=hammered.id, bidder=cleo.id, now=hammered.due_at
    )
    assert again.id == declined.id
    overdue(hammered)
    assert (hammered.state, Strike.objects.count()) == ("unsold", 1)
    assert set(SecondChance.objects.values_list("state", flat=True)) == {"declined", "expired"}


def test_only_who_has_a_second_chance_declines_it(hammered, ada, bob, cleo):
    def decline(who, now=NOW):
        return operations.decline_second_chance(auction_id=hammered.id, bidder=who.id, now=now)

    with pytest.raises(NoSecondChance):
        decline(bob)
    overdue(hammered)
    for who in (ada, bob):
        with pytest.raises(NoSecondChance):
            decline(who)
    with pytest.raises(PaymentOverdue):
        decline(cleo, now=hammered.due_at)
    assert decline(cleo).state == "declined"


def test_below_the_reserve_nobody_is_asked(ada, bob):
    on = on_deposit(start=10, reserve=130)
    world.bid(on, ada, 100)
    world.bid(on, bob, 150)
    world.settle(on)

    overdue(on)

    assert (on.state, SecondChance.objects.count()) == ("unsold", 0)
    assert Strike.objects.get().owner == bob.id


def test_nobody_is_blamed_where_the_seller_has_nothing_to_sell(hammered, bob):
    subnets.transfer_ownership(
        netuid=hammered.netuid, seller=hammered.seller, buyer=uuid4(), price_rao=1, now=NOW
    )

    overdue(hammered)

    assert (hammered.state, Strike.objects.count()) == ("cancelled", 0)
    assert world.purse(bob) == (200 * TAO, 0)


def test_a_second_chance_ends_where_the_seller_has_nothing_to_sell(hammered, cleo):
    overdue(hammered)
    subnets.transfer_ownership(
        netuid=hammered.netuid, seller=hammered.seller, buyer=uuid4(), price_rao=1, now=NOW
    )

    assert pay(hammered, cleo) is None

    hammered.refresh_from_db()
    assert (hammered.state, SecondChance.objects.get().state) == ("cancelled", "withdrawn")
    assert world.purse(cleo) == (200 * TAO, 0)
