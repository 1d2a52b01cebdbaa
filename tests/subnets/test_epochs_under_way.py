"""While an epoch is computed nobody waits for it, and what happens meanwhile counts for the next one."""

import json

import pytest
from django.db import connection

from subnets import audit, operations, payroll
from subnets.models import Epoch, Neuron
from subnets.operations import epochs
from tests import make
from tests.ledger.make import together
from tests.subnets import town, worlds
from tests.subnets.town import NOW, TAO, TEMPO, at_block

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


class Computing:
    """The payroll, which does something else before it answers, once."""

    def __init__(self, meanwhile):
        self.meanwhile = meanwhile

    def __getattr__(self, name):
        return getattr(payroll, name)

    def settle(self, *given):
        paid = payroll.settle(*given)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return paid


def closed_while(place, monkeypatch, *acts):
    """Close an epoch; while it is computed, let others act who do not wait for a lock. Return what they got."""
    answers = []

    def impatient(act):
        def run():
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '50ms'")
            return act()

        return run

    def meanwhile():
        for act in acts:
            answers.extend(together([impatient(act)]))

    with monkeypatch.context() as patch:
        patch.setattr(epochs, "payroll", Computing(meanwhile))
        epoch = town.closed(place)
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert len(answers) == len(acts)
    return epoch, answers


def staking(place, owner, *, now):
    return lambda: operations.add_stake(
        netuid=place.netuid, hotkey=place.validators[0].hotkey, owner=owner,
        amount_rao=500 * TAO, key="meanwhile", now=now,
    )  # fmt: skip


def assert_bundles_match(folder):
    for epoch in Epoch.objects.all():
        (folder / f"{epoch.number}.json").write_text(json.dumps(epoch.bundle))
    assert audit.main([str(folder)]) == 0


def test_stake_that_moves_while_an_epoch_is_computed_counts_for_the_next(monkeypatch, tmp_path):
    place = town.founded()
    staker = make.rich_owner(1_000)
    end = place.row.next_epoch_block

    epoch, (staked_rao,) = closed_while(
        place, monkeypatch, staking(place, staker, now=at_block(end + 40))
    )

    assert staked_rao == 500 * TAO
    assert str(staker) not in json.dumps(epoch.bundle)
    assert epoch.emission_rao == end * TAO
    assert place.row.pending_rao == 40 * TAO
    following = town.closed(place)
    assert str(staker) in json.dumps(following.bundle["record"]["neurons"])
    assert following.emission_rao == TEMPO * TAO
    assert_bundles_match(tmp_path)


def test_rules_prices_and_slots_change_while_an_epoch_is_computed(monkeypatch, tmp_path):
    place = town.founded()
    newcomer, buyer = make.rich_owner(100), make.rich_owner(3_000)
    key = make.linked(newcomer)
    now = at_block(place.row.next_epoch_block)

    epoch, (_, seat, _) = closed_while(
        place,
        monkeypatch,
        lambda: operations.set_hyperparameter(
            netuid=place.netuid, owner=place.owner, name="tempo", value=720, now=NOW
        ),
        lambda: operations.register_neuron(
            netuid=place.netuid, hotkey=key.ss58_address, max_burn_rao=50 * TAO, now=now
        ),
        lambda: operations.register_subnet(
            owner=buyer, name="New", summary="s", blueprint="matmul",
            max_cost_rao=3_000 * TAO, key="slot", now=now,
        ),
    )  # fmt: skip

    assert epoch.bundle["record"]["hyperparameters"]["tempo"] == "360"
    assert place.row.next_epoch_block - epoch.end_block == 360
    assert seat.uid == len(epoch.bundle["record"]["neurons"])
    following = town.closed(place)
    assert following.bundle["record"]["hyperparameters"]["tempo"] == "720"
    assert len(following.bundle["record"]["neurons"]) == seat.uid + 1
    assert_bundles_match(tmp_path)


def test_who_takes_a_seat_while_its_last_epoch_is_computed_inherits_nothing(monkeypatch):
    place = town.founded()
    town.closed(place)
    town.closed(place)
    leaving, judge = place.miners[0], place.validators[0]
    key = make.linked(make.rich_owner(100))
    now = at_block(place.row.next_epoch_block)

    def replace():
        # Pruning asks for a full subnet; the rows it writes are these.
        Neuron.objects.filter(subnet=place.netuid, uid=leaving.uid).delete()
        return operations.register_neuron(
            netuid=place.netuid, hotkey=key.ss58_address, max_burn_rao=50 * TAO, now=now
        )

    epoch, (seat,) = closed_while(place, monkeypatch, replace)

    assert seat.uid == leaving.uid
    terms = {term["uid"]: term for term in epoch.bundle["payroll"]["terms"]}
    assert int(terms[leaving.uid]["miner_rao"]) > 0
    assert str(leaving.uid) in terms[judge.uid]["bonds"]
    neurons = {neuron.uid: neuron for neuron in Neuron.objects.filter(subnet=place.netuid)}
    assert (neurons[seat.uid].emission_rao, neurons[seat.uid].bonds) == (0, {})
    assert str(leaving.uid) not in neurons[judge.uid].bonds
    assert neurons[judge.uid].bonds.keys() == {str(miner.uid) for miner in place.miners[1:]}
    assert neurons[place.miners[1].uid].emission_rao > 0


def test_an_epoch_that_somebody_else_closed_meanwhile_is_not_paid_again(monkeypatch):
    place = town.founded()

    def close_too():
        # Past the claim, which ends with its session: a process may outlive that.
        begun = epochs.begin(
            netuid=place.netuid, number=1, scores=town.scores(place, town.AGREED), deliveries=(),
            now=at_block(place.row.next_epoch_block),
        )  # fmt: skip
        seen = payroll.measured(begun.record)
        paid = payroll.settle(begun.record, seen)
        proven = epochs.prove(begun, paid, seen, now=NOW)
        return epochs.conclude(begun, paid, proven, now=NOW)

    epoch, (other,) = closed_while(place, monkeypatch, close_too)

    assert epoch.pk == other.pk == Epoch.objects.get().pk
    assert place.row.pending_rao == 0
