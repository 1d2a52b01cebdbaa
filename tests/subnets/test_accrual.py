"""Emission accrues per block and is shared by the stake that stood behind each subnet in those blocks."""

import pytest

from ledger import queries as books
from ledger.money import RAO_PER_TAO, apportion
from subnets import operations, queries
from subnets.errors import NetworkNotFounded
from subnets.hyperparameters import Authority
from subnets.models import Network, Subnet
from tests import make
from tests.subnets import town, worlds
from tests.subnets.town import NOW, TAO, at_block

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


def pending():
    return dict(Subnet.objects.order_by("netuid").values_list("netuid", "pending_rao"))


def tuned(netuid, name, value, *, now=NOW):
    operations.set_hyperparameters(
        netuid=netuid, account=make.user(staff=True).pk, values={name: value}, now=now,
        authority=Authority.ROOT,
    )  # fmt: skip


def staked(neuron, tao, *, now):
    return operations.add_stake(
        netuid=neuron.netuid,
        hotkey=neuron.hotkey,
        owner=neuron.owner,
        amount_rao=tao * TAO,
        key=f"stake {now} {neuron.uid}",
        now=now,
    )


def test_without_a_network_nothing_accrues():
    with pytest.raises(NetworkNotFounded):
        operations.accrue_emission(up_to_block=10)


def test_blocks_before_the_first_subnet_issue_nothing():
    make.network()

    netuid = make.subnet(now=at_block(1_000))
    operations.accrue_emission(up_to_block=1_010)

    assert pending() == {netuid: 10 * TAO}


def test_a_block_is_shared_out_once():
    netuid = make.subnet()

    assert operations.accrue_emission(up_to_block=7) == 7 * TAO
    assert operations.accrue_emission(up_to_block=7) == 0
    assert operations.accrue_emission(up_to_block=5) == 0
    assert operations.accrue_emission(up_to_block=8) == TAO
    assert pending() == {netuid: 8 * TAO}
    assert Network.objects.get().accrued_block == 8


def test_subnets_share_by_their_stake_plus_one_and_to_the_rao():
    rich, poor, new = (make.subnet() for _ in range(3))
    make.validator(rich, stake_tao=1_999)
    make.validator(poor, stake_tao=500)

    operations.accrue_emission(up_to_block=100)

    shares = apportion(1 << 32, [2_000, 501, 1])
    assert list(pending().values()) == apportion(100 * TAO, shares)
    assert pending()[new] > 0


def test_what_waits_is_told_as_if_it_accrued_now():
    rich, poor = make.subnet(), make.subnet()
    make.validator(rich, stake_tao=1_999)
    operations.accrue_emission(up_to_block=7)

    told = {netuid: queries.waiting_rao(netuid, now=at_block(200)) for netuid in (rich, poor)}

    assert sum(pending().values()) == 7 * TAO
    operations.accrue_emission(up_to_block=200)
    assert told == pending()


def test_what_is_issued_after_an_epoch_s_last_block_does_not_wait_for_it():
    netuid = make.subnet()
    end_block = Subnet.objects.get(pk=netuid).next_epoch_block

    assert queries.waiting_rao(netuid, now=at_block(end_block + 1_000)) == end_block * TAO


def test_a_new_subnet_earns_from_its_own_block_on():
    first = make.subnet()
    second = make.subnet(now=at_block(100))
    assert pending() == {first: 100 * TAO, second: 0}

    operations.accrue_emission(up_to_block=200)

    assert pending() == {first: 150 * TAO, second: 50 * TAO}


def test_stake_counts_from_the_block_in_which_it_came():
    one, other = make.subnet(), make.subnet()
    late = make.validator(one, stake_tao=0, owner=make.rich_owner(5_000))

    staked(late, 2_998, now=at_block(300))
    assert pending() == {one: 150 * TAO, other: 150 * TAO}

    operations.accrue_emission(up_to_block=400)
    parts = apportion(100 * TAO, apportion(1 << 32, [2_999, 1]))
    assert pending() == {one: 150 * TAO + parts[0], other: 150 * TAO + parts[1]}


def test_stake_that_left_counts_until_the_block_in_which_it_left():
    one, _ = make.subnet(), make.subnet()
    judge = make.validator(one, stake_tao=1_000)

    operations.remove_stake(
        netuid=one, hotkey=judge.hotkey, owner=judge.owner, amount_rao=1_000 * TAO, key="out",
        now=at_block(100),
    )  # fmt: skip

    parts = apportion(100 * TAO, apportion(1 << 32, [1_001, 1]))
    assert list(pending().values()) == parts
    operations.accrue_emission(up_to_block=200)
    assert list(pending().values()) == [part + 50 * TAO for part in parts]


