"""Seats and stake: what a uid costs, who gives way, and TAO behind a hotkey."""

import pytest

from ledger import queries as books
from ledger.chart import BURNED
from ledger.errors import IdempotencyConflict, InsufficientFunds
from subnets import operations, queries, registration
from subnets.errors import (
    BurnAboveLimit,
    HotkeyNotLinked,
    NotRegistered,
    NoUidAvailable,
    SubnetUnknown,
)
from subnets.hyperparameters import Authority
from subnets.models import Neuron
from tests import make
from tests.subnets import town, worlds
from tests.subnets.town import NOW, TAO, at_block

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


@pytest.fixture
def netuid():
    return make.subnet()


def register(netuid, key, *, max_burn_rao=100 * TAO, now=NOW):
    return operations.register_neuron(
        netuid=netuid, hotkey=key.ss58_address, max_burn_rao=max_burn_rao, now=now
    )


def set_hyperparameters(netuid, **values):
    """Set what no owner may set."""
    slots = values["max_allowed_uids"]
    operations.set_hyperparameters(
        netuid=netuid, account=make.user(staff=True).pk, authority=Authority.ROOT, now=NOW,
        values={"min_allowed_uids": 1, "max_allowed_validators": slots} | values,
    )  # fmt: skip


def test_the_burn_is_paid_and_raises_the_price_which_then_decays(netuid):
    owner = make.rich_owner(10)
    first = register(netuid, make.linked(owner))
    assert (first.uid, first.burn_rao, first.replayed) == (0, TAO, False)
    assert make.wallet_rao(owner) == 9 * TAO
    assert books.balance(BURNED).posted_rao == TAO

    assert queries.burn_cost(netuid, NOW) == TAO * 1_260 // 1_000
    second = register(netuid, make.linked(owner), now=at_block(90))

    assert second.uid == 1
    assert second.burn_rao == registration.burn_decayed(
        burn_rao=TAO * 1_260 // 1_000, blocks=90, half_life_blocks=360,
        min_burn_rao=500_000, max_burn_rao=100 * TAO,
    )  # fmt: skip
    assert second.burn_rao < TAO * 1_260 // 1_000
    assert books.balance(BURNED).posted_rao == first.burn_rao + second.burn_rao


def test_registering_again_keeps_the_uid_and_costs_nothing(netuid):
    owner = make.rich_owner(10)
    key = make.linked(owner)
    register(netuid, key)

    again = register(netuid, key, max_burn_rao=0)

    assert (again.uid, again.burn_rao, again.replayed) == (0, 0, True)
    assert make.wallet_rao(owner) == 9 * TAO


def test_a_burn_above_the_limit_registers_nobody(netuid):
    key = make.linked(make.rich_owner(10))

    with pytest.raises(BurnAboveLimit) as caught:
        register(netuid, key, max_burn_rao=TAO - 1)

    assert caught.value.fields == {"burn_rao": TAO, "max_burn_rao": TAO - 1}
    assert not Neuron.objects.exists()
    assert register(netuid, key, max_burn_rao=TAO).uid == 0


def test_only_a_linked_hotkey_of_somebody_who_can_pay_registers_on_a_subnet_that_is_there(netuid):
    with pytest.raises(HotkeyNotLinked):
        register(netuid, make.keypair())
    with pytest.raises(SubnetUnknown):
        register(77, make.linked(make.rich_owner(10)))
    with pytest.raises(InsufficientFunds):
        register(netuid, make.linked(make.user().pk))

    assert not Neuron.objects.exists()
    assert queries.burn_cost(netuid, NOW) == TAO


def test_a_newcomer_counts_as_active_from_its_first_block(netuid):
    register(netuid, make.linked(make.rich_owner(10)), now=at_block(44))

    neuron = Neuron.objects.get()
    assert (neuron.registered_block, neuron.last_update_block) == (44, 44)
    assert (neuron.has_permit, neuron.bonds) == (False, {})


def test_on_a_full_subnet_the_one_that_earns_least_gives_way_and_bonds_to_it_go():
    place = town.founded()
    town.closed(place)
    town.closed(place)
    set_hyperparameters(place.netuid, max_allowed_uids=5, immunity_period=0, min_non_immune_uids=0)
    least = place.miners[2]
    assert str(least.uid) in Neuron.objects.get(uid=place.validators[0].uid).bonds

    newcomer = register(place.netuid, make.linked(make.rich_owner(10)), now=at_block(725))

    assert newcomer.uid == least.uid
    assert Neuron.objects.count() == 5
    assert queries.neurons_of_hotkey(least.hotkey) == []
    for neuron in Neuron.objects.filter(uid__in=[v.uid for v in place.validators]):
        assert str(least.uid) not in neuron.bonds
        assert len(neuron.bonds) == 2
    assert Neuron.objects.get(uid=least.uid).bonds == {}
    epoch = town.closed(place)
    assert {term.hotkey for term in epoch.terms.all()} >= {place.miners[0].hotkey}


