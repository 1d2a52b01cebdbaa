"""Closing an epoch: paid once, by the rule in force, and proved by its bundle."""

import json
from uuid import UUID

import pytest
from django.db import ProgrammingError, connection, transaction
from django.db.models import F, ProtectedError
from django.test.utils import CaptureQueriesContext

from compute import operations as compute
from compute.operations.epochs import SCORES_IN_FLIGHT
from ledger import queries as books
from ledger.chart import BURNED
from ledger.models import Entry
from ledger.money import MAX_SUPPLY_RAO
from marketplace import operations as market
from subnets import audit, operations, queries
from subnets.errors import RuleInvalid, SubnetUnknown
from subnets.models import Epoch, EpochTerm, Neuron
from tests import make
from tests.subnets import town, worlds
from tests.subnets.town import FIRST_END, NOW, TAO, TEMPO, at_block

pytestmark = pytest.mark.django_db
STATEMENTS_MAX = 39  # three of them are the test's own


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


@pytest.fixture
def place():
    return town.founded()


def run(place, *, number, now, scores=()):
    return operations.run_epoch(
        netuid=place.netuid, number=number, scores=scores, deliveries=(), now=now
    )


def test_wallets_get_what_the_bundle_says_and_the_rest_is_burned(place):
    for blocks in (FIRST_END, TEMPO):
        before, burned_rao = town.wallets(place.people), books.balance(BURNED).posted_rao
        epoch = town.closed(place)
        after = town.wallets(place.people)

        payouts = epoch.bundle["payroll"]["payouts"]
        gained = {who: str(after[who] - before[who]) for who in after if after[who] > before[who]}
        assert gained == payouts
        assert epoch.emission_rao == blocks * TAO
        assert books.balance(BURNED).posted_rao - burned_rao == epoch.burned_rao
        assert sum(map(int, payouts.values())) + epoch.burned_rao == epoch.emission_rao
    assert epoch.miners_rao > 0


def test_an_epoch_is_paid_once_and_asked_again_it_is_the_same(place):
    first = town.closed(place)
    paid = town.wallets(place.people)

    again = run(place, number=1, now=at_block(5_000), scores=town.scores(place, town.AGREED))

    assert again.pk == first.pk
    assert town.wallets(place.people) == paid
    assert Epoch.objects.count() == 1
    assert Entry.objects.filter(key=f"epoch:{place.netuid}:1").count() == 1


def test_an_epoch_that_has_not_ended_is_not_closed(place):
    end = place.row.next_epoch_block
    before = town.wallets(place.people)

    assert run(place, number=1, now=at_block(end - 1)) is None
    assert run(place, number=2, now=at_block(end)) is None
    assert run(place, number=0, now=at_block(end)) is None

    assert town.wallets(place.people) == before
    assert place.row.pending_rao == 0
    assert run(place, number=1, now=at_block(end)) is not None


def test_a_subnet_that_is_not_there_has_no_epoch():
    make.network()

    with pytest.raises(SubnetUnknown) as caught:
        operations.run_epoch(netuid=9, number=1, scores=(), deliveries=(), now=NOW)

    assert caught.value.fields == {"netuid": 9}


@pytest.mark.django_db(transaction=True)
def test_after_a_long_outage_epochs_are_closed_one_by_one(place):
    now = at_block(4 * TEMPO + 17)
    closed = []

    while due := queries.due_epochs(now):
        (next_one,) = due
        closed.append(compute.close_epoch(due=next_one, now=now))

    assert [epoch.number for epoch in closed] == [1, 2, 3, 4]
    assert [epoch.end_block for epoch in closed] == [359, 719, 1079, 1439]
    assert [epoch.start_block for epoch in closed] == [0, 359, 719, 1079]
    assert [epoch.emission_rao for epoch in closed] == [
        blocks * TAO for blocks in (359, 360, 360, 360)
    ]
    assert [epoch.bundle["previous_digest"] for epoch in closed] == [
        "",
        *(epoch.digest for epoch in closed[:3]),
    ]


def test_due_epochs_come_longest_overdue_first_with_windows_that_touch(place):
    other = make.subnet(now=at_block(100))
    assert queries.due_epochs(at_block(358)) == []

    one, two = queries.due_epochs(at_block(500))

    assert [(one.netuid, one.number), (two.netuid, two.number)] == [(place.netuid, 1), (other, 1)]
    assert (one.starts_at, one.ends_at) == (at_block(0), at_block(359))
    run(place, number=1, now=at_block(500))
    (following,) = queries.due_epochs(at_block(720))[1:]
    assert (following.number, following.starts_at) == (2, one.ends_at)
    assert len(queries.due_epochs(at_block(720), limit=1)) == 1


