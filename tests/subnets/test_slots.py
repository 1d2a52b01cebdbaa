"""Slots: their price, their limits, and who may change what is said of them."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction

from ledger import queries as books
from ledger.chart import subnet_lock
from ledger.errors import InsufficientFunds
from subnets import hyperparameters, operations, queries, registration
from subnets.errors import (
    HyperparameterNotYours,
    HyperparameterOutOfBounds,
    HyperparametersFrozen,
    LockCostAboveLimit,
    NameTaken,
    NoFreeSlot,
    NotTheOwner,
    SubnetUnknown,
    TextRefused,
)
from subnets.models import IncentiveRule, Network, Ownership, Subnet
from subnets.queries.network import LOCK_REDUCTION_INTERVAL_BLOCKS
from tests import make
from tests.subnets import worlds
from tests.subnets.town import NOW, TAO, at_block

pytestmark = pytest.mark.django_db
LOCK_RAO = make.MIN_LOCK_TAO * TAO


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


def buy(owner, *, name="Alpha", max_cost_rao=10**6 * TAO, now=NOW):
    return operations.register_subnet(
        owner=owner, name=name, summary="Multiplies.", blueprint="matmul",
        max_cost_rao=max_cost_rao, key=f"slot {name}", now=now,
    )  # fmt: skip


def test_a_slot_is_paid_into_its_lock_and_opens_with_the_blueprints_rule():
    owner = make.rich_owner(100)

    bought = buy(owner)

    assert (bought.netuid, bought.cost_rao) == (1, LOCK_RAO)
    assert make.wallet_rao(owner) == 100 * TAO - LOCK_RAO
    assert books.balance(subnet_lock(1)).posted_rao == LOCK_RAO
    subnet = queries.subnet(1)
    assert (subnet.owner, subnet.hyperparameters) == (owner, hyperparameters.defaults())
    assert (subnet.last_epoch_block, subnet.next_epoch_block) == (0, 359)
    rule = queries.rule_in_force(1, 1)
    assert (rule.version, rule.state, rule.from_epoch) == (1, IncentiveRule.State.PUBLISHED, 1)
    (owned,) = Ownership.objects.all()
    assert (owned.owner, owned.price_rao, owned.ends_at) == (owner, LOCK_RAO, None)


def test_the_price_doubles_with_each_slot_and_falls_back_block_by_block():
    owner = make.rich_owner(1_000)
    first = buy(owner, name="A", now=at_block(100))
    second = buy(owner, name="B", now=at_block(100))
    assert (first.cost_rao, second.cost_rao) == (LOCK_RAO, 2 * LOCK_RAO)
    network = Network.objects.get()
    assert (network.last_lock_rao, network.last_lock_block) == (2 * LOCK_RAO, 100)

    prices = [queries.lock_cost(at_block(100 + elapsed)) for elapsed in (0, 1, 50_400, 100_800)]

    per_block = 2 * LOCK_RAO // LOCK_REDUCTION_INTERVAL_BLOCKS
    assert prices == [4 * LOCK_RAO - per_block * n for n in (0, 1, 50_400, 100_800)]
    assert queries.lock_cost(at_block(10**6)) == LOCK_RAO
    third = buy(owner, name="C", now=at_block(5_000))
    assert third.cost_rao == registration.lock_cost(
        last_lock_rao=2 * LOCK_RAO, last_lock_block=100, block=5_000,
        interval_blocks=LOCK_REDUCTION_INTERVAL_BLOCKS, min_lock_rao=LOCK_RAO,
    )  # fmt: skip


def test_a_price_above_the_buyers_limit_buys_nothing():
    owner = make.rich_owner(100)

    with pytest.raises(LockCostAboveLimit) as caught:
        buy(owner, max_cost_rao=LOCK_RAO - 1)

    assert caught.value.fields == {"cost_rao": LOCK_RAO, "max_cost_rao": LOCK_RAO - 1}
    assert not Subnet.objects.exists()
    assert buy(owner, max_cost_rao=LOCK_RAO).netuid == 1


def test_who_cannot_pay_gets_no_slot():
    with pytest.raises(InsufficientFunds):
        buy(make.rich_owner(9))

    assert not Subnet.objects.exists()
    assert Network.objects.get().last_lock_block == 0


def test_a_name_is_taken_once_whatever_its_case():
    owner = make.rich_owner(1_000)
    buy(owner, name="Alpha")

    with pytest.raises(NameTaken) as caught:
        buy(owner, name="ALPHA")

    assert caught.value.fields == {"name": "Alpha"}
    assert buy(owner, name="Alphabet").netuid == 2


def test_a_name_that_the_eye_takes_for_another_is_taken():
    owner = make.rich_owner()
    buy(owner, name="COCO")

    with pytest.raises(NameTaken) as caught:
        buy(owner, name="СОСО")  # Cyrillic

    assert caught.value.fields == {"name": "COCO"}
    assert buy(owner, name="Сосна").netuid == 2


@pytest.mark.parametrize("name", ["ALPHA", "\uff21lpha"])
def test_the_database_itself_keeps_names_apart(name):
    make.subnet(name="Alpha")
    second = make.subnet(name="Beta")

    with pytest.raises(IntegrityError, match="name_is_unique_as_read"), transaction.atomic():
        Subnet.objects.filter(pk=second).update(name=name)


def test_the_names_of_the_time_before_are_put_into_one_form_and_told_apart():
    first, second, third = (make.subnet(name=name) for name in ("Alpha", "Beta", "Gamma"))
    migration = import_module("subnets.migrations.0004_tell_names_apart")
    Subnet.objects.filter(pk=second).update(name="Al\u200bpha", summary="pays \u202emore")
    Subnet.objects.filter(pk=third).update(name="\u202e\u200b")

    migration.put_into_one_form(apps, None)

    names = dict(Subnet.objects.values_list("netuid", "name"))
    assert names == {first: "Alpha", second: f"Alpha {second}", third: f"Subnet {third}"}
    assert queries.subnet(second).summary == "pays more"


def told_apart(*names):
    """Return what the migration makes of the names of subnets 1, 2, …"""
    migration = import_module("subnets.migrations.0004_tell_names_apart")
    for place, name in enumerate(names):
        Subnet.objects.filter(pk=make.subnet(name=f"before {place}")).update(name=name)

    migration.put_into_one_form(apps, None)

    return list(Subnet.objects.order_by("netuid").values_list("name", flat=True))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["A", "A 3", "A\u200b"], ["A", "A 3", "A 3.2"]),
        (["A\u200b", "A"], ["A 1", "A"]),
        (["A", "A\u200b", "a\u200b 2"], ["A", "A 2.2", "a 2"]),
        (["N" * 59, "N" * 59 + "\u200b"], ["N" * 59, "N" * 58 + " 2"]),
        (["\u0130", "\u0130\u200b"], ["\u0130", "\u0130 2"]),
        (["\u200b", "Subnet 1"], ["Subnet 1 1", "Subnet 1"]),
    ],
)
def test_a_name_is_never_told_apart_by_one_that_is_taken(names, told):
    assert told_apart(*names) == told


def test_words_that_hide_something_buy_nothing():
    owner = make.rich_owner()
    before = make.wallet_rao(owner)

    with pytest.raises(TextRefused) as caught:
        buy(owner, name="Alpha\u202e")

    assert caught.value.fields["name"] == "name"
    assert make.wallet_rao(owner) == before
    assert not Subnet.objects.exists()


def test_when_all_slots_are_taken_none_is_sold():
    owner = make.rich_owner(1_000)
    buy(owner, name="the first")
    template = Subnet.objects.get()
    for netuid in range(2, 129):
        template.pk, template.name = netuid, f"slot {netuid}"
        template.save(force_insert=True)
        Ownership.objects.create(
            subnet_id=netuid, owner=owner, starts_at=NOW, price_rao=0, reason="registered"
        )

    with pytest.raises(NoFreeSlot) as caught:
        buy(owner, name="one too many")

    assert caught.value.fields == {"limit": 128}
    assert queries.network_figures(NOW).free_slot_count == 0


def describe(netuid, owner, name):
    return operations.describe_subnet(
        netuid=netuid, owner=owner, name=name, summary="s", description="d", repository_url=""
    )


def test_words_are_kept_in_one_form():
    owner = make.rich_owner()
    netuid = buy(owner, name="  Prime   Products ").netuid

    assert queries.subnet(netuid).name == "Prime Products"
    assert describe(netuid, owner, "\uff30rime").name == "Prime"


def test_a_description_may_not_turn_what_follows_it():
    owner = make.rich_owner()
    netuid = buy(owner).netuid

    with pytest.raises(TextRefused) as caught:
        operations.describe_subnet(
            netuid=netuid, owner=owner, name="Alpha", summary="s", description="a\u2067b",
            repository_url="",
        )  # fmt: skip

    assert caught.value.fields["name"] == "description"
    assert queries.subnet(netuid).description == ""


def test_a_subnet_is_described_by_its_owner_under_a_free_name():
    owner, other = make.rich_owner(), make.rich_owner()
    first, second = buy(owner, name="A").netuid, buy(other, name="B").netuid

    assert describe(first, owner, "a").name == "a"
    with pytest.raises(NameTaken):
        describe(second, other, "A")
    with pytest.raises(NotTheOwner):
        describe(first, other, "C")
    with pytest.raises(SubnetUnknown):
        describe(77, owner, "C")
    assert sorted(Subnet.objects.values_list("name", flat=True)) == ["B", "a"]


def tune(netuid, owner, name, value, *, now=NOW):
    return operations.set_hyperparameter(
        netuid=netuid, owner=owner, name=name, value=value, now=now
    ).hyperparameters[name]


def test_hyperparameters_are_the_owners_within_their_bounds_and_outside_the_freeze():
    owner = make.rich_owner()
    netuid = buy(owner).netuid

    assert tune(netuid, owner, "immunity_period", 7) == 7
    with pytest.raises(HyperparameterOutOfBounds):
        tune(netuid, owner, "tempo", 1)
    with pytest.raises(HyperparameterNotYours):
        tune(netuid, owner, "kappa", 1)
    with pytest.raises(NotTheOwner):
        tune(netuid, make.rich_owner(), "immunity_period", 8)
    assert tune(netuid, owner, "min_burn", 9, now=at_block(349)) == 9
    with pytest.raises(HyperparametersFrozen):
        tune(netuid, owner, "max_burn", 10**9, now=at_block(350))
    assert queries.subnet(netuid).hyperparameters["immunity_period"] == 7


def test_a_new_tempo_acts_from_the_epoch_after_the_running_one():
    owner = make.rich_owner()
    netuid = buy(owner).netuid
    tune(netuid, owner, "tempo", 720)

    (due,) = queries.due_epochs(at_block(360))
    operations.run_epoch(netuid=netuid, number=1, scores=(), deliveries=(), now=due.ends_at)

    assert queries.subnet(netuid).next_epoch_block == 359 + 720


@pytest.mark.parametrize("sort", ["netuid", "name", "stake", "neurons", "emission", "nonsense"])
def test_the_list_of_subnets_takes_as_many_statements_for_four_as_for_one(
    sort, django_assert_num_queries
):
    make.subnet(name="one")
    for count in (1, 4):
        with django_assert_num_queries(3):
            rows = queries.subnet_rows(sort=sort)
        assert len(rows) == count
        for n in range(3):
            make.subnet(name=f"{count} {n}")


def test_subnets_are_found_by_name_blueprint_and_order():
    poor, rich = make.subnet(name="Beta"), make.subnet(name="alpha", blueprint="embeddings")
    make.validator(rich, stake_tao=10)

    def found(**asked):
        return [row.netuid for row in queries.subnet_rows(**asked)]

    assert found() == [poor, rich]
    assert found(sort="name") == found(sort="stake") == found(sort="neurons") == [rich, poor]
    assert found(search="BET") == [poor]
    assert found(blueprint="embeddings") == [rich]
    assert found(search="100%") == []
