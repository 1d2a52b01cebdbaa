"""Scores stay sealed until their epoch closes; meanwhile everybody sees what they are bound to."""

import importlib
import threading
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from compute import operations, queries
from compute.models import Job, Score, ScoreCommitment
from compute.operations import scores as score_operations
from compute.operations.scores import SCORES_STILL_TAKEN
from neurons import protocol
from subnets import audit
from subnets import queries as subnets
from subnets.models import Subnet
from tests import make
from tests.compute import wire
from tests.make import NOW

SOON = NOW + timedelta(seconds=5)


@pytest.fixture
def house(db):
    """Return a subnet with two validators of which the first alone decides, and two results of two jobs."""
    netuid = make.subnet()
    judges = [make.validator(netuid, stake_tao=stake) for stake in (3_000, 1_000)]
    miner = make.miner(netuid)
    results = [returned(netuid, miner, key=f"job:{n}") for n in range(2)]
    return netuid, judges, results


def returned(netuid, miner, *, key, now=NOW):
    make.job(netuid, make.rich_owner(10), key=key, now=now)
    [lease] = make.dispatched(now=now)
    return make.returned(lease, miner, now=now)


def submit(judge, *scores, now=SOON):
    return operations.submit_scores(
        validator=judge.hotkey, owner=judge.owner, scores=scores, now=now
    )


def close(netuid):
    """Close the running epoch a second after its end."""
    [due] = subnets.due_epochs(end_of(netuid))
    epoch = operations.close_epoch(due=due, now=due.ends_at + timedelta(seconds=1))
    assert epoch is not None
    return epoch


def end_of(netuid):
    return make.NOW + Subnet.objects.get(pk=netuid).next_epoch_block * timedelta(seconds=12)


def line_of(netuid, job_id):
    return next(line for line in queries.jobs_of(netuid) if line.id == job_id)


def test_a_commitment_binds_the_scores_without_telling_them(house):
    netuid, (judge, _), results = house
    given = sorted((make.score(result, judge) for result in results), key=lambda s: s.result_id)
    submit(judge, *given)

    [line] = queries.open_commitments(netuid)

    head = protocol.score_chain_start(netuid=netuid, validator=judge.hotkey)
    for score in given:
        result = next(result for result in results if result.pk == score.result_id)
        message = protocol.score_message(
            result_id=str(result.pk),
            digest=result.output_digest,
            score_ppm=score.score_ppm,
            reason=score.reason,
        )
        head = protocol.score_chain_next(head, message=message, signature=score.signature)
    assert (line.validator, line.count, line.total_count) == (judge.hotkey, 2, 2)
    assert line.digest == head


def test_committing_costs_the_same_for_one_score_as_for_many(house):
    netuid, judges, results = house
    counts = []
    for judge, scored in zip(judges, (results[:1], results), strict=True):
        given = [make.score(result, judge) for result in scored]
        with CaptureQueriesContext(
            connection,
        ) as context:
            submit(judge, *given)
        counts.append(len(context))

    assert counts[0] == counts[1]
    assert ScoreCommitment.objects.filter(netuid=netuid).count() == 2


def test_a_request_that_overtook_another_is_dated_after_it(house):
    _, (judge, _), results = house
    submit(judge, make.score(results[0], judge), now=SOON)

    submit(judge, make.score(results[1], judge), now=SOON - timedelta(seconds=1))

    first, second = Score.objects.order_by("scored_at")
    assert (first.result_id, second.result_id) == (results[0].pk, results[1].pk)
    assert second.scored_at == SOON + timedelta(microseconds=1)


@pytest.mark.django_db(transaction=True)
def test_what_was_committed_to_is_what_the_bundle_shows_and_the_audit_honours(transactional_db):
    netuid = make.subnet()
    judges = [make.validator(netuid, stake_tao=stake) for stake in (3_000, 1_000)]
    miner = make.miner(netuid)
    results = [returned(netuid, miner, key=f"job:{n}") for n in range(3)]
    for judge in judges:
        submit(judge, *(make.score(result, judge) for result in results[:2]))
        submit(judge, make.score(results[2], judge, ppm=900_000), now=SOON + timedelta(seconds=1))
    promised = {line.validator: line for line in queries.open_commitments(netuid)}

    public = close(netuid).bundle

    assert {who: said["after"] for who, said in public["record"]["commitments"].items()} == {
        who: line.digest for who, line in promised.items()
    }
    assert len(public["record"]["results"]) == 3
    assert audit.audit(public).is_match
    assert queries.open_commitments(netuid) == []


