"""A backtest of the rule that was in force says what was paid, to the rao; of another, what would have been."""

from dataclasses import replace

import pytest

from subnets import backtest, evidence, payroll, rules
from subnets.emission import EpochSplit
from tests.subnets import worlds

SMOOTHED = worlds.version(smoothing={"ema_alpha_ppm": 300_000}, burn_bps=500)
VIEWS = [
    (worlds.AGREED, worlds.AGREED),
    ((900_000, 800_000, 0), (700_000, 900_000, 100_000)),
    ((None, 800_000, 400_000), (200_000, 900_000, None)),
    (worlds.AGREED, (None, None, None)),
    ((1, 999_999, 500_000), (500_000, 2, 3)),
]


def split_of(paid):
    return EpochSplit(
        owner_rao=paid.owner_rao,
        miner_rao=tuple(term.miner_rao for term in paid.terms),
        validator_rao=tuple(term.validator_rao for term in paid.terms),
        burned_rao=paid.burned_rao,
        miner_burned_u16=paid.miner_burned_u16,
    )


def history(version, *, views=VIEWS, reseat=None):
    """Pay some epochs by a rule; return each record with its payroll. reseat: epoch → changes of the record."""
    paid_epochs = []
    record = worlds.record(versions=(version,), scores=worlds.scores(*views[0]))
    for number, view in enumerate(views[1:], start=1):
        paid = payroll.settle(record)
        paid_epochs.append((record, paid))
        record = worlds.following(record, paid, scores=worlds.scores(*view, serial=10 * number))
        if reseat and number in reseat:
            record = reseat[number](record)
    return [*paid_epochs, (record, payroll.settle(record))]


def past(paid_epochs):
    for record, paid in paid_epochs:
        at_rest = evidence.packed(record, payroll.measured(record))
        yield backtest.PastEpoch(evidence.unpacked(at_rest), split_of(paid))


def replayed(version, paid_epochs):
    return list(backtest.steps(version.document, version.digest, past(paid_epochs)))


def newcomer(record):
    """Give the seat of the last miner to another hotkey, and bonds to it to nobody."""
    block = record.start_block + 5
    seats = [
        replace(seat, bonds={uid: bond for uid, bond in seat.bonds.items() if uid != 4})
        for seat in record.seats[:4]
    ]
    taken = worlds.seat(
        4, "5New", worlds.MINERS[2], registered_block=block, last_update_block=block
    )
    kept = tuple(score for score in record.scores if score["miner"] != worlds.HOTKEYS[2])
    return replace(record, seats=(*seats, taken), scores=kept)


@pytest.mark.parametrize(
    "version",
    [
        worlds.version(),
        SMOOTHED,
        worlds.version(shaping={"kind": "winner_takes_all", "margin_ppm": 300_000}),
        worlds.version(shaping={"kind": "power", "exponent_ppm": 1_500_000}, score="quality + 0.1"),
    ],
    ids=["plain", "smoothed", "holder", "power"],
)
def test_the_rule_that_was_in_force_gives_what_was_paid_to_the_rao(version):
    paid_epochs = history(version)

    steps = replayed(version, paid_epochs)

    assert len(steps) == len(VIEWS)
    for step, (_, paid) in zip(steps, paid_epochs, strict=True):
        assert {account: would for account, (_, would) in step.accounts.items()} == paid.payouts
        assert all(was == would for was, would in step.accounts.values())
        assert step.would == step.was
        assert not any(part.change_rao for part in step.hotkeys.values())
    assert backtest.answer(steps).is_same


def test_a_seat_that_changes_hands_in_between_is_replayed_too():
    paid_epochs = history(SMOOTHED, reseat={2: newcomer})

    steps = replayed(SMOOTHED, paid_epochs)

    assert "5New" in {seat.hotkey for seat in paid_epochs[-1][0].seats}
    assert backtest.answer(steps).is_same


def test_another_rule_carries_its_own_world():
    paid_epochs = history(SMOOTHED)
    other = worlds.version(shaping={"kind": "winner_takes_all", "margin_ppm": 500_000})
    own_world = history(other)

    steps = replayed(other, paid_epochs)

    # What that rule would have paid in a world where it always was in force: the same, to the rao.
    for step, (_, paid) in zip(steps, own_world, strict=True):
        assert {
            account: would for account, (_, would) in step.accounts.items() if would
        } == paid.payouts


def test_every_epoch_is_shared_out_in_full():
    for step in replayed(worlds.version(score="1.0 - quality"), history(SMOOTHED)):
        for totals in (step.was, step.would):
            assert step.emission_rao == (
                totals.owner_rao + totals.miners_rao + totals.validators_rao + totals.burned_rao
            )


def test_winners_stand_first_and_losers_last():
    upside_down = worlds.version(
        score="1.0 - quality", shaping={"kind": "power", "exponent_ppm": 4_000_000}
    )
    answer = backtest.answer(replayed(upside_down, history(worlds.version())))

    changes = [part.change_rao for _, part in answer.hotkeys]

    assert changes == sorted(changes, reverse=True)
    assert answer.hotkeys[0][0] == worlds.HOTKEYS[2]
    assert changes[0] > 0 > changes[-1]
    assert answer.moved_rao == sum(change for change in changes if change > 0)
    assert answer.owners[worlds.HOTKEYS[2]] == worlds.MINERS[2]
    assert (answer.first_epoch, answer.last_epoch) == (1, len(VIEWS))


def test_a_rule_that_computes_nobody_is_stood_in_for_and_named():
    version = worlds.version()
    broken = worlds.version(score="0.0 / (quality - quality)")

    answer = backtest.answer(replayed(broken, history(version)))

    assert answer.is_same
    assert [number for number, _ in answer.faults] == [1, 2, 3, 4, 5]
    assert answer.faults[0][1] == "This rule: its score could be computed for no miner."


def test_a_missing_epoch_is_not_passed_over():
    paid_epochs = history(SMOOTHED)

    with pytest.raises(AssertionError, match="follow each other"):
        replayed(SMOOTHED, [paid_epochs[0], paid_epochs[2]])


def test_the_digest_of_a_replayed_rule_may_be_that_of_a_predecessor():
    version = worlds.version()
    rule = rules.parse(version.document)

    steps = list(backtest.steps(rule.document(), rules.digest(rule), past(history(version))))

    assert {step.paid_by for step in steps} == {backtest.DRAFT}
