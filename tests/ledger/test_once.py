"""What was refused under a client's key stays refused, whatever comes later."""

from datetime import timedelta
from threading import Event

import pytest
from django.utils import timezone

from ledger import refusals, tasks
from ledger.models import RefusedKey
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations
from marketplace.models import Bid
from tests.ledger.make import together
from tests.marketplace import world
from tests.marketplace.test_api import bid, signed_in


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
    ada, on = world.person(tao=100), world.auction(now=timezone.now())
    refused, place = Event(), operations.place_bid

    def slowly(**asked):
        try:
            return place(**asked)
        except Exception:
            # Money comes between the refusal and its being kept, while the other copy waits.
            fund(ada, 100)
            refused.set()
            raise

    monkeypatch.setattr(operations, "place_bid", slowly)
    answers = together([lambda: bid(signed_in(ada), on, 101, key="one")] * 4)

    assert refused.is_set()
    assert [answer.status_code for answer in answers] == [402] * 4
    assert Bid.objects.count() == 0