@pytest.mark.django_db(transaction=True)
def test_scores_are_readable_once_their_epoch_has_closed_and_not_those_given_after_its_end(
    transactional_db,
):
    netuid = make.subnet()
    judge, miner = make.validator(netuid), make.miner(netuid)
    early = returned(netuid, miner, key="job:early")
    submit(judge, make.score(early, judge))
    assert queries.scores_of_miner(miner.hotkey) == []
    # The epoch is over, but the sweep that closes it comes later: this score belongs to the next one.
    after = end_of(netuid) + timedelta(milliseconds=200)
    machine_time = end_of(netuid) - timedelta(seconds=20)
    operations.see_machine(machine_id=miner.machine_id, hotkey=miner.hotkey, now=machine_time)
    late = returned(netuid, miner, key="job:late", now=machine_time)
    submit(judge, make.score(late, judge), now=after)

    close(netuid)

    assert [line.result_id for line in queries.scores_of_miner(miner.hotkey)] == [early.pk]
    assert [line.count for line in queries.open_commitments(netuid)] == [1]
    assert [line.total_count for line in queries.open_commitments(netuid)] == [2]


def test_staff_reads_no_sealed_score_either(house):
    _, (judge, _), results = house
    submit(judge, make.score(results[0], judge))

    rows = admin.site.get_model_admin(Score).get_queryset(RequestFactory().get("/"))

    assert Score.objects.count() == 1
    assert not rows.exists()


@pytest.mark.parametrize("ppm", [1_000_000, 0])
def test_a_verdict_is_not_shown_to_the_public_while_its_scores_are_sealed(house, ppm):
    netuid, (judge, _), results = house
    submit(judge, make.score(results[0], judge, ppm=ppm))
    operations.settle_job(job_id=results[0].job_id, now=SOON)
    job = Job.objects.get(pk=results[0].job_id)
    assert job.state == (Job.State.VERIFIED if ppm else Job.State.QUEUED)
    other = make.miner(netuid)
    make.dispatched(now=SOON)

    line = line_of(netuid, job.pk)

    assert line.is_sealed
    assert line.state == Job.State.RETURNED
    assert (line.miner, line.origin, line.price_rao, line.ended_at) == (
        results[0].hotkey,
        "",
        0,
        None,
    )
    assert line.miner != other.hotkey


def test_who_was_still_checking_when_the_others_decided_gets_its_score_in(house):
    _, (judge, second), results = house
    submit(judge, make.score(results[0], judge))
    operations.settle_job(job_id=results[0].job_id, now=SOON)

    taken = submit(
        second,
        make.score(results[0], second),
        now=SOON + SCORES_STILL_TAKEN - timedelta(microseconds=1),
    )

    assert (taken.accepted_count, taken.refused) == (1, ())


@pytest.mark.parametrize("ppm", [1_000_000, 0])
def test_a_verdict_that_was_waited_for_can_be_copied_by_nobody(house, ppm):
    _, (judge, second), results = house
    submit(judge, make.score(results[0], judge, ppm=ppm))
    operations.settle_job(job_id=results[0].job_id, now=SOON)

    taken = submit(second, make.score(results[0], second, ppm=ppm), now=SOON + SCORES_STILL_TAKEN)

    assert taken.refused == ((results[0].pk, "scores_closed"),)
    assert Score.objects.count() == 1


