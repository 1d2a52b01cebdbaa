"""Pages of sealed bids and of payment after the hammer: what they show to whom, what they refuse."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations, queries
from marketplace.models import SealedBid, User
from marketplace.offering import Backing, Format
from subnets import queries as slots
from tests.marketplace import world
from tests.marketplace.reading import names_must_exist, read  # noqa: F401

pytestmark = pytest.mark.django_db


def text(page):
    """Return a page's words as they are read."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def page_of(client, on):
    return text(read(client, "auction", on.id))


@pytest.fixture
def ada(db):
    return world.person(tao=500)


@pytest.fixture
def bob(db):
    return world.person(tao=500)


@pytest.fixture
def on(db):
    return world.auction(now=timezone.now(), format=Format.SEALED, reserve=20)


@pytest.fixture
def hammered(ada, bob):
    """Bob has won at 105 TAO on a deposit of a tenth of his 150 and has an hour to pay; Ada stopped at 100."""
    now = timezone.now() - timedelta(minutes=30)
    on = world.auction(
        now=now,
        duration_s=600,
        backing=Backing.DEPOSIT,
        deposit_bps=1_000,
        pay_within_s=3_600,
    )
    world.bid(on, ada, 100, now=now)
    world.bid(on, bob, 150, now=now)
    operations.settle_auction(auction_id=on.id, now=timezone.now())
    on.refresh_from_db()
    return on


def default(on):
    """Let the winner's time pass."""
    return operations.end_overdue_auction(auction_id=on.id, now=on.due_at)


# Sealed bids ---------------------------------------------------------------------------------------


def test_a_bidder_reviews_a_sealed_bid_before_it_binds_and_it_is_placed_once(client, on, ada):
    client.force_login(ada)
    review = reverse("seal_review", args=[on.id])

    answer = client.post(review, {"step": "review", "max_rao": "130", "cover_rao": ""})

    assert answer["Location"] == review
    seen = client.get(review)
    words = text(seen.content.decode())
    assert "Your maximum 130 TAO" in words
    assert "Set aside until the end 200 TAO" in words
    assert "Nobody sees your maximum before the end" in words
    assert not SealedBid.objects.exists()
    step = {"step": "place", "max_rao": "130", "cover_rao": "200", "key": seen.context["key"]}
    assert "more than 3 times the start price. Type the amount again" in words
    slip = client.post(review, step | {"repeat_rao": "13"}, follow=True)
    assert "The two amounts differ" in slip.content.decode()
    assert slip.context["key"] == seen.context["key"]
    assert not SealedBid.objects.exists()
    step |= {"repeat_rao": "130"}
    for _ in range(2):
        client.post(review, step)
    assert SealedBid.objects.count() == 1
    assert world.purse(ada) == (500 * TAO, 200 * TAO)


def test_a_sealed_maximum_is_shown_to_its_bidder_alone(client, on, ada, bob):
    world.seal(on, ada, 137.5, now=timezone.now())
    commitment = queries.sealed_lines(on.id)[0].commitment

    client.force_login(bob)
    others = page_of(client, on)
    client.force_login(ada)
    own = page_of(client, on)

    assert "Your maximum is 137.5 TAO" in own
    assert commitment in own
    # Digits alone also stand in the subnet's name and in commitments by chance.
    assert "137.5" not in others
    assert commitment[:16] in others
    assert "there is one; it is told at the end" in others
    assert "Leader" not in others


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"max_rao": "5"}, "The lowest bid taken now is 10 TAO"),
        ({"max_rao": "600"}, "600 TAO"),
        ({"max_rao": "130", "cover_rao": "100"}, "Set aside at least your maximum of 130 TAO"),
        ({"max_rao": "much"}, "much"),
    ],
)
def test_a_sealed_bid_that_cannot_stand_is_refused_beside_its_form(client, on, ada, typed, said):
    client.force_login(ada)

    answer = client.post(reverse("seal_review", args=[on.id]), {"step": "review", **typed})

    assert answer["Location"] == reverse("auction", args=[on.id]) + "#bid"
    page = read(client, "auction", on.id)
    assert 'class="fault"' in page
    assert said in page.replace("\u202f", "")
    assert not SealedBid.objects.exists()


