"""Backtests in the database: what is kept of epochs replays them, and a worker answers what an owner asked."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from subnets import backtest, operations, queries, rules, tasks
from subnets.errors import (
    BacktestUnderWay,
    NothingToReplay,
    NotTheOwner,
    RuleEvaluatorUnavailable,
    RuleUnknown,
)
from subnets.models import Backtest, EpochEvidence
from subnets.operations import backtests
from tests.subnets import town
from tests.subnets.town import NOW

pytestmark = pytest.mark.usefixtures("db")

UPSIDE_DOWN = {
    "format": 1,
    "title": "Upside down",
    "score": "1.1 - quality",
    "shaping": {"kind": "power", "exponent_ppm": 4_000_000},
}
VIEWS = [town.AGREED, [(900_000, 100_000, None), (300_000, 800_000, 5)], town.AGREED]


@pytest.fixture
def place(db):
    place = town.founded()
    for rows in VIEWS:
        town.closed(place, rows=rows)
    return place


def drafted(place, document=UPSIDE_DOWN):
    return operations.save_draft(netuid=place.netuid, owner=place.owner, document=document, now=NOW)


def asked(place, *, version, epoch_count=100, now=NOW):
    return operations.ask_backtest(
        netuid=place.netuid, owner=place.owner, version=version, epoch_count=epoch_count, now=now
    )


def steps_of(place, document):
    rule = rules.parse(document)
    numbers = queries.replayable_epochs(place.netuid, limit=200)
    past = queries.past_epochs(place.netuid, numbers)
    return list(backtest.steps(document, rules.digest(rule), past))


def test_the_rule_in_force_replays_what_the_wallets_were_paid(place):
    steps = steps_of(place, queries.rule_in_force(place.netuid, 1).document)

    answer = backtest.answer(steps)
    assert answer.is_same
    paid = {account: was for account, was, _ in answer.accounts}
    for number, step in enumerate(steps, start=1):
        payouts = queries.epoch(place.netuid, number).bundle["payroll"]["payouts"]
        assert {owner: str(was) for owner, (was, _) in step.accounts.items()} == payouts
    assert sum(paid.values()) + answer.was.burned_rao == answer.emission_rao


def test_an_epoch_without_evidence_is_replayed_from_its_bundle(db):
    place = town.founded()
    town.closed(place, rows=VIEWS[0])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        EpochEvidence.objects.all().delete()
        cursor.execute("SET LOCAL session_replication_role = origin")
    town.closed(place, rows=VIEWS[1])

    steps = steps_of(place, queries.rule_in_force(place.netuid, 1).document)

    assert EpochEvidence.objects.count() == 1
    assert [step.number for step in steps] == [1, 2]
    assert backtest.answer(steps).is_same
    assert steps[0].hotkeys


def test_an_owner_asks_and_a_worker_answers(place):
    draft = drafted(place)
    found = asked(place, version=draft.version, now=timezone.now())
    assert (found.state, found.epoch_count, found.digest) == ("asked", 3, draft.digest)

    tasks.run_asked_backtests()

    found.refresh_from_db()
    assert (found.state, found.done_count, found.fault) == ("done", 3, "")
    answer = found.answer
    assert (answer["first_epoch"], answer["last_epoch"]) == (1, 3)
    assert not answer["is_same"]
    changes = [int(row["change_rao"]) for row in answer["hotkeys"]]
    assert changes == sorted(changes, reverse=True)
    assert sum(int(value) for value in answer["would"].values()) == int(answer["emission_rao"])


def test_only_the_newest_epochs_asked_for_are_replayed(place):
    found = asked(place, version=1, epoch_count=2)

    operations.run_backtest(backtest_id=found.pk, now=NOW)

    found.refresh_from_db()
    assert (found.answer["first_epoch"], found.answer["last_epoch"]) == (2, 3)


def test_a_subnet_has_one_backtest_at_a_time(place):
    asked(place, version=1)

    with pytest.raises(BacktestUnderWay) as refusal:
        asked(place, version=1)

    assert refusal.value.fields == {"netuid": place.netuid}
    assert Backtest.objects.count() == 1


def test_a_stranger_cannot_ask(place):
    with pytest.raises(NotTheOwner):
        operations.ask_backtest(
            netuid=place.netuid, owner=uuid4(), version=1, epoch_count=3, now=NOW
        )


def test_a_version_that_does_not_exist_cannot_be_asked_for(place):
    with pytest.raises(RuleUnknown) as refusal:
        asked(place, version=7)

    assert refusal.value.fields == {"netuid": place.netuid, "version": 7}


def test_before_the_first_epoch_there_is_nothing_to_replay(db):
    place = town.founded()

    with pytest.raises(NothingToReplay):
        asked(place, version=1)


def test_the_last_twenty_answers_are_kept(place):
    for number in range(backtests.KEPT_MAX + 2):
        at = NOW + timedelta(seconds=number)
        found = asked(place, version=1, epoch_count=1, now=at)
        operations.run_backtest(backtest_id=found.pk, now=at)

    kept = queries.backtests_of(place.netuid)
    assert len(kept) == backtests.KEPT_MAX
    assert kept[0].pk == found.pk


def left_behind(found, *, started_at):
    """Leave a backtest as a worker does that dies over it."""
    Backtest.objects.filter(pk=found.pk).update(
        state=Backtest.State.RUNNING, done_count=2, started_at=started_at
    )


def test_one_that_a_dead_worker_left_behind_is_begun_again(place):
    found = asked(place, version=1)
    left_behind(found, started_at=NOW)

    operations.run_backtest(backtest_id=found.pk, now=NOW + timedelta(minutes=9))

    found.refresh_from_db()
    assert found.state == "done"


def test_one_that_is_never_done_is_given_up(place):
    found = asked(place, version=1)
    left_behind(found, started_at=NOW)

    operations.run_backtest(backtest_id=found.pk, now=NOW + timedelta(minutes=11))

    found.refresh_from_db()
    assert (found.state, found.fault) == ("failed", backtests.TOO_LONG)
    assert found.started_at == NOW


def test_waiting_for_a_worker_uses_up_nobodys_time(place):
    found = asked(place, version=1)

    operations.run_backtest(backtest_id=found.pk, now=NOW + timedelta(hours=2))

    found.refresh_from_db()
    assert (found.state, found.started_at) == ("done", NOW + timedelta(hours=2))


def test_one_task_works_one_backtest_the_oldest(place):
    other = town.founded()
    town.closed(other, rows=VIEWS[0])
    later = asked(other, version=1, now=NOW + timedelta(seconds=1))
    sooner = asked(place, version=1)

    states = []
    for _ in range(2):
        tasks.run_asked_backtests()
        states.append([Backtest.objects.get(pk=one.pk).state for one in (sooner, later)])

    assert states == [["done", "asked"], ["done", "done"]]


def test_a_refusal_on_the_way_is_told_to_the_owner(place, monkeypatch):
    found = asked(place, version=1)

    def refuse(*_):
        raise RuleEvaluatorUnavailable(cause="it is away")

    monkeypatch.setattr(backtest, "steps", refuse)
    operations.run_backtest(backtest_id=found.pk, now=NOW)

    found.refresh_from_db()
    assert found.state == "failed"
    assert "it is away" in found.fault


def test_a_fault_nobody_foresaw_is_logged_and_told(place, monkeypatch, caplog):
    found = asked(place, version=1, now=timezone.now())

    def break_down(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(backtest, "steps", break_down)
    tasks.run_asked_backtests()

    found.refresh_from_db()
    assert (found.state, found.fault) == ("failed", backtests.BROKEN)
    assert "sweep:failed" in caplog.text


def test_a_finished_backtest_is_not_run_again(place):
    found = asked(place, version=1)
    operations.run_backtest(backtest_id=found.pk, now=NOW)
    Backtest.objects.filter(pk=found.pk).update(fault="kept")

    operations.run_backtest(backtest_id=found.pk, now=NOW)

    found.refresh_from_db()
    assert found.fault == "kept"
    assert queries.waiting_backtests(limit=9) == []