def test_permits_bonds_and_updates_are_handed_on(place):
    town.closed(place)
    town.closed(place)

    neurons = {neuron.uid: neuron for neuron in Neuron.objects.filter(subnet=place.netuid)}
    first, miner = place.validators[0].uid, place.miners[0].uid
    assert neurons[first].has_permit
    assert neurons[first].bonds.keys() == {str(neuron.uid) for neuron in place.miners}
    assert neurons[first].last_update_block == 719
    assert neurons[miner].last_update_block == 0
    assert (
        neurons[miner].emission_rao == EpochTerm.objects.get(epoch__number=2, uid=miner).miner_rao
    )
    row = place.row
    assert (row.last_epoch_block, row.next_epoch_block, row.pending_rao) == (719, 1079, 0)


def test_smoothed_scores_are_carried_into_the_next_epoch(place):
    town.closed(place)
    nobody = [(None,) * 3, (None,) * 3]

    epoch = town.closed(place, rows=nobody)

    assert epoch.bundle["record"]["scores"] == []
    assert epoch.bundle["record"]["smoothed"].keys() == {v.hotkey for v in place.validators}
    assert epoch.miners_rao > 0


def test_a_rule_that_cannot_be_applied_gives_way_and_the_owner_reads_why(place):
    town.published(place, {"format": 99}, version=2)

    epoch = town.closed(place)

    assert epoch.rule.version == 1
    assert epoch.rule_fault.startswith("Version 2: The incentive rule cannot be used.")
    assert [rule["version"] for rule in epoch.bundle["record"]["rules"]] == [2, 1]
    assert audit.audit(epoch.bundle).is_match


def test_the_networks_own_rule_is_the_last_resort(place):
    for version in range(2, 9):
        town.published(place, {"format": 99}, version=version)

    epoch = town.closed(place)

    assert epoch.rule.version == 1
    assert [rule["version"] for rule in epoch.bundle["record"]["rules"]] == [8, 7, 6, 5, 1]


def test_when_no_rule_works_nobody_is_paid_and_the_next_sweep_tries_again(place, monkeypatch):
    before = town.wallets(place.people)

    def refuse(document):
        raise RuleInvalid(problems=[{"pointer": "", "detail": "No."}])

    with monkeypatch.context() as patch:
        patch.setattr("subnets.payroll.rules.parse", refuse)
        with pytest.raises(RuleInvalid):
            town.closed(place)

    assert town.wallets(place.people) == before
    assert not Epoch.objects.exists()
    assert place.row.pending_rao == FIRST_END * TAO
    assert town.closed(place).emission_rao == FIRST_END * TAO


def test_the_public_bundle_of_the_database_matches(place, tmp_path):
    for number in (1, 2, 3):
        town.closed(place)
        stored = Epoch.objects.get(number=number)
        (tmp_path / f"{number}.json").write_text(json.dumps(stored.bundle))

    assert audit.main([str(tmp_path)]) == 0


@pytest.mark.django_db(transaction=True)
def test_work_scored_in_the_window_is_paid_and_its_evidence_published(place):
    job = make.job(place.netuid)
    (lease,) = make.dispatched()
    miner = next(neuron for neuron in place.miners if neuron.hotkey == lease.hotkey)
    result = make.returned(lease, miner, now=at_block(1))
    make.scored(result, place.validators[0], now=at_block(358))
    make.scored(result, place.validators[1], now=at_block(359))

    first, second = (
        compute.close_epoch(due=due, now=at_block(721))
        for _ in range(2)
        for due in queries.due_epochs(at_block(721))
    )

    said = [
        [score["validator"] for score in epoch.bundle["record"]["scores"]]
        for epoch in (first, second)
    ]
    assert said == [[place.validators[0].hotkey], [place.validators[1].hotkey]]
    (evidence,) = first.bundle["record"]["scores"]
    (told,) = first.bundle["record"]["scored"]
    assert evidence["result_id"] == told["result_id"] == str(result.pk)
    assert told["latency_ms"] == 12_000
    assert told["work_units"] == 4
    assert first.bundle["record"]["deliveries"] == [
        {"miner": miner.hotkey, "offered_count": 1, "returned_count": 1, "expired_count": 0}
    ]
    assert job.pk == result.job_id
    assert second.bundle["payroll"]["payouts"].keys() >= {str(miner.owner)}
    assert audit.audit(first.bundle).is_match
    assert audit.audit(second.bundle).is_match


