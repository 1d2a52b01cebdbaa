"""Many at once: epochs are paid once, slots sold one by one, keys linked to one, and nobody waits for ever."""

import pytest
from django.db import OperationalError, connection, transaction

from ledger import queries as books
from ledger.chart import BURNED, subnet_lock
from ledger.models import Entry
from subnets import operations, queries
from subnets.errors import HotkeyTaken, NameTaken
from subnets.models import Epoch, Hotkey, Network, Neuron, Subnet
from tests import make
from tests.ledger.make import together
from tests.subnets import town, worlds
from tests.subnets.town import NOW, TAO, at_block

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


def test_two_workers_close_an_epoch_at_once_and_it_is_paid_once():
    place = town.founded(miner_count=1)
    given = town.scores(place, [(10,), (10,)])

    def close():
        return operations.run_epoch(
            netuid=place.netuid, number=1, scores=given, deliveries=(), now=at_block(360)
        )

    answers = together([close] * 4)

    # Who comes while another is at it goes on to other subnets.
    assert {answer.pk for answer in answers if answer is not None} == {Epoch.objects.get().pk}
    assert Entry.objects.filter(key=f"epoch:{place.netuid}:1").count() == 1
    assert place.row.pending_rao == 0
    assert books.issued_rao() == make.TREASURY_TAO * TAO + 359 * TAO


def test_eight_buyers_at_once_get_eight_slots_at_prices_that_double():
    buyers = [make.rich_owner(3_000) for _ in range(8)]

    def buy(owner):
        return lambda: operations.register_subnet(
            owner=owner, name=f"of {owner}", summary="s", blueprint="matmul",
            max_cost_rao=3_000 * TAO, key=f"slot:{owner}", now=NOW,
        )  # fmt: skip

    bought = together([buy(owner) for owner in buyers])

    by_netuid = sorted(bought, key=lambda answer: answer.netuid)
    assert [answer.netuid for answer in by_netuid] == list(range(1, 9))
    lock_rao = make.MIN_LOCK_TAO * TAO
    assert [answer.cost_rao for answer in by_netuid] == [lock_rao * 2**n for n in range(8)]
    for answer, owner in zip(bought, buyers, strict=True):
        assert make.wallet_rao(owner) == 3_000 * TAO - answer.cost_rao
        assert books.balance(subnet_lock(answer.netuid)).posted_rao == answer.cost_rao
        assert queries.subnet(answer.netuid).owner == owner


def test_one_name_bought_and_taken_by_another_at_once_is_one_subnets():
    owner = make.rich_owner(5_000)
    other = make.subnet(owner, name="before")

    def buy():
        return operations.register_subnet(
            owner=owner, name="Wanted", summary="s", blueprint="matmul",
            max_cost_rao=3_000 * TAO, key="slot", now=NOW,
        )  # fmt: skip

    def rename():
        return operations.describe_subnet(
            netuid=other, owner=owner, name="WANTED", summary="s", description="", repository_url=""
        )

    answers = together([buy, rename])

    assert sum(isinstance(answer, NameTaken) for answer in answers) == 1
    assert Subnet.objects.filter(name__iexact="wanted").count() == 1


def test_a_rename_waits_for_whoever_is_buying_a_slot():
    owner = make.rich_owner()
    netuid = make.subnet(owner, name="before")

    def rename():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        return operations.describe_subnet(
            netuid=netuid, owner=owner, name="after", summary="s", description="", repository_url=""
        )

    with transaction.atomic():
        queries.lock_network()
        (answer,) = together([rename])

    assert isinstance(answer, OperationalError)
    assert queries.subnet(netuid).name == "before"
    assert together([rename])[0].name == "after"


def test_a_hotkey_that_registers_many_times_at_once_pays_once():
    netuid = make.subnet()
    owner = make.rich_owner(50)
    key = make.linked(owner)

    seats = together(
        [
            lambda: operations.register_neuron(
                netuid=netuid, hotkey=key.ss58_address, max_burn_rao=50 * TAO, now=NOW
            )
        ]
        * 4
    )

    assert sorted(seat.replayed for seat in seats) == [False, True, True, True]
    assert Neuron.objects.count() == 1
    assert make.wallet_rao(owner) == 49 * TAO
    assert books.balance(BURNED).posted_rao == TAO


def test_two_owners_who_link_one_hotkey_at_once_do_not_share_it():
    owners = [make.user().pk, make.user().pk]
    address = make.keypair().ss58_address
    codes = [operations.open_challenge(owner=owner, now=NOW).code for owner in owners]

    answers = together(
        [
            lambda code=code: operations.link_hotkey(ss58=address, code=code, name="rig", now=NOW)
            for code in codes
        ]
    )

    assert sum(isinstance(answer, HotkeyTaken) for answer in answers) == 1
    (linked,) = [answer for answer in answers if isinstance(answer, Hotkey)]
    assert Hotkey.objects.get().owner == linked.owner


def test_epochs_stake_slots_and_rules_at_once_wait_for_each_other_and_all_succeed():
    places = [town.founded(miner_count=1, stakes_tao=(1_000,)) for _ in range(2)]
    buyer = make.rich_owner(3_000)
    now = at_block(360)

    def close(place):
        return lambda: operations.run_epoch(
            netuid=place.netuid, number=1, scores=town.scores(place, [(10,)]), deliveries=(),
            now=now,
        )  # fmt: skip

    def stake(place, n):
        return lambda: operations.add_stake(
            netuid=place.netuid, hotkey=place.validators[0].hotkey, owner=buyer,
            amount_rao=TAO, key=f"stake {place.netuid} {n}", now=now,
        )  # fmt: skip

    def tune(place):
        return lambda: operations.set_hyperparameter(
            netuid=place.netuid, owner=place.owner, name="immunity_period", value=9, now=NOW
        )

    def buy():
        return operations.register_subnet(
            owner=buyer, name="New", summary="s", blueprint="matmul",
            max_cost_rao=3_000 * TAO, key="slot", now=now,
        )  # fmt: skip

    answers = together(
        [
            buy,
            *(act(place) for place in places for act in (close, tune)),
            *(stake(place, n) for place in places for n in range(2)),
        ]
    )

    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert Network.objects.get().accrued_block == 360
    paid = sum(epoch.emission_rao for epoch in Epoch.objects.all())
    waiting = sum(subnet.pending_rao for subnet in Subnet.objects.all())
    assert paid + waiting == 360 * TAO
    assert not connection.in_atomic_block
