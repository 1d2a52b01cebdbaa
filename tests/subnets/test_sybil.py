"""What posing as several is worth under a rule: the claims of the theory, each held by a settled epoch."""

from dataclasses import replace

import pytest

from subnets import evidence, payroll, rules, sybil
from subnets.sybil import Verdict, Way
from tests.subnets import worlds

WORK = "credited_work_units / 1000000.0"


def tried(score, shaping="linear", **changes):
    parameters = changes.pop("parameters", {})
    rule = rules.parse(
        {"format": 1, "title": "Tried", "score": score, "shaping": {"kind": shaping} | parameters}
        | changes
    )
    return sybil.report(rule, None, burn_rao=None)


def gains(report, way):
    return [pose.gain_percent for pose in report.poses if pose.way is way]


def test_proportion_to_work_is_neutral_to_splitting():
    report = tried(WORK)

    assert report.verdict(Way.SPLIT) is Verdict.NEUTRAL
    assert all(99 <= gain <= 101 for gain in gains(report, Way.SPLIT))


def test_a_power_above_one_punishes_splitting_and_the_more_the_more_parts():
    report = tried(WORK, "power", parameters={"exponent_ppm": 2_000_000})
    best = [pose for pose in report.poses if pose.subject == "the best miner"]

    assert report.verdict(Way.SPLIT) is Verdict.PUNISHES
    by_count = [pose.gain_percent for pose in best if pose.way is Way.SPLIT]
    assert by_count == sorted(by_count, reverse=True)


def test_a_power_below_one_invites_splitting():
    report = tried(WORK, "power", parameters={"exponent_ppm": 500_000})

    assert report.verdict(Way.SPLIT) is Verdict.REWARDS
    assert "gains by splitting" in report.advice[0]


def test_a_floor_invites_splitting():
    assert tried(WORK, floor_ppm=3_000).verdict(Way.SPLIT) is Verdict.REWARDS


@pytest.mark.parametrize(
    ("shaping", "parameters"),
    [
        ("linear", {}),
        ("softmax", {"temperature_ppm": 100_000}),
        ("rank_decay", {"decay_ppm": 900_000}),
    ],
)
def test_proportion_softmax_and_rank_reward_copies_of_a_good_miner(shaping, parameters):
    report = tried("quality", shaping, parameters=parameters)

    assert report.verdict(Way.COPY) is Verdict.REWARDS
    assert any("one_per_owner" in line for line in report.advice)


def test_a_winner_with_a_margin_gives_copies_nothing():
    report = tried("quality", "winner_takes_all", parameters={"margin_ppm": 30_000})

    assert report.verdict(Way.COPY) is Verdict.NEUTRAL
    assert report.advice == ()


def test_one_miner_of_each_owner_gives_copies_nothing():
    report = tried("quality", one_per_owner=True)

    assert report.verdict(Way.COPY) is Verdict.NEUTRAL
    assert "accounts" in report.advice[0]


def test_a_copy_that_has_to_work_is_told_from_a_pose():
    report = tried(WORK)

    assert report.verdict(Way.COPY) is Verdict.REWARDS
    assert "capacity, not a pose" in report.advice[0]


def test_a_gate_on_samples_shuts_out_small_parts():
    gate = {"if": "sample_count >= 30", "reason": "Too few results were checked."}
    report = tried(WORK, gates=[gate])

    assert min(gains(report, Way.SPLIT)) == 0
    assert report.verdict(Way.SPLIT) is not Verdict.REWARDS


def test_a_single_sample_cannot_be_split_and_takes_the_work_with_it():
    first = worlds.record(seats=worlds.seats())
    record = worlds.following(first, payroll.settle(first))
    kept = evidence.Evidence(record, payroll.measured(record))
    rule = rules.parse(worlds.DOCUMENT | {"score": "credited_work_units"})

    report = sybil.report(rule, kept, burn_rao=None)

    assert report.verdict(Way.SPLIT) is Verdict.NEUTRAL


def test_it_is_said_in_words():
    report = tried(WORK)
    pose = next(
        p for p in report.poses if (p.way, p.count, p.subject) == (Way.SPLIT, 4, "the best miner")
    )

    assert pose.sentence == (
        "Splitting into 4 hotkeys would pay the best miner 1.00 x: "
        "this rule neither rewards nor punishes it."
    )


def test_registrations_are_set_against_the_gain():
    rule = rules.parse(
        {"format": 1, "title": "Q", "score": "quality", "shaping": {"kind": "linear"}}
    )
    report = sybil.report(rule, None, burn_rao=10**9)
    pose = report.poses[-1]

    assert pose.cost_rao == (pose.count - 1) * 10**9
    assert pose.epochs_to_earn == -(-pose.cost_rao // (pose.after_rao - pose.before_rao))
    assert "earned back" in pose.sentence


@pytest.mark.parametrize(
    ("cost_rao", "said"), [(10, "earned back in 1 epoch."), (11, "earned back in 2 epochs.")]
)
def test_one_epoch_is_said_in_the_singular(cost_rao, said):
    pose = replace(tried(WORK).poses[0], before_rao=10, after_rao=20, cost_rao=cost_rao)

    assert pose.sentence.endswith(said)


def test_the_last_epoch_is_tried_when_there_is_one():
    record = worlds.following(worlds.record(), payroll.settle(worlds.record()))
    kept = evidence.unpacked(evidence.packed(record, payroll.measured(record)))
    rule = rules.parse(worlds.DOCUMENT)

    report = sybil.report(rule, kept, burn_rao=None)

    assert report.epoch == record.number
    assert {pose.hotkey for pose in report.poses} <= set(worlds.HOTKEYS)
    assert report.verdict(Way.COPY) is Verdict.REWARDS


def test_of_many_validators_those_with_the_most_stake_decide(monkeypatch):
    first = worlds.record()
    record = worlds.following(
        first, payroll.settle(first), scores=worlds.scores(worlds.AGREED, (0, 0, 1_000_000))
    )
    kept = evidence.Evidence(record, payroll.measured(record))
    monkeypatch.setattr(sybil, "JUDGES_MAX", 1)

    report = sybil.report(rules.parse(worlds.DOCUMENT), kept, burn_rao=None)

    best = next(pose for pose in report.poses if pose.subject == "the best miner")
    assert best.hotkey == worlds.HOTKEYS[0]


def test_an_epoch_that_nobody_scored_gives_way_to_sample_miners():
    record = replace(worlds.record(), scores=(), deliveries=())

    report = sybil.report(
        rules.parse(worlds.DOCUMENT), evidence.Evidence(record, {}), burn_rao=None
    )

    assert report.epoch is None
    assert report.poses


def test_a_rule_that_pays_nobody_is_tried_on_nobody():
    report = tried("0.0")

    assert report.poses == ()
    assert report.verdict(Way.SPLIT) is Verdict.NEUTRAL
