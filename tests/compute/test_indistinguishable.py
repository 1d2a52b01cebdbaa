"""Nothing that a miner sees before an epoch closes tells a planted job from an ordered one."""

from uuid import UUID

import pytest

from compute import operations, queries
from compute.models import Job
from compute.verification import Verdict
from tests import make
from tests.compute import wire
from tests.compute.wire import signed
from tests.make import NOW

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def seen():
    """Return origin → what the API gave a miner: one job is planted, the other ordered."""
    netuid = make.subnet(now=wire.now())
    workers = [wire.miner(netuid), wire.miner(netuid)]
    operations.plant_known_answers(netuid=netuid, now=wire.now())
    Job.objects.filter(pk=Job.objects.first().pk).delete()  # two miners, two planted
    make.job(netuid, make.rich_owner(10, now=wire.now()), now=wire.now())
    make.dispatched(now=wire.now())
    answers = [
        signed(worker.key, "POST", f"machines/{worker.machine_id}/lease/", {}) for worker in workers
    ]
    origins = dict(Job.objects.values_list("pk", "origin"))
    return {
        origins[UUID(one.json()["job_id"])]: (one, worker)
        for one, worker in zip(answers, workers, strict=True)
    }


def test_leases_have_the_same_fields_of_the_same_kinds(seen):
    canary, ordered = (seen[origin][0].json() for origin in ("canary", "consumer"))

    assert list(canary) == list(ordered)
    assert {name: type(value) for name, value in canary.items()} == {
        name: type(value) for name, value in ordered.items()
    }
    assert list(canary["payload"]) == list(ordered["payload"])
    assert canary["deadline_at"] == ordered["deadline_at"]
    for name in ("lease_id", "job_id"):
        assert {UUID(canary[name]).version, UUID(ordered[name]).version} == {4}
    assert set(seen["canary"][0].headers) == set(seen["consumer"][0].headers)


def test_taking_a_result_says_the_same_of_both(seen):
    said = {}
    for origin, (answer, worker) in seen.items():
        lease = queries.lock_lease(UUID(answer.json()["lease_id"]))
        body = make.signed_output(lease, worker.key)
        taken = signed(worker.key, "POST", f"leases/{lease.pk}/result/", body)
        said[origin] = (taken.status_code, list(taken.json()), set(taken.headers))

    assert said["canary"] == said["consumer"]
    assert said["canary"][0] == 201


def test_nobody_but_its_consumer_finds_a_job_by_its_id(seen):
    client = wire.session(make.user())

    for answer, _ in seen.values():
        assert client.get(wire.address(f"jobs/{answer.json()['job_id']}/")).status_code == 404


def test_the_public_list_tells_no_open_job_by_its_origin_price_or_time(seen):
    netuid = next(iter(seen.values()))[0].json()["netuid"]

    lines = queries.jobs_of(netuid)

    told = {(line.origin, line.price_rao, line.created_at, line.ended_at) for line in lines}
    assert (len(lines), told) == (2, {("", 0, None, None)})


def test_a_planted_job_is_not_given_out_again_once_it_was_scored():
    netuid = make.subnet()
    liar, other, validator = make.miner(netuid), make.miner(netuid), make.validator(netuid)
    operations.plant_known_answers(netuid=netuid, now=NOW)
    lease = next(one for one in make.dispatched() if one.hotkey == liar.hotkey)
    result = make.returned(lease, liar, output=make.wrong_output(lease))
    make.scored(result, validator, ppm=0)

    assert operations.settle_job(job_id=lease.job_id, now=NOW) is Verdict.REJECTED

    # The epoch's bundle will name it as planted, and its next miner could look there.
    job = Job.objects.get(pk=lease.job_id)
    assert (job.state, job.attempts_count) == (Job.State.FAILED, 1)
    assert [one.hotkey for one in make.dispatched()] == [other.hotkey]
