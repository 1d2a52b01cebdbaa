"""Free slots: bought once, at the price agreed, by somebody who can pay."""

import pytest

from ledger.errors import IdempotencyConflict, InsufficientFunds
from ledger.money import RAO_PER_TAO as TAO
from marketplace import operations, queries
from marketplace.models import Sale
from subnets import queries as slots
from subnets.errors import LockCostAboveLimit, NameTaken
from tests.marketplace import world
from tests.marketplace.conftest import NOW

pytestmark = pytest.mark.django_db


def test_a_slot_is_bought_at_the_lock_cost():
    ada = world.person(tao=100)
    cost_rao = slots.lock_cost(NOW)

    sale = world.slot(ada, name="Useful")

    assert (sale.kind, sale.buyer, sale.seller, sale.fee_rao) == ("slot", ada.id, None, 0)
    assert sale.price_rao == cost_rao > 0
    assert world.purse(ada) == (100 * TAO - cost_rao, 0)
    assert (slots.subnet(sale.netuid).owner, slots.subnet(sale.netuid).name) == (ada.id, "Useful")
    (line,) = queries.recent_sales()
    assert (line.id, line.subnet_name, line.seller) == (sale.id, "Useful", None)


def test_the_same_key_buys_one_slot():
    ada = world.person(tao=100)
    first = world.slot(ada, name="Useful", key="one")
    after = world.purse(ada)

    again = world.slot(ada, name=" Useful ", key="one")

    assert again == first
    assert world.purse(ada) == after


@pytest.mark.parametrize(
    "changed", [{"name": "Other"}, {"blueprint": "embeddings"}, {"max_cost_rao": 50 * TAO}]
)
def test_the_same_key_for_another_subnet_is_refused(changed):
    ada = world.person(tao=100)
    world.slot(ada, name="Useful", key="one")

    with pytest.raises(IdempotencyConflict) as refusal:
        world.slot(ada, **({"name": "Useful", "key": "one"} | changed))

    assert refusal.value.fields == {"key": "one", "field": next(iter(changed))}
    assert Sale.objects.count() == 1


def test_a_price_above_the_limit_buys_nothing():
    ada = world.person(tao=100)
    cost_rao = slots.lock_cost(NOW)

    with pytest.raises(LockCostAboveLimit) as refusal:
        world.slot(ada, max_cost_rao=cost_rao - 1)

    assert refusal.value.fields == {"cost_rao": cost_rao, "max_cost_rao": cost_rao - 1}
    assert world.purse(ada) == (100 * TAO, 0)
    assert world.slot(ada, max_cost_rao=cost_rao).price_rao == cost_rao


def test_a_purchase_without_the_money_leaves_nothing():
    ada = world.person(tao=1)

    with pytest.raises(InsufficientFunds):
        world.slot(ada)

    assert Sale.objects.count() == 0
    assert slots.subnets_of(ada.id) == []


def test_a_taken_name_buys_nothing():
    ada = world.person(tao=100)
    world.slot(ada, name="Useful")
    after = world.purse(ada)

    with pytest.raises(NameTaken):
        world.slot(ada, name="useful")

    assert world.purse(ada) == after


def test_a_grant_is_given_once_out_of_the_treasury():
    ada = world.person()
    before = world.treasury()

    assert operations.grant_test_tao(owner=ada.id, amount_rao=5 * TAO, key="welcome", now=NOW)
    assert not operations.grant_test_tao(owner=ada.id, amount_rao=5 * TAO, key="welcome", now=NOW)

    assert world.purse(ada) == (5 * TAO, 0)
    assert world.treasury() == before - 5 * TAO


def test_a_treasury_gives_no_more_than_it_has():
    ada = world.person()

    with pytest.raises(InsufficientFunds):
        operations.grant_test_tao(
            owner=ada.id, amount_rao=world.treasury() + 1, key="welcome", now=NOW
        )


def test_the_first_supply_is_issued_once():
    world.network()
    before = world.treasury()

    assert not operations.fund_treasury(amount_rao=1_000_000 * TAO, key="genesis", now=NOW)

    assert world.treasury() == before
