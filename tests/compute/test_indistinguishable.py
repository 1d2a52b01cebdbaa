"""Nothing that a miner sees before an epoch closes tells a planted job from an ordered one."""

from uuid import UUID

import orjson
import pytest

from compute import manners, operations, queries
from compute.models import Job, Lease, Machine, Result
from compute.verification import Verdict
from tests import make
from tests.compute import wire
from tests.compute.gateway_world import answers_whole, tells_a_story
from tests.compute.tunnel_world import Village
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


@pytest.fixture
def heard(tmp_path, monkeypatch):
    """Return a language miner's end of its tunnel after a canary, a replica, an order and a consumer's chat, and who sent which."""
    village = Village(tmp_path, monkeypatch)
    _, first = village.miner(answers_as_asked)
    done = village.order()
    village.offered()
    village.run()
    village.house.hub.leave(first.tunnel)
    Machine.objects.update(tunneled_at=None)
    _, end = village.miner(answers_as_asked, slots=8)
    Machine.objects.update(concurrency=8)
    village.order(key="another order")
    operations.plant_known_answers(netuid=village.netuid, now=village.now)
    Job.objects.create(**replica_of(done))
    village.offered()

    async def chats(house):
        for options in ({}, {"stream": True}, {"seed": 42}):
            reply = await house.ask(temperature=0, max_tokens=64, user="somebody", **options)
            assert reply.status == 200

    village.run(chats)
    jobs = {str(row.request_id): row.job.origin for row in Result.objects.select_related("job")}
    return [(jobs.get(frame["id"], "chat"), frame) for frame in end.asked]


async def answers_as_asked(miner, call_id):
    asked = next(frame["body"] for frame in miner.asked if frame["id"] == call_id)
    await (tells_a_story if asked["stream"] else answers_whole)(miner, call_id)


def replica_of(job):
    kept = ("netuid", "blueprint", "payload", "work_units", "created_at", "queued_at", "turn_at")
    facts = {name: getattr(job, name) for name in (*kept, "ready_at")}
    return facts | {"origin": Job.Origin.REPLICA, "replicates": job, "key": f"replica:{job.pk}:1"}


def test_through_a_tunnel_jobs_and_chats_arrive_alike(heard):
    assert {who for who, _ in heard} == {"chat", "canary", "replica", "consumer"}

    shapes = {}
    for who, frame in heard:
        body = frame["body"]
        assert UUID(frame["id"]).version == 4
        assert manners.manner_of(body) in manners.MANNERS
        # Written again from what it asks, it is the same to the byte: nothing else is in it.
        again = manners.asked(
            body, model="gemma", manner=manners.manner_of(body), seed=body.get("seed")
        )
        assert orjson.dumps(body) == orjson.dumps(again)
        parts = (list(frame), frame["type"], frame["path"], frame["model"])
        shapes.setdefault(who, set()).add(orjson.dumps(parts))
        assert frame["deadline_s"] == (20 if body["stream"] else 120)
    assert len(set.union(*shapes.values())) == 1


def test_no_id_of_a_job_or_a_lease_is_the_id_of_a_chat(heard):
    ids = {frame["id"] for _, frame in heard}

    known = {*Job.objects.values_list("pk", flat=True), *Lease.objects.values_list("pk", flat=True)}
    assert not ids & {str(one) for one in known}


def test_the_public_list_does_not_tell_who_has_a_language_job_now(tmp_path, monkeypatch):
    village = Village(tmp_path, monkeypatch)
    village.miner(answers_as_asked)
    village.order()
    village.offered()

    [line] = queries.jobs_of(village.netuid)

    assert (line.state, line.miner) == (Job.State.QUEUED, "")


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