def test_the_next_attempt_of_a_job_closes_the_scores_of_the_one_before(house):
    netuid, (judge, second), results = house
    submit(judge, make.score(results[0], judge, ppm=0))
    operations.settle_job(job_id=results[0].job_id, now=SOON)
    again = make.miner(netuid)
    [lease] = make.dispatched(now=SOON + timedelta(seconds=1))
    newer = make.returned(lease, again, now=SOON + timedelta(seconds=1))

    at = SOON + timedelta(seconds=2)
    taken = submit(second, make.score(results[0], second, ppm=0), make.score(newer, second), now=at)

    assert newer.job_id == results[0].job_id
    assert taken.refused == ((results[0].pk, "scores_closed"),)
    assert taken.accepted_count == 1


def test_a_score_of_an_epoch_long_closed_is_refused(house):
    _, (judge, second), results = house
    submit(judge, make.score(results[0], judge))
    operations.settle_job(job_id=results[0].job_id, now=SOON)

    taken = submit(second, make.score(results[0], second), now=NOW + timedelta(days=1))

    assert taken.refused == ((results[0].pk, "scores_closed"),)


def test_repeating_a_score_after_the_close_is_no_new_score(house):
    netuid, (judge, _), results = house
    score = make.score(results[0], judge)
    submit(judge, score)
    operations.settle_job(job_id=results[0].job_id, now=SOON)

    taken = submit(judge, score, now=NOW + timedelta(days=1))

    assert (taken.accepted_count, taken.refused) == (1, ())
    assert [line.total_count for line in queries.open_commitments(netuid)] == [1]


def test_a_score_signed_by_another_validator_is_refused(house):
    _, (judge, second), results = house
    copied = make.score(results[0], judge)

    taken = submit(second, copied)

    assert taken.refused == ((results[0].pk, "score_signature_invalid"),)
    assert not ScoreCommitment.objects.exists()


def test_an_epoch_takes_no_more_scores_than_its_bundle_carries(house, monkeypatch):
    _, (judge, _), results = house
    submit(judge, make.score(results[0], judge))
    monkeypatch.setattr(score_operations, "SCORES_PER_EPOCH_MAX", 1)

    taken = submit(judge, make.score(results[1], judge))

    assert taken.refused == ((results[1].pk, "epoch_full"),)


def test_anybody_reads_commitments_and_nobody_scores(house):
    netuid, (judge, _), results = house
    submit(judge, make.score(results[0], judge))

    answer = wire.send("GET", f"subnets/{netuid}/commitments/")

    assert answer.status_code == 200
    body = answer.json()
    assert (body["netuid"], len(body["results"])) == (netuid, 1)
    assert set(body["results"][0]) == {
        "validator",
        "count",
        "total_count",
        "digest",
        "committed_at",
    }
    assert str(results[0].pk) not in answer.content.decode()


def test_commitments_of_a_subnet_that_is_not_there_are_refused(db):
    make.network()

    assert wire.refusal(wire.send("GET", "subnets/99/commitments/")) == (404, "subnet_unknown")


@pytest.mark.django_db(transaction=True)
def test_requests_of_one_validator_at_once_make_one_chain(transactional_db):
    netuid = make.subnet()
    judge, miner = make.validator(netuid), make.miner(netuid)
    results = [returned(netuid, miner, key=f"job:{n}") for n in range(4)]
    start = threading.Barrier(4)

    def send(result):
        try:
            start.wait()
            submit(judge, make.score(result, judge))
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(result,)) for result in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    rows = ScoreCommitment.objects.order_by("total_count")
    assert [row.total_count for row in rows] == [1, 2, 3, 4]
    assert [row.before for row in rows][1:] == [row.digest for row in rows][:-1]
    assert audit.audit(close(netuid).bundle).is_match


def test_scores_of_running_epochs_from_before_the_chains_begin_them(house):
    netuid, (judge, second), results = house
    for validator in (judge, second):
        submit(validator, *(make.score(result, validator) for result in results))
    committed = {line.validator: line.digest for line in queries.open_commitments(netuid)}
    migration = importlib.import_module("compute.migrations.0003_commit_to_scores")
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE compute_scorecommitment")
    assert queries.open_commitments(netuid) == []

    migration.commit_to_open_scores(apps, None)

    lines = queries.open_commitments(netuid)
    assert {line.validator: line.digest for line in lines} == committed
    assert [line.total_count for line in lines] == [2, 2]