@pytest.mark.django_db(transaction=True)
def test_a_window_is_read_only_when_its_last_scores_must_have_been_written(place):
    (due,) = queries.due_epochs(at_block(360))

    assert compute.close_epoch(due=due, now=due.ends_at) is None
    assert Epoch.objects.count() == 0

    assert compute.close_epoch(due=due, now=due.ends_at + SCORES_IN_FLIGHT).number == 1


@pytest.mark.django_db(transaction=True)
def test_a_lease_that_was_never_fetched_is_not_held_against_the_miner(place):
    make.job(place.netuid)
    make.job(place.netuid)
    fetched, left = make.dispatched()
    compute.take_lease(machine_id=fetched.machine_id, hotkey=fetched.hotkey, now=NOW)
    for lease in (fetched, left):
        compute.expire_lease(lease_id=lease.pk, now=lease.deadline_at)

    (due,) = queries.due_epochs(at_block(361))
    epoch = compute.close_epoch(due=due, now=at_block(361))

    assert epoch.bundle["record"]["deliveries"] == [
        {"miner": fetched.hotkey, "offered_count": 1, "returned_count": 0, "expired_count": 1}
    ]


def test_stake_behind_a_validator_is_paid_to_whoever_staked(place):
    staker = make.rich_owner(5_000)
    operations.add_stake(
        netuid=place.netuid,
        hotkey=place.validators[0].hotkey,
        owner=staker,
        amount_rao=1_000 * TAO,
        key="stake",
        now=NOW,
    )

    epoch = town.closed(place)

    payouts = {UUID(who): int(rao) for who, rao in epoch.bundle["payroll"]["payouts"].items()}
    assert abs(payouts[place.validators[0].owner] - 3 * payouts[staker]) <= 3
    assert EpochTerm.objects.get(uid=place.validators[0].uid).stake_rao == 4_000 * TAO


def test_when_nearly_all_is_issued_an_epoch_emits_the_little_a_block_still_gives(place):
    market.fund_treasury(
        amount_rao=MAX_SUPPLY_RAO - books.issued_rao() - 100 * TAO, key="x", now=NOW
    )

    epoch = town.closed(place)

    # 21e6 / 100 is 2**17.7: seventeen halvings.
    assert epoch.emission_rao == FIRST_END * (TAO >> 17)
    assert books.issued_rao() <= MAX_SUPPLY_RAO


def test_when_all_is_issued_an_epoch_closes_and_pays_nobody(place):
    market.fund_treasury(amount_rao=MAX_SUPPLY_RAO - books.issued_rao(), key="x", now=NOW)
    before = town.wallets(place.people)

    epoch = town.closed(place)

    assert (epoch.emission_rao, epoch.bundle["payroll"]["payouts"]) == (0, {})
    assert town.wallets(place.people) == before
    assert not Entry.objects.filter(key=f"epoch:{place.netuid}:1").exists()


def statements_of_an_epoch(place, rows):
    """Return the statements of a third epoch, when every account is open and every bond is there."""
    town.closed(place, rows=rows)
    town.closed(place, rows=rows)
    with CaptureQueriesContext(connection) as captured:
        town.closed(place, rows=rows)
    return [query["sql"] for query in captured]


def test_an_epoch_takes_as_many_statements_with_many_neurons_as_with_few():
    few = statements_of_an_epoch(town.founded(), town.AGREED)
    crowd = town.founded(miner_count=12, now=at_block(3 * TEMPO))
    many = statements_of_an_epoch(crowd, [tuple(range(100_000, 700_000, 50_000))] * 2)

    assert len(many) == len(few)
    assert len(few) <= STATEMENTS_MAX


@pytest.mark.parametrize("model", [Epoch, EpochTerm])
@pytest.mark.parametrize(
    "change", [lambda rows: rows.update(id=F("id")), lambda rows: rows.delete()]
)
def test_a_closed_epoch_never_changes(place, model, change):
    town.closed(place)

    with pytest.raises(ProgrammingError, match="Cannot update or delete"), transaction.atomic():
        change(EpochTerm.objects.all())
    with pytest.raises((ProgrammingError, ProtectedError)), transaction.atomic():
        change(model.objects.all())