def test_who_was_pruned_registers_and_pays_again():
    place = town.founded(miner_count=1)
    set_hyperparameters(place.netuid, max_allowed_uids=3, immunity_period=0, min_non_immune_uids=0)
    (miner,) = place.miners
    town.closed(place, rows=[(None,), (None,)])
    register(place.netuid, make.linked(make.rich_owner(10)), now=at_block(400))
    before = make.wallet_rao(miner.owner)

    back = register(place.netuid, miner.key, now=at_block(401))

    assert not back.replayed
    assert before - make.wallet_rao(miner.owner) == back.burn_rao > 0


def test_a_full_subnet_of_the_owners_own_takes_nobody(netuid):
    owner = queries.subnet(netuid).owner
    set_hyperparameters(netuid, max_allowed_uids=1, immunity_period=0, min_non_immune_uids=0)
    register(netuid, make.linked(owner))

    with pytest.raises(NoUidAvailable) as caught:
        register(netuid, make.linked(make.rich_owner(10)))

    assert caught.value.fields == {"netuid": netuid}


def stake(act, neuron, tao, *, key="k", owner=None):
    return act(
        netuid=neuron.netuid, hotkey=neuron.hotkey, owner=owner or neuron.owner,
        amount_rao=tao * TAO, key=key, now=NOW,
    )  # fmt: skip


def test_stake_moves_between_the_wallet_and_the_hotkey(netuid):
    judge = make.validator(netuid, stake_tao=0, owner=make.rich_owner(100))
    before = make.wallet_rao(judge.owner)

    assert stake(operations.add_stake, judge, 30, key="a") == 30 * TAO
    assert stake(operations.remove_stake, judge, 10, key="b") == 20 * TAO

    assert make.wallet_rao(judge.owner) == before - 20 * TAO
    assert queries.stake_of(judge.hotkey, netuid) == 20 * TAO
    assert queries.stake_by_subnet() == {netuid: 20 * TAO}


def test_only_who_staked_the_threshold_judges(netuid):
    poor = make.validator(netuid, stake_tao=999)
    rich = make.validator(netuid, stake_tao=1_000)

    assert queries.permitted_validators(netuid) == {rich.hotkey: 1_000 * TAO}
    assert queries.stake_of(poor.hotkey, netuid) == 999 * TAO


def test_a_repeated_request_stakes_once_and_another_under_its_key_is_refused(netuid):
    judge = make.validator(netuid, stake_tao=0, owner=make.rich_owner(100))
    stake(operations.add_stake, judge, 30)

    assert stake(operations.add_stake, judge, 30) == 30 * TAO
    with pytest.raises(IdempotencyConflict):
        stake(operations.add_stake, judge, 31)

    assert queries.stake_of(judge.hotkey, netuid) == 30 * TAO


def test_nobody_takes_out_more_than_they_put_in(netuid):
    judge = make.validator(netuid, stake_tao=0, owner=make.rich_owner(100))
    friend = make.rich_owner(50)
    stake(operations.add_stake, judge, 30, key="a")
    stake(operations.add_stake, judge, 40, key="b", owner=friend)
    assert queries.stake_of(judge.hotkey, netuid) == 70 * TAO

    with pytest.raises(InsufficientFunds):
        stake(operations.remove_stake, judge, 31, key="c")
    with pytest.raises(InsufficientFunds):
        stake(operations.add_stake, judge, 11, key="d", owner=friend)

    assert stake(operations.remove_stake, judge, 40, key="e", owner=friend) == 0


def test_stake_stands_behind_neurons_only_and_leaves_with_a_pruned_one(netuid):
    owner = make.rich_owner(100)
    stranger = make.Neuron(make.linked(owner), owner, netuid, 0)
    with pytest.raises(NotRegistered):
        stake(operations.add_stake, stranger, 1)
    with pytest.raises(SubnetUnknown):
        operations.add_stake(
            netuid=9, hotkey=stranger.hotkey, owner=owner, amount_rao=1, key="k", now=NOW
        )
    judge = make.validator(netuid, stake_tao=30)
    Neuron.objects.all().delete()

    assert stake(operations.remove_stake, judge, 30, key="out") == 0


def test_a_metagraph_takes_as_many_statements_for_many_as_for_one(django_assert_num_queries):
    place = town.founded(miner_count=1)
    town.closed(place, rows=[(10,), (10,)])
    with django_assert_num_queries(3):
        few = queries.metagraph(place.netuid)
    crowd = town.founded(miner_count=10, now=at_block(360))
    town.closed(crowd, rows=[(10,) * 10] * 2)
    with django_assert_num_queries(3):
        many = queries.metagraph(crowd.netuid)

    assert (len(few), len(many)) == (3, 12)
    assert [row.uid for row in many] == list(range(12))
    assert few[0].stake_rao == 3_000 * TAO
    assert few[0].last_payout_rao > 0
    assert few[0].has_permit