def test_a_subnet_whose_emission_is_off_gets_none_and_the_others_get_it():
    on, off = make.subnet(), make.subnet()
    tuned(off, "subnet_emission_enabled", 0)

    operations.accrue_emission(up_to_block=10)
    assert pending() == {on: 10 * TAO, off: 0}

    tuned(on, "registration_allowed", 0, now=at_block(10))
    assert operations.accrue_emission(up_to_block=20) == 0
    assert pending() == {on: 10 * TAO, off: 0}


def test_emission_is_switched_from_the_block_of_the_switch_on():
    one, other = make.subnet(), make.subnet()

    tuned(other, "subnet_emission_enabled", 0, now=at_block(100))
    assert pending() == {one: 50 * TAO, other: 50 * TAO}
    tuned(other, "subnet_emission_enabled", 1, now=at_block(130))

    assert pending() == {one: 80 * TAO, other: 50 * TAO}
    operations.accrue_emission(up_to_block=150)
    assert pending() == {one: 90 * TAO, other: 60 * TAO}


def test_what_was_burned_of_the_miners_part_lowers_a_subnets_share():
    plain, burning = make.subnet(), make.subnet()
    Subnet.objects.filter(pk=burning).update(miner_burned_u16=65_535 // 5 * 4)

    operations.accrue_emission(up_to_block=60)

    parts = apportion(60 * TAO, apportion(1 << 32, [5, 1]))
    assert pending() == {plain: parts[0], burning: parts[1]}


def test_nothing_is_lost_between_blocks_and_epochs():
    place = town.founded()
    make.subnet(now=at_block(50))
    issued_rao = books.issued_rao()

    for end in (360, 720, 1080):
        town.closed(place, now=at_block(end + 3))

    waiting_rao = sum(pending().values())
    assert books.issued_rao() - issued_rao + waiting_rao == 1079 * TAO
    assert queries.supply_rao() == books.issued_rao() + waiting_rao


def test_many_subnets_take_as_many_statements_as_one(django_assert_num_queries):
    make.subnet()
    operations.accrue_emission(up_to_block=1)
    # Savepoint and release, the locks of network and subnets, supply, stake, the two updates.
    with django_assert_num_queries(8):
        operations.accrue_emission(up_to_block=2)
    for _ in range(3):
        make.subnet(now=at_block(2))
    with django_assert_num_queries(8):
        operations.accrue_emission(up_to_block=3)


def test_a_clock_that_stood_still_goes_on_where_it_stood():
    place = town.founded()
    town.closed(place)
    restarted = at_block(100_000)

    block = operations.resume_clock(now=restarted)

    assert block == 359
    assert queries.block_now(restarted) == 359
    assert queries.due_epochs(restarted) == []
    assert operations.accrue_emission(up_to_block=queries.block_now(restarted)) == 0
    (due,) = queries.due_epochs(restarted + 360 * town.BLOCK)
    assert (due.number, due.ends_at) == (2, restarted + 360 * town.BLOCK)


def test_a_window_begins_where_the_last_one_ended_however_often_the_clock_stood_still():
    place = town.founded()
    town.closed(place)

    for restart in (at_block(100_000), at_block(200_000)):
        operations.resume_clock(now=restart)

    (due,) = queries.due_epochs(at_block(200_000 + 360))
    assert due.starts_at == at_block(359)
    town.closed(place, now=due.ends_at)
    assert Subnet.objects.get(pk=place.netuid).window_starts_at is None


def test_a_resumed_clock_does_not_fall_behind_what_is_on_record():
    netuid = make.subnet()
    make.validator(netuid, stake_tao=0, now=at_block(200))

    assert operations.resume_clock(now=at_block(300)) == 200
    assert operations.resume_clock(now=at_block(300)) == 200
    assert queries.block_now(at_block(301)) == 201


def test_founding_the_network_again_changes_nothing():
    founded = make.network()

    again = operations.found_network(block_ms=1, min_lock_rao=1, now=at_block(9))

    assert (again.genesis_at, again.block_ms) == (NOW, 12_000)
    assert again.min_lock_rao == founded.min_lock_rao == make.MIN_LOCK_TAO * RAO_PER_TAO
