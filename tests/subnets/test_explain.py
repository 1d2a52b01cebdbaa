"""Every step between a metric and a payout can be told, in figures that agree with what was paid."""

import json

import pytest

from subnets import bundle, explain, explain_words, payroll
from subnets.errors import UidUnknown
from subnets.record import Backing
from tests.subnets import worlds
from tests.subnets.worlds import TAO

GATED = {
    "gates": [{"if": "quality >= 0.4", "reason": "At least 40 % quality"}],
    "burn_bps": 1_000,
}


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


@pytest.fixture
def epochs():
    """Return two epochs in a row: in the second both validators hold permits and see miner 0 differently."""
    first = worlds.record(versions=(worlds.version(1, **GATED),))
    paid = payroll.settle(first)
    rows = ((1_000_000, 500_000, 250_000), (700_000, 500_000, 250_000))
    second = worlds.following(first, paid, scores=worlds.scores(*rows, serial=2))
    return first, second


def told(record, uid):
    return explain.of_record(record, payroll.measured(record), uid=uid)


def test_what_is_told_is_what_was_paid_for_everybody(epochs):
    for record in epochs:
        paid = payroll.settle(record)
        for term in paid.terms:
            said = told(record, term.uid)
            assert (said.miner_rao, said.validator_rao) == (term.miner_rao, term.validator_rao)
            steps_rao = said.miner_earned_rao - said.miner_burned_rao - said.miner_withheld_rao
            assert steps_rao == said.miner_rao
            assert sum(backer.paid_rao for backer in said.backers) == said.validator_rao


def test_an_owner_without_a_cut_withholds_nothing_from_anybody_elses_miner():
    values = worlds.record().hyperparameters | {"owner_cut_enabled": 0}
    first = worlds.record(versions=(worlds.version(1, **GATED),), hyperparameters=values)
    second = worlds.following(first, payroll.settle(first))

    said = told(second, 2)

    assert said.miner_rao > 0
    assert said.miner_withheld_rao == 0
    assert said.miner_rao == said.miner_earned_rao - said.miner_burned_rao


def test_a_miner_reads_what_each_validator_saw_gave_and_lost_to_consensus(epochs):
    said = told(epochs[1], 2)

    assert [view.uid for view in said.views] == [0, 1]
    assert [view.metrics.quality for view in said.views] == [1.0, 0.7]
    assert [view.raw_score for view in said.views] == [1.0, 0.7]
    larger, smaller = (view.counted for view in said.views)
    # Two passed the gate: 1 : 0.5 and 0.7 : 0.5. The larger stake decides, so nothing of it is clipped.
    assert larger.weight_ppm == pytest.approx(666_666, abs=20)
    assert smaller.weight_ppm == pytest.approx(583_333, abs=20)
    assert (larger.clipped_ppm, smaller.clipped_ppm) == (0, 0)
    other = told(epochs[1], 3)
    clipped = other.views[1].counted
    assert clipped.weight_ppm == pytest.approx(416_667, abs=20)
    assert clipped.clipped_ppm == clipped.weight_ppm - clipped.consensus_ppm > 0


def test_a_failed_gate_is_told_with_its_sentence_and_a_passed_one_too(epochs):
    failed, passed = told(epochs[1], 4), told(epochs[1], 2)

    assert [gate.is_passed for gate in failed.views[0].gates] == [False]
    words = "\n".join(explain_words.sentences(failed))
    assert "Gate “quality >= 0.4” failed: At least 40 % quality" in words
    assert "Paid as a miner: 0 TAO." in words
    assert "All 1 gates passed." in "\n".join(explain_words.sentences(passed))


def test_a_clipped_weight_is_told_in_words(epochs):
    words = "\n".join(explain_words.sentences(told(epochs[1], 3)))

    assert "gave 41.67 %, consensus 33.33 %: 8.33 % clipped." in words


def test_what_was_burned_and_withheld_is_told_apart():
    rule = worlds.version(1, **GATED)
    first = worlds.record(
        versions=(rule,), seats=worlds.seats(owners=(worlds.OWNER, *worlds.MINERS[1:]))
    )
    second = worlds.following(first, payroll.settle(first))

    owners, others = told(second, 2), told(second, 3)

    assert owners.miner_rao == 0
    assert owners.miner_withheld_rao > 0
    assert owners.miner_burned_rao == pytest.approx(owners.miner_earned_rao // 10, rel=1e-3)
    assert (others.miner_withheld_rao, others.miner_rao > 0) == (0, True)
    assert "belongs to the subnet's owner" in "\n".join(explain_words.sentences(owners))


def test_a_validator_reads_its_bonds_its_trust_and_who_shared_its_pay(epochs):
    _, second = epochs
    crowd = (Backing(worlds.ALICE, 2_000 * TAO), Backing(worlds.BOB, 1_000 * TAO))
    seats = (worlds.seat(0, worlds.VALIDATORS[0], worlds.ALICE, backing=crowd, has_permit=True),)
    second = worlds.following(
        second, payroll.settle(second), seats=seats + second.seats[1:], scores=second.scores
    )

    said = told(second, 0)

    assert [judgement.uid for judgement in said.judgements] == [2, 3]
    assert all(judgement.bond_u16 > 0 for judgement in said.judgements)
    assert said.dividends_ppm > 0
    assert [backer.owner for backer in said.backers] == [worlds.ALICE, worlds.BOB]
    assert said.backers[0].paid_rao == pytest.approx(2 * said.backers[1].paid_rao, abs=2)


def test_a_weight_without_a_permit_is_said_not_to_count(epochs):
    said = told(epochs[0], 2)

    assert said.views[0].counted.weight_u16 == 65_535
    assert (said.views[0].counted.weight_ppm, said.views[0].had_permit) == (0, False)
    words = "\n".join(explain_words.sentences(said))
    assert "did not count: its permit begins with the next epoch." in words


def test_a_neuron_nobody_scored_is_told_so():
    record = worlds.record(scores=())

    words = "\n".join(explain_words.sentences(told(record, 4)))

    assert "no validator scored a result of it" in words


def test_a_bundle_explains_the_same_as_its_record_and_writes_rao_as_text(epochs):
    public = bundle.made(epochs[1], payroll.settle(epochs[1]), previous_digest="")

    said = explain.of_bundle(json.loads(json.dumps(public)), uid=2)

    assert said == told(epochs[1], 2)
    written = json.loads(json.dumps(explain.as_json(said)))
    assert written["miner_rao"] == str(said.miner_rao)
    assert written["views"][0]["stake_rao"] == str(3_000 * TAO)


@pytest.mark.parametrize("uid", [-1, 5, 256])
def test_a_uid_that_nobody_held_is_refused(epochs, uid):
    with pytest.raises(UidUnknown) as refusal:
        told(epochs[0], uid)

    assert refusal.value.fields["uid"] == uid
