"""Language jobs travel through tunnels: taken by the gateway that holds one, asked as chats, ended whatever comes."""

from datetime import timedelta

import pytest

from compute import operations, queries
from compute.models import Job, Lease, Result
from compute.operations import dispatch
from compute.queries.windows import _results, _signed_result
from compute.reliability import Fault
from compute.serving import Served
from compute.verification import Verdict
from neurons import keys, protocol
from neurons.validator import is_signed
from neurons.wire import Sample
from tests import make
from tests.compute.gateway_world import (
    answers_whole,
    fails,
    is_lost_in_the_middle,
    piece,
    says_nothing,
    signs_something_else,
    tells_a_story,
)
from tests.compute.tunnel_world import Village

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def village(tmp_path, monkeypatch):
    return Village(tmp_path, monkeypatch)


async def tells_as_asked(miner, call_id):
    asked = next(frame["body"] for frame in miner.asked if frame["id"] == call_id)
    await (tells_a_story if asked["stream"] else answers_whole)(miner, call_id)


def test_an_ordered_job_is_answered_through_the_tunnel_judged_and_paid(village):
    neuron, end = village.miner(tells_as_asked)
    validator = make.validator(village.netuid, now=village.now)
    job = village.order()
    village.offered()

    village.run()

    result = Result.objects.get()
    assert result.output["text"] == "Once upon a time"
    assert [frame["id"] for frame in end.asked] == [str(result.request_id)]
    make.scored(result, validator, now=village.now)
    assert operations.settle_job(job_id=job.pk, now=village.now) is Verdict.ACCEPTED
    assert queries.result_of(Job.objects.get(pk=job.pk)).hotkey == neuron.hotkey


def test_what_the_miner_signed_is_what_the_validator_judges_and_the_bundle_proves(village):
    village.miner(tells_as_asked)
    validator = make.validator(village.netuid, now=village.now)
    village.order()
    village.offered()
    village.run()

    [sample] = queries.samples(
        validator=validator.hotkey, owner=validator.owner, netuid=village.netuid, limit=5
    )
    fields = {name: getattr(sample, name) for name in sample.__slots__}
    read = Sample.from_wire(
        fields | {"result_id": str(sample.result_id), "job_id": str(sample.job_id)}
    )
    assert is_signed(read)
    altered = Sample.from_wire(
        fields
        | {"result_id": str(sample.result_id), "job_id": str(sample.job_id)}
        | {"output": sample.output | {"text": "Something else"}}
    )
    assert not is_signed(altered)

    [returned] = _results([sample.result_id.bytes])
    proof = _signed_result(returned)
    message = protocol.result_message(
        lease_id=proof["lease_id"], job_id=proof["job_id"], digest=sample.output_digest
    )
    assert keys.verify(sample.miner, message, proof["signature"])


def test_no_lease_of_a_language_job_is_given_to_a_miner_itself(village, monkeypatch):
    neuron, _ = village.miner(tells_as_asked)
    rung = []
    monkeypatch.setattr(dispatch, "nudge", rung.extend)
    village.order()

    [lease] = village.offered()

    assert lease.hotkey == neuron.hotkey
    asked = {"machine_id": neuron.machine_id, "hotkey": neuron.hotkey, "now": village.now}
    assert operations.take_lease(**asked) is None
    assert rung == []


def test_a_machine_without_a_tunnel_gets_no_language_job(village):
    make.miner(village.netuid, blueprints=["language"], now=village.now)
    village.order()

    assert village.offered() == []


def test_a_tunnel_that_was_not_heard_of_for_a_while_gets_no_language_job(village):
    village.miner(tells_as_asked)
    later = village.now + queries.machines.TUNNELED_WITHIN
    village.order()

    assert make.dispatched(now=later) == []


def test_a_machine_that_answers_chats_is_measured_whatever_it_says_it_does(village):
    neuron = make.miner(village.netuid, blueprints=["matmul"], now=village.now)
    operations.note_tunnels(
        tunnels={neuron.machine_id: Served((village.netuid,), (village.netuid,))}, now=village.now
    )
    village.order()

    assert [lease.hotkey for lease in village.offered()] == [neuron.hotkey]


@pytest.mark.parametrize(
    "failing", [fails, is_lost_in_the_middle, signs_something_else], ids=lambda one: one.__name__
)
def test_a_miner_that_does_not_answer_is_blamed_and_the_job_goes_on(village, failing):
    village.miner(failing)
    job = village.order()
    village.offered()

    village.run()

    lease = Lease.objects.get()
    assert (lease.state, lease.fault) == (Lease.State.EXPIRED, Fault.MINER)
    assert Job.objects.get(pk=job.pk).state == Job.State.QUEUED


def test_an_answer_that_is_no_chat_completion_is_the_miners_fault(village):
    async def babbles(miner, call_id):
        await miner.speak(call_id, ["[1, 2]"])
        miner.end(call_id, ["[1, 2]"])

    village.miner(babbles)
    village.order()
    village.offered()

    village.run()

    assert Lease.objects.get().fault == Fault.MINER
    assert not Result.objects.exists()


def test_a_lease_whose_gateway_was_killed_expires_without_blame(village):
    village.miner(says_nothing)
    job = village.order()
    [lease] = village.offered()
    ids = [lease.machine_id]
    assert operations.take_asked_leases(machine_ids=ids, limit=5, now=village.now) == [lease]
    assert operations.take_asked_leases(machine_ids=ids, limit=5, now=village.now) == []

    late = lease.deadline_at + timedelta(seconds=1)
    assert operations.expire_lease(lease_id=lease.pk, now=late)

    lease.refresh_from_db()
    assert (lease.fault, lease.taken_at) == (Fault.PLATFORM, None)
    assert Job.objects.get(pk=job.pk).state == Job.State.QUEUED


def test_a_machine_whose_tunnel_closed_before_it_was_asked_is_not_blamed(village):
    _, end = village.miner(tells_as_asked)
    village.order()
    [lease] = village.offered()

    async def lost(house):
        house.hub.leave(end.tunnel)

    village.run(lost)

    lease.refresh_from_db()
    assert (lease.fault, end.asked) == (Fault.PLATFORM, [])


def test_a_full_tunnel_is_waited_for(village):
    _, end = village.miner(tells_as_asked, slots=1)
    village.order()
    village.offered()
    end.tunnel.calls["a chat"] = None

    async def frees(house):
        assert end.asked == []
        del end.tunnel.calls["a chat"]

    village.run(frees)

    assert Result.objects.count() == 1


def test_the_same_answer_handed_in_twice_is_one_result(village):
    neuron, _ = village.miner(tells_as_asked)
    village.order()
    [lease] = village.offered()
    operations.take_asked_leases(machine_ids=[lease.machine_id], limit=5, now=village.now)
    pieces = (piece("Once"),)
    request_id = lease.pk
    message = protocol.answer_message(str(request_id), protocol.answer_digest(pieces))
    answer = operations.Answered(
        request_id=request_id,
        pieces=pieces,
        output={
            "text": "Once",
            "finish_reason": "stop",
            "prompt_tokens": 3,
            "completion_tokens": 1,
        },
        signature=neuron.key.sign(message),
        latency_ms=5,
        model="gemma",
    )

    first = operations.return_answer(lease_id=lease.pk, answer=answer, now=village.now)

    again = operations.return_answer(lease_id=lease.pk, answer=answer, now=village.now)
    assert again == first
    assert Result.objects.count() == 1