def test_every_bid_is_opened_at_the_end_with_what_the_check_found(client, on, ada, bob):
    world.seal(on, ada, 130, now=timezone.now())
    world.seal(on, bob, 90, now=timezone.now())
    world.settle(on)

    client.force_login(bob)
    seen = page_of(client, on)

    assert "Another bidder won." in seen
    assert "Every maximum fits its commitment" in seen
    assert seen.index("130") < seen.index("Bidder 2")
    assert "Sold for 90 TAO" in seen
    assert "The reserve was 20 TAO" in seen
    client.force_login(ada)
    assert "You won. You paid 90 TAO" in page_of(client, on)


def test_a_page_stays_readable_while_the_key_of_the_seals_is_missing(client, on, ada, settings):
    world.seal(on, ada, 130, now=timezone.now())
    settings.SEALED_BIDS_KEYS = ["another secret"]

    client.force_login(ada)
    seen = page_of(client, on)

    assert "Your maximum cannot be shown now" in seen
    settings.SEALED_BIDS_KEYS = [settings.SECRET_KEY]


def test_somebodys_sealed_bids_stand_among_their_bids(client, on, ada):
    world.seal(on, ada, 130, now=timezone.now())

    client.force_login(ada)

    assert "Your sealed bids" in text(read(client, "bids"))


# Paying --------------------------------------------------------------------------------------------


def test_a_winner_on_a_deposit_pays_on_the_auctions_page(client, hammered, bob):
    client.force_login(bob)
    seen = client.get(reverse("auction", args=[hammered.id]))
    words = text(seen.content.decode())
    assert "You won: pay for it" in words
    assert "Your deposit of 15 TAO counts towards the price" in words
    assert "Awaiting payment" in words

    for _ in range(2):
        client.post(reverse("pay_auction", args=[hammered.id]), {"key": seen.context["pay_key"]})

    assert slots.subnet(hammered.netuid).owner == bob.id
    assert world.purse(bob) == (500 * TAO - queries.auction(hammered.id).price_rao, 0)


def test_nobody_but_the_winner_can_pay(client, hammered, ada):
    client.force_login(ada)
    before = page_of(client, hammered)

    answer = client.post(reverse("pay_auction", args=[hammered.id]), {"key": "x"}, follow=True)

    assert "won and has to pay" in before
    assert "Somebody else won this auction" in text(answer.content.decode())
    assert slots.subnet(hammered.netuid).owner == hammered.seller


def test_a_defaulter_reads_that_the_deposit_is_gone_and_the_next_is_asked(
    client, hammered, ada, bob
):
    default(hammered)

    client.force_login(bob)
    defaulter = page_of(client, hammered)
    client.force_login(ada)
    second = page_of(client, hammered)

    assert "You did not pay in time. Your deposit of 15 TAO went to the seller" in defaulter
    assert "Nothing was taken" not in defaulter
    assert "Your second chance" in second
    assert "did not pay in time" not in second


def test_a_second_chance_can_be_declined_and_the_subnet_stays_with_its_seller(
    client, hammered, ada, bob
):
    default(hammered)
    client.force_login(ada)

    client.post(reverse("decline_chance", args=[hammered.id]))

    assert queries.auction(hammered.id).state == "unsold"
    assert "Nothing was taken from your wallet" in page_of(client, hammered)
    client.force_login(bob)
    assert "You did not pay in time." in page_of(client, hammered)
    refused = client.post(reverse("decline_chance", args=[hammered.id]))
    assert refused.status_code == 409


def test_the_seller_reads_what_is_waited_for_and_what_a_default_brought(client, hammered):
    client.force_login(User.objects.get(pk=hammered.seller))
    waiting = page_of(client, hammered)
    desk = text(read(client, "desk"))

    default(hammered)

    assert "their deposit is yours, less the fee" in waiting
    assert "Awaiting payment" in desk
    assert "14.625 TAO went to your wallet" in page_of(client, hammered)
