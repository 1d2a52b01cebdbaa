"""What was refused under a client's key stays refused, whatever comes later."""

from datetime import timedelta
from threading import Event

import pytest
from django.utils import timezone

from ledger import refusals, tasks
from ledger.errors import InsufficientFunds
from ledger.models import RefusedKey
from ledger.money import RAO_PER_TAO as TAO
from ledger.queries import Balance
from ledger.refusals import RefusedBefore
from ledger.rest.problems import members
from marketplace import operations
from marketplace.combining import Turn
from marketplace.models import Bid, Offer
from marketplace.operations import bids
from marketplace.queries import asking
from tests.ledger.make import together
from tests.marketplace import world
from tests.marketplace.test_api import bid, post, signed_in


@pytest.fixture
def ada(db):
    return world.person(tao=100)


@pytest.fixture
def on(db):
    return world.auction(now=timezone.now())


def fund(user, tao):
    operations.grant_test_tao(owner=user.id, amount_rao=tao * TAO, key="more", now=timezone.now())


@pytest.mark.django_db
def test_a_key_that_failed_stays_failed_when_money_has_come(ada, on):
    client = signed_in(ada)
    first = bid(client, on, 101, key="one")
    fund(ada, 100)

    again, another = bid(client, on, 101, key="one"), bid(client, on, 101, key="two")

    assert (again.status_code, again.json()) == (402, first.json())
    assert again["Idempotent-Replayed"] == "true"
    assert again["Content-Type"] == "application/problem+json"
    assert another.status_code == 201
    assert Bid.objects.count() == 1


@pytest.mark.django_db
def test_without_what_is_kept_the_same_request_would_succeed_by_luck(ada, on):
    client = signed_in(ada)
    bid(client, on, 101, key="one")
    fund(ada, 100)
    RefusedKey.objects.all().delete()

    assert bid(client, on, 101, key="one").status_code == 201


@pytest.mark.django_db
def test_a_key_that_was_refused_something_else_is_a_clash_and_names_the_field(ada, on):
    client = signed_in(ada)
    bid(client, on, 101, key="one")

    other, elsewhere = (
        bid(client, on, 50, key="one"),
        bid(client, world.auction(now=timezone.now()), 101, key="one"),
    )

    assert (other.status_code, other.json()["field"]) == (422, "max_rao")
    assert (elsewhere.status_code, elsewhere.json()["field"]) == (422, "auction_id")
    assert bid(signed_in(world.person(tao=100)), on, 50, key="one").status_code == 201


@pytest.mark.django_db
def test_bad_input_and_what_says_try_again_are_not_kept(ada, on):
    client = signed_in(ada)

    bid(client, on, 0, key="one")
    bid(client, on, 40, key="")

    assert not RefusedKey.objects.exists()
    assert bid(client, on, 40, key="one").status_code == 201


@pytest.mark.django_db
def test_refusals_are_forgotten_after_thirty_days(ada, on):
    bid(signed_in(ada), on, 101, key="old")
    bid(signed_in(ada), on, 101, key="new")
    RefusedKey.objects.filter(key__endswith=":old").update(
        refused_at=timezone.now() - refusals.KEPT_FOR - timedelta(seconds=1)
    )

    tasks.forget_refused_keys()

    assert [kept.key.rpartition(":")[2] for kept in RefusedKey.objects.all()] == ["new"]


@pytest.mark.django_db(transaction=True)
def test_of_copies_sent_together_none_succeeds_where_another_was_refused(monkeypatch):
    ada, netuid = world.person(tao=100), world.subnet(world.person(tao=10))
    refused, offer = Event(), operations.make_offer

    def slowly(**asked):
        try:
            return offer(**asked)
        except Exception:
            # Money comes between the refusal and its being kept, while the other copy waits.
            fund(ada, 100)
            refused.set()
            raise

    monkeypatch.setattr(operations, "make_offer", slowly)
    body = {"netuid": netuid, "amount_rao": str(101 * TAO), "valid_s": 86_400}
    answers = together([lambda: post(signed_in(ada), "offers/", body, key="one")] * 4)

    assert refused.is_set()
    assert [answer.status_code for answer in answers] == [402] * 4
    assert Offer.objects.count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_known", [True, False], ids=["refused by the look", "and undone"])
def test_of_copies_of_a_bid_in_several_processes_none_succeeds_where_another_was_refused(
    monkeypatch, is_known
):
    ada, on = world.person(tao=100), world.auction(now=timezone.now())
    answered, keep = Event(), refusals.keep
    # As in processes of their own: nobody stands in one line with another.
    monkeypatch.setattr(bids._waiting, "ask", lambda _, one: bids._place_all([one], Turn())[0])
    if not is_known:
        rich = Balance(posted_rao=1_000 * TAO)
        monkeypatch.setattr(
            asking.books, "asked_balances", lambda wallets: lambda: dict.fromkeys(wallets, rich)
        )

    def slowly(refused):
        refused = list(refused)
        keep(refused)
        if refused:
            # Money comes between the refusal and its commit; nobody else may find it there meanwhile.
            together([lambda: fund(ada, 100)])
            assert not answered.wait(0.3)

    def sent():
        answer = bid(signed_in(ada), on, 101, key="one")
        answered.set()
        return answer

    monkeypatch.setattr(refusals, "keep", slowly)
    answers = together([sent] * 4)

    assert [answer.status_code for answer in answers] == [402] * 4, answers
    assert (Bid.objects.count(), RefusedKey.objects.count()) == (0, 1)


@pytest.mark.django_db
def test_copies_of_a_bid_that_wait_together_are_all_refused_and_kept_once(ada, on):
    sent = refusals.Sent("POST api-bids:ada:one", "one", {"max_rao": "1"}, members)
    asked = bids._Asked(on.id, ada.id, 101 * TAO, "one", "bid:ada:one", timezone.now(), sent)

    first, second = bids._place_all([asked, asked], Turn())

    assert (type(first), type(second)) == (InsufficientFunds, RefusedBefore)
    assert second.problem == members(first)
    assert RefusedKey.objects.count() == 1


@pytest.mark.django_db
def test_a_bid_that_was_accepted_is_never_found_refused_under_its_key(ada, on):
    client = signed_in(ada)
    accepted = bid(client, on, 40, key="one")

    again, lower = bid(client, on, 40, key="one"), bid(client, on, 30, key="two")

    assert (accepted.status_code, again.status_code) == (201, 201)
    assert (lower.status_code, lower.json()["code"]) == (409, "maximum_not_raised")
    assert [kept.key.rpartition(":")[2] for kept in RefusedKey.objects.all()] == ["two"]
