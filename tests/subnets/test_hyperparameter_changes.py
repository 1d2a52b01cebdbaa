"""Who changed which hyperparameter when: the log, the wait between two changes, and when a change acts."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction

from ledger import queries as books
from ledger.chart import BURNED
from subnets import hyperparameters, invariants, operations, queries
from subnets.errors import (
    HyperparameterChangedLately,
    HyperparameterOutOfBounds,
    HyperparametersContradict,
    HyperparametersFrozen,
    NeuronsAboveSlots,
    NotTheOwner,
    RegistrationClosed,
)
from subnets.hyperparameters import HYPERPARAMETERS, Authority
from subnets.models import HyperparameterChange, Subnet
from tests import make
from tests.subnets import town, worlds
from tests.subnets.town import NOW, TAO, at_block

pytestmark = pytest.mark.django_db
LEAST = {"min_allowed_uids": 1, "max_allowed_validators": 1}


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


@pytest.fixture
def place():
    return town.founded()


def tune(place, *, now=NOW, owner=None, **values):
    return operations.set_hyperparameters(
        netuid=place.netuid, account=owner or place.owner, values=values, now=now
    )


def overrule(place, *, now=NOW, **values):
    root = make.user(staff=True).pk
    operations.set_hyperparameters(
        netuid=place.netuid, account=root, values=values, now=now, authority=Authority.ROOT
    )
    return root


def logged(place):
    return [
        (change.name, change.old_value, change.new_value)
        for change in queries.hyperparameter_changes(place.netuid)
    ]


def test_a_change_is_written_down_with_who_when_and_what(place):
    tune(place, immunity_period=7, now=at_block(12))

    (change,) = HyperparameterChange.objects.all()
    assert (change.name, change.old_value, change.new_value) == ("immunity_period", 5_000, 7)
    assert (change.account, change.authority) == (place.owner, Authority.OWNER)
    assert (change.at, change.block) == (at_block(12), 12)


def test_setting_what_is_set_already_is_no_change_and_is_not_refused_for_its_time(place):
    tune(place, immunity_period=7)

    for block in (1, 355):
        tune(place, immunity_period=7, now=at_block(block))

    assert logged(place) == [("immunity_period", 5_000, 7)]


def test_values_that_pass_only_together_are_set_together_and_each_is_logged(place):
    tune(place, alpha_low=60_000, alpha_high=65_000)

    assert logged(place) == [("alpha_high", 58_982, 65_000), ("alpha_low", 45_875, 60_000)]


def test_of_values_set_together_none_is_set_when_one_is_refused(place):
    with pytest.raises(HyperparameterOutOfBounds):
        tune(place, immunity_period=7, tempo=1)
    with pytest.raises(HyperparametersContradict):
        tune(place, immunity_period=7, alpha_low=59_000)

    assert logged(place) == []
    assert place.row.hyperparameters == hyperparameters.defaults()


def test_an_owner_waits_two_tempos_between_two_changes_of_one_row(place):
    tune(place, immunity_period=7, now=at_block(5))
    tune(place, min_burn=1, now=at_block(6))
    for _ in range(2):
        town.closed(place)

    with pytest.raises(HyperparameterChangedLately) as caught:
        tune(place, immunity_period=8, now=at_block(724))

    assert caught.value.fields == {
        "name": "immunity_period", "changeable_from_block": 725, "block": 724, "wait_blocks": 720,
    }  # fmt: skip
    assert caught.value.http_status == 429
    tune(place, immunity_period=8, now=at_block(725))
    assert place.row.hyperparameters["immunity_period"] == 8


def test_a_row_may_have_a_wait_of_its_own_or_none(place):
    tune(place, tempo=400, owner_cut_enabled=0, now=at_block(0))
    town.closed(place)

    tune(place, owner_cut_enabled=1, now=at_block(359))
    with pytest.raises(HyperparameterChangedLately) as caught:
        tune(place, tempo=500, now=at_block(359))

    assert caught.value.fields["changeable_from_block"] == 360
    assert tune(place, tempo=500, now=at_block(360)).hyperparameters["tempo"] == 500


def test_the_wait_stays_with_the_subnet_when_it_is_sold(place):
    buyer = make.rich_owner()
    tune(place, immunity_period=7)
    operations.transfer_ownership(
        netuid=place.netuid, seller=place.owner, buyer=buyer, price_rao=1, now=at_block(1)
    )

    with pytest.raises(HyperparameterChangedLately):
        tune(place, immunity_period=8, owner=buyer, now=at_block(2))
    with pytest.raises(NotTheOwner):
        tune(place, min_burn=1, now=at_block(2))


def test_root_waits_for_nothing_and_makes_no_owner_wait(place):
    root = overrule(place, kappa=40_000, immunity_period=1, now=at_block(355))
    overrule(place, kappa=41_000, now=at_block(356))
    town.closed(place)

    tune(place, immunity_period=2, now=at_block(359))

    assert logged(place)[-2:] == [("immunity_period", 5_000, 1), ("kappa", 32_767, 40_000)]
    first = HyperparameterChange.objects.order_by("id").first()
    assert (first.account, first.authority) == (root, Authority.ROOT)
    assert place.row.hyperparameters["kappa"] == 41_000


def test_an_owner_cannot_go_beyond_the_owners_bounds_where_root_can(place):
    with pytest.raises(HyperparameterOutOfBounds):
        tune(place, tempo=10)

    overrule(place, tempo=10)

    assert place.row.hyperparameters["tempo"] == 10


def test_the_log_cannot_be_rewritten(place):
    tune(place, immunity_period=7)

    for statement in ("UPDATE subnets_hyperparameterchange SET new_value = 1",
                      "DELETE FROM subnets_hyperparameterchange"):  # fmt: skip
        with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
            connection.cursor().execute(statement)

    assert logged(place) == [("immunity_period", 5_000, 7)]


def test_a_change_acts_on_the_running_epoch_and_on_none_that_was_closed(place):
    first = town.closed(place)
    tune(place, owner_cut_enabled=0, now=at_block(500))
    second = town.closed(place)

    said = [
        epoch.bundle["record"]["hyperparameters"]["owner_cut_enabled"] for epoch in (first, second)
    ]
    assert said == ["1", "0"]
    assert first.owner_rao == first.emission_rao * 11_796 // 65_535
    assert second.owner_rao == 0
    assert second.miners_rao + second.validators_rao + second.burned_rao == 360 * TAO


def test_an_owner_changes_nothing_about_epochs_that_wait_to_be_closed(place):
    with pytest.raises(HyperparametersFrozen):
        tune(place, owner_cut_enabled=0, now=at_block(5_000))

    # Two epochs of the outage are closed, as they would have been in time, and eleven wait.
    for _ in range(2):
        assert town.closed(place, now=at_block(5_000)).owner_rao > 0
    with pytest.raises(HyperparametersFrozen):
        tune(place, owner_cut_enabled=0, now=at_block(5_000))


def test_a_new_tempo_acts_from_the_epoch_after_the_running_one(place):
    tune(place, tempo=720)

    epochs = [town.closed(place) for _ in range(3)]

    assert [epoch.end_block for epoch in epochs] == [359, 1_079, 1_799]
    assert [epoch.emission_rao for epoch in epochs] == [359 * TAO, 720 * TAO, 720 * TAO]


def test_a_subnet_has_never_fewer_slots_than_neurons(place):
    overrule(place, **LEAST)

    with pytest.raises(NeuronsAboveSlots) as caught:
        tune(place, max_allowed_uids=4)
    assert caught.value.fields == {"name": "max_allowed_uids", "value": 4, "neuron_count": 5}
    assert tune(place, max_allowed_uids=5).hyperparameters["max_allowed_uids"] == 5


def test_an_owner_lowers_the_slots_no_further_than_root_lets(place):
    with pytest.raises(HyperparametersContradict) as caught:
        tune(place, max_allowed_uids=63)
    assert caught.value.fields["lower"] in {"min_allowed_uids", "max_allowed_validators"}

    assert tune(place, max_allowed_uids=64).hyperparameters["max_allowed_uids"] == 64


def test_closed_registration_takes_nobody_and_keeps_who_is_there(place):
    overrule(place, registration_allowed=0)
    newcomer = make.linked(make.rich_owner(10))

    with pytest.raises(RegistrationClosed) as caught:
        operations.register_neuron(
            netuid=place.netuid, hotkey=newcomer.ss58_address, max_burn_rao=TAO, now=NOW
        )
    known = operations.register_neuron(
        netuid=place.netuid, hotkey=place.miners[0].hotkey, max_burn_rao=0, now=NOW
    )

    assert caught.value.fields == {"netuid": place.netuid}
    assert known.replayed
    assert not place.row.emission_enabled


def test_the_owners_neurons_within_the_limit_are_never_replaced():
    owner = make.rich_owner()
    netuid = make.subnet(owner)
    rows = {"min_allowed_uids": 1, "max_allowed_validators": 3, "max_allowed_uids": 3}
    rows |= {"immunity_period": 0, "min_non_immune_uids": 0, "immune_owner_uids_limit": 2}
    operations.set_hyperparameters(
        netuid=netuid, account=make.user(staff=True).pk, values=rows, now=NOW,
        authority=Authority.ROOT,
    )  # fmt: skip

    def register(account, block):
        return operations.register_neuron(
            netuid=netuid, hotkey=make.linked(account).ss58_address, max_burn_rao=100 * TAO,
            now=at_block(block),
        ).uid  # fmt: skip

    assert [register(owner, 1), register(owner, 2), register(make.rich_owner(), 3)] == [0, 1, 2]
    assert register(make.rich_owner(), 4) == 2
    assert register(make.rich_owner(), 5) == 2


def test_a_table_stored_before_a_row_existed_reads_with_that_rows_default(place):
    Subnet.objects.filter(pk=place.netuid).update(
        hyperparameters={"tempo": 360, "immunity_period": 5_000}
    )

    assert place.row.hyperparameters == hyperparameters.defaults()
    assert (
        Subnet.objects.values_list("hyperparameters", flat=True).get() == place.row.hyperparameters
    )
    assert Subnet.objects.values_list("hyperparameters__tempo", flat=True).get() == 360
    assert town.closed(place).bundle["record"]["hyperparameters"].keys() == {
        row.name for row in HYPERPARAMETERS
    }


def test_the_table_says_from_which_block_on_the_owner_may_change_each_row(place):
    tune(place, immunity_period=7, now=at_block(5))

    def blocks(block):
        lines = queries.hyperparameter_lines(place.row, block=block)
        return {line.row.name: line.changeable_from_block for line in lines}

    assert blocks(100)["immunity_period"] == 725
    assert (blocks(100)["min_burn"], blocks(100)["kappa"]) == (100, None)
    assert (blocks(349)["min_burn"], blocks(350)["min_burn"]) == (349, 359)
    tune(place, min_burn=5, now=at_block(349))


def test_a_resumed_clock_does_not_fall_behind_the_log():
    place = town.founded(miner_count=0, stakes_tao=())
    tune(place, immunity_period=7, now=at_block(250))

    assert operations.resume_clock(now=at_block(300)) == 250


def test_recycled_emission_is_not_issued_and_waits_for_later_blocks(place):
    nobody = [(None,) * 3, (None,) * 3]
    tune(place, recycle_or_burn=1)
    rule = burning(place)
    operations.publish_rule(
        netuid=place.netuid, owner=place.owner, now=NOW, version=rule.version, digest=rule.digest
    )
    town.closed(place)
    issued, burned = books.issued_rao(), books.balance(BURNED).posted_rao

    epoch = town.closed(place, rows=nobody)

    assert epoch.burned_rao > 0
    assert books.issued_rao() - issued == epoch.emission_rao - epoch.burned_rao
    assert books.balance(BURNED).posted_rao == burned
    assert queries.supply_rao() == books.issued_rao()


def burning(place):
    """Draft the rule in force with a tenth burned."""
    document = queries.rules_of(place.netuid)[0].document | {"burn_bps": 1_000}
    return operations.save_draft(netuid=place.netuid, owner=place.owner, document=document, now=NOW)


def test_after_an_outage_each_epoch_takes_the_blocks_that_are_its_own():
    slow, quick = town.founded(), town.founded()
    overrule(quick, tempo=90)
    for one in (quick, slow):
        town.closed(one)
    late = at_block(2_000)
    # Somebody stakes before the sweeps have caught up: emission accrues up to then, for epochs that wait.
    operations.add_stake(
        netuid=slow.netuid, hotkey=slow.validators[0].hotkey, owner=slow.validators[0].owner,
        amount_rao=TAO, key="late", now=late,
    )  # fmt: skip

    paid = {slow.netuid: [], quick.netuid: []}
    while due := queries.due_epochs(late):
        for one in due:
            place = slow if one.netuid == slow.netuid else quick
            paid[one.netuid].append(town.closed(place, now=late).emission_rao)

    # Both have the same stake behind them but for that one TAO, and share each block by halves.
    assert len(paid[slow.netuid]) == 4
    assert len(paid[quick.netuid]) == 18
    for one, blocks in ((slow, 360), (quick, 90)):
        assert paid[one.netuid] == pytest.approx(
            [blocks * TAO // 2] * len(paid[one.netuid]), rel=0.01
        )
    waiting = sum(Subnet.objects.values_list("pending_rao", flat=True))
    assert books.issued_rao() + waiting == make.TREASURY_TAO * TAO + 2_000 * TAO


def test_what_was_changed_before_there_was_a_log_is_logged_once_by_the_migration(place):
    migration = import_module("subnets.migrations.0005_log_earlier_changes")
    changed = Subnet.objects.get(pk=place.netuid).hyperparameters | {"bonds_penalty": 1}
    Subnet.objects.filter(pk=place.netuid).update(hyperparameters=changed)

    migration.log_earlier_changes(apps, None)
    migration.log_earlier_changes(apps, None)

    assert ("bonds_penalty", 65_535, 1) in logged(place)
    assert [name for name, _, _ in logged(place)].count("bonds_penalty") == 1


def changed_unlogged(place, **values):
    row = Subnet.objects.get(pk=place.netuid)
    Subnet.objects.filter(pk=place.netuid).update(hyperparameters=row.hyperparameters | values)


def test_what_was_changed_before_the_log_makes_no_owner_wait_and_root_answers_for_its_own(place):
    migration = import_module("subnets.migrations.0005_log_earlier_changes")
    changed_unlogged(place, bonds_penalty=1, kappa=40_000)

    migration.log_earlier_changes(apps, None)

    said = {
        change.name: (change.authority, change.account, change.block)
        for change in HyperparameterChange.objects.all()
    }
    bought = place.row.registered_block
    assert said == {
        "bonds_penalty": ("owner", place.owner, bought),
        "kappa": ("root", migration.UNKNOWN, bought),
    }
    town.closed(place)
    town.closed(place)
    tune(place, bonds_penalty=2, now=at_block(bought + 720))


def test_a_row_that_changed_before_and_after_the_log_began_is_told_by_its_first_change(place):
    migration = import_module("subnets.migrations.0005_log_earlier_changes")
    changed_unlogged(place, immunity_period=6)
    tune(place, immunity_period=7)

    migration.log_earlier_changes(apps, None)

    assert logged(place) == [("immunity_period", 6, 7)]
    assert invariants.check_books() == []
