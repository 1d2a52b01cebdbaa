"""Premiums on free slots: what a slot costs above the lock cost while staff says so."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations, queries
from marketplace.errors import PremiumAlreadyOpen, PremiumTermsInvalid
from marketplace.models import Sale
from marketplace.pages import wording
from subnets.errors import LockCostAboveLimit
from tests.marketplace import world
from tests.marketplace.conftest import NOW
from tests.marketplace.reading import names_must_exist, read  # noqa: F401

pytestmark = pytest.mark.django_db
OPERATOR = uuid4()


def premium(tao=100, **terms):
    """Open a premium for a day from NOW, halving every two hours."""
    world.network()
    asked = {
        "premium_rao": tao * TAO,
        "half_life_s": 7_200,
        "starts_at": NOW,
        "ends_at": NOW + timedelta(days=1),
        "operator": OPERATOR,
        "now": NOW,
    }
    return operations.open_slot_premium(**asked | terms)


def test_a_slot_costs_the_lock_and_the_premium_of_the_moment():
    premium(100)
    ada = world.person(tao=1_000)
    cost = queries.slot_cost(NOW)

    sale = world.slot(ada)

    assert (cost.lock_rao, cost.premium_rao) == (world.LOCK_RAO, 100 * TAO)
    assert (sale.price_rao, sale.fee_rao) == (cost.cost_rao, 100 * TAO)
    assert world.purse(ada) == (1_000 * TAO - cost.cost_rao, 0)
    assert world.fees() == 100 * TAO


def test_a_premium_halves_and_ends_at_nothing():
    opened = premium(100)

    tag = queries.premium_tag(opened)
    assert 49 * TAO < tag.price_rao(now=NOW + timedelta(hours=2)) < 50 * TAO
    assert queries.slot_cost(NOW + timedelta(days=1)).premium is None


def test_the_first_page_names_the_whole_cost_of_a_slot(client):
    world.network()
    without = read(client, "home")

    now = timezone.now()
    premium(100, half_life_s=30 * 86_400, starts_at=now, ends_at=now + timedelta(days=60), now=now)
    text = read(client, "home")

    assert "falls until the next sale" in without
    assert f"{wording.short_tao(world.LOCK_RAO)} <span" in without
    assert re.search(r"<dd>1(10|09) <span.*a premium of (100|99\.9) TAO included", text)


def test_the_limit_of_a_buyer_bounds_lock_and_premium_together():
    premium(100)
    ada = world.person(tao=1_000)

    with pytest.raises(LockCostAboveLimit) as refusal:
        world.slot(ada, max_cost_rao=world.LOCK_RAO + 100 * TAO - 1)

    assert refusal.value.fields == {
        "cost_rao": world.LOCK_RAO + 100 * TAO,
        "max_cost_rao": world.LOCK_RAO + 100 * TAO - 1,
    }
    assert Sale.objects.count() == 0
    world.slot(ada, max_cost_rao=world.LOCK_RAO + 100 * TAO)


def test_without_a_premium_a_slot_costs_its_lock():
    ada = world.person(tao=1_000)

    sale = world.slot(ada)

    assert (sale.price_rao, sale.fee_rao, world.fees()) == (world.LOCK_RAO, 0, 0)


def test_slots_have_one_premium_at_a_time_and_the_same_one_is_opened_once():
    first = premium()

    assert premium() == first
    with pytest.raises(PremiumAlreadyOpen) as refusal:
        premium(starts_at=NOW + timedelta(hours=1))

    assert refusal.value.fields == {"ends_at": first.ends_at}


@pytest.mark.parametrize("terms", [{"tao": 0}, {"half_life_s": 0}, {"ends_at": NOW}])
def test_terms_that_cannot_be_are_refused(terms):
    with pytest.raises(PremiumTermsInvalid):
        premium(**terms)

    premium()


def test_a_withdrawn_premium_is_asked_of_nobody():
    opened = premium()

    operations.withdraw_slot_premium(premium_id=opened.id, operator=OPERATOR, now=NOW)

    assert queries.slot_cost(NOW).premium_rao == 0
    premium(50)
