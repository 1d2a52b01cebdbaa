"""Miners and validators at work on a small network."""

import os
import signal
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest

from neurons.client import Client, Refused
from neurons.joining import Membership
from neurons.keys import Keypair
from neurons.miner import Miner, MinerPlan
from neurons.outbox import Outbox
from neurons.running import Stop, Stopped, run_until_stopped
from neurons.validator import Validator, ValidatorPlan
from neurons.workloads import matmul
from tests.neurons.fake_network import FakeNetwork, served
from tests.neurons.lying_miner import LyingMiner

RNG = np.random.default_rng(3)


class Said(list):
    """Collects events; `of` finds those with one name."""

    def __call__(self, event, /, **fields):
        self.append((event, fields))

    def of(self, event):
        return [fields for name, fields in self if name == event]


@pytest.fixture
def network():
    return FakeNetwork()


@pytest.fixture
def said(tmp_path):
    said = Said()
    said.folder = tmp_path
    return said


def client_of(network, seed="22"):
    return Client(
        "http://market.test",
        Keypair.from_seed(seed * 32),
        sleep=lambda _: None,
        transport=network.transport(),
    )


def membership(**changes):
    given = {"name": "one", "netuids": (1,), "code": None, "max_burn_rao": 5}
    return Membership(**(given | changes))


def miner_of(network, said, kind=Miner, jobs_at_once=1, **changes):
    plan = MinerPlan(
        membership=membership(**changes),
        machine_name="box",
        workloads=(matmul.KIND,),
        jobs_at_once=jobs_at_once,
    )
    return kind(
        client=client_of(network),
        plan=plan,
        say=said,
        stop=Stop(),
        outbox=Outbox(said.folder / "outbox"),
    )


def validator_of(network, said, stake_rao=0, **changes):
    stop = Stop()
    stop.sleep = lambda _: None
    return Validator(
        client=client_of(network, seed="44"),
        plan=ValidatorPlan(
            membership=membership(**changes), stake_rao=stake_rao, workloads=(matmul.KIND,)
        ),
        say=said,
        stop=stop,
        rng=RNG,
    )


def test_a_miner_registers_reports_its_machine_and_does_a_job(network, said):
    network.jobs = [("matmul", matmul.make(RNG, 16))]

    miner_of(network, said).step()

    assert said.of("registered") == [{"netuid": 1, "uid": 0, "burn_tao": "0.000000005"}]
    assert network.machines[0]["name"] == "box"
    assert network.machines[0]["blueprints"] == ["matmul"]
    assert network.machines[0]["cpu_count"] >= 1
    (done,) = said.of("job_done")
    assert done["blueprint"] == "matmul"
    (sample,) = network.samples
    points, _ = matmul.check(
        payload=sample["payload"], output=sample["output"], known_answer=None, rng=RNG
    )
    assert points == 1_000_000


def test_a_miner_tells_its_rank_its_scores_and_when_it_is_paid_next(network, said):
    network.neurons = {1: 9, 2: 3}
    network.given_scores = [
        {"netuid": 1, "score_ppm": score, "reason": ""} for score in (1_000_000, 500_000)
    ]

    miner_of(network, said).step()

    one, two = said.of("standing")
    assert (one["uid"], one["rank"], one["score"], one["last_payout_tao"]) == (9, 1, "0.750", "1.5")
    assert one["next_payout_s"] == 50  # 100 blocks of half a second
    assert two["score"] == "none yet"


def test_an_unlinked_miner_with_a_code_links_itself_first(said):
    network = FakeNetwork(linked=False)

    miner_of(network, said, code="code").step()

    assert network.linked
    assert len(said.of("linked")) == 1


def test_an_unlinked_miner_without_a_code_ends_with_the_refusal(said):
    network = FakeNetwork(linked=False)

    with pytest.raises(Refused) as refusal:
        miner_of(network, said).run()

    assert refusal.value.code == "hotkey_not_linked"


def test_a_linked_miner_does_not_use_up_its_code(network, said):
    miner_of(network, said, code="used already").step()

    assert "POST /api/v1/hotkeys/" not in network.seen


def test_a_registered_miner_does_not_register_again(network, said):
    network.neurons = {1: 9}

    miner_of(network, said).step()

    assert "POST /api/v1/subnets/1/neurons/" not in network.seen


def test_a_burn_above_the_limit_is_told_and_tried_again(network, said):
    miner = miner_of(network, said, max_burn_rao=4)
    pauses = []

    def sleep(pause):
        pauses.append(pause)
        if len(pauses) == 2:
            raise Stopped

    run_until_stopped(miner.step, say=said, sleep=sleep)

    assert [fields["code"] for fields in said.of("refused")] == ["burn_above_limit"] * 2


def test_a_job_of_another_kind_is_left_and_the_miner_goes_on(network, said):
    network.jobs = [("folding", {}), ("matmul", {"n": 0}), ("matmul", matmul.make(RNG, 4))]
    miner = miner_of(network, said)

    for _ in range(3):
        miner.step()

    assert [fields["error"] for fields in said.of("job_failed")] == ["LookupError", "ValueError"]
    assert len(said.of("job_done")) == 1


def test_a_refused_result_is_told_and_the_miner_goes_on(network, said):
    network.jobs = [("matmul", matmul.make(RNG, 4))]
    network._leases = lambda *_: httpx.Response(
        409, json={"code": "lease_expired", "detail": "Late."}
    )

    miner_of(network, said).step()

    assert said.of("result_refused")[0]["code"] == "lease_expired"


def test_a_machine_the_server_forgot_is_reported_again(network, said):
    miner = miner_of(network, said)
    miner.step()
    network.faults = [httpx.Response(404, json={"code": "machine_unknown", "detail": "No."})]

    with pytest.raises(Refused):
        miner.step()
    miner.step()

    assert len(network.machines) == 2


def test_a_miner_waits_out_an_outage(network, said):
    network.faults = [httpx.ConnectError("no route")] * 12
    network.jobs = [("matmul", matmul.make(RNG, 4))]
    miner = miner_of(network, said)

    def step():
        miner.step()
        if network.results:
            raise Stopped

    run_until_stopped(step, say=said, sleep=lambda _: None)

    assert said.of("unreachable")
    assert len(network.results) == 1


def test_a_validator_scores_right_and_wrong_results(network, said):
    network.jobs = [("matmul", matmul.make(RNG, 16)) for _ in range(2)]
    miner_of(network, said).step()
    miner_of(network, said, kind=LyingMiner).step()

    validator_of(network, said).step()

    assert [score["score_ppm"] for score in network.scores] == [1_000_000, 0]
    assert network.scores[1]["reason"] == "the product is wrong (Freivalds)"
    assert said.of("scored") == [{"netuid": 1, "accepted": 2, "refused": 0}]
    assert said.of("wrong_result")[0]["result"] == network.scores[1]["result_id"]


@pytest.mark.parametrize("lie", ["wrong", "lazy"])
def test_every_lie_is_found_through_the_known_answer_too(network, said, lie, monkeypatch):
    monkeypatch.setenv("NEURON_LIE", lie)
    payload = matmul.make(RNG, 16)
    network.jobs = [("matmul", payload)]
    miner_of(network, said, kind=LyingMiner).step()
    network.samples[0]["known_answer"] = matmul.run(payload)

    validator_of(network, said).step()

    assert [score["reason"] for score in network.scores] == ["differs from the known answer"]


def test_a_silent_miner_takes_jobs_and_returns_none(network, said, monkeypatch):
    monkeypatch.setenv("NEURON_LIE", "silent")
    network.jobs = [("matmul", matmul.make(RNG, 4))]

    miner_of(network, said, kind=LyingMiner).step()

    assert (len(network.leases), network.results) == (1, [])


def test_a_sample_the_miner_did_not_sign_is_not_scored(network, said):
    network.jobs = [("matmul", matmul.make(RNG, 4))]
    miner_of(network, said).step()
    network.samples[0]["output"] = {"c": "AAAA"}

    validator_of(network, said).step()

    assert network.scores == []
    assert len(said.of("sample_skipped")) == 1


@pytest.mark.parametrize(
    ("lie", "found"), [("honest", "report_not_upheld"), ("wrong", "report_upheld")]
)
def test_a_reported_answer_is_checked_like_any_other_and_what_was_found_is_said(
    network, said, lie, found, monkeypatch
):
    monkeypatch.setenv("NEURON_LIE", lie)
    network.jobs = [("matmul", matmul.make(RNG, 16))]
    miner_of(network, said, kind=Miner if lie == "honest" else LyingMiner).step()
    network.samples[0]["report"] = "It is nonsense."

    validator_of(network, said).step()

    [told] = said.of(found)
    assert told["report"] == "It is nonsense."
    assert [score["score_ppm"] for score in network.scores] == [1_000_000 * (lie == "honest")]


def test_a_validator_adds_the_stake_that_is_missing_once(network, said):
    network.neurons = {1: 0}
    network.stakes = {1: 30}

    for _ in range(2):
        validator_of(network, said, stake_rao=100).step()

    assert network.stakes == {1: 100}
    assert [body["amount_rao"] for body in network.stake_keys.values()] == ["70"]


def test_a_stake_whose_answer_was_lost_is_asked_again_with_its_key(network, said):
    network.neurons = {1: 0}
    answer = network._subnets
    lost = []

    def lossy(*arguments):
        response = answer(*arguments)
        if not lost:
            lost.append(response)
            raise httpx.ReadError("cut")
        return response

    network._subnets = lossy
    validator_of(network, said, stake_rao=100).step()

    assert network.stakes == {1: 100}


def test_a_subnet_that_refuses_a_validator_does_not_keep_it_from_the_others(network, said):
    network.jobs = [("matmul", matmul.make(RNG, 4))]
    miner_of(network, said).step()
    answer = network._samples

    def refusing(hotkey, request, rest, body):
        if request.url.params["netuid"] == "2":
            return httpx.Response(403, json={"code": "not_a_validator", "detail": "No."})
        return answer(hotkey, request, rest, body)

    network._samples = refusing
    validator_of(network, said, netuids=(2, 1)).step()

    assert len(network.scores) == 1
    assert said.of("refused")[0]["netuid"] == 2


def test_a_stop_ends_a_wait_at_once_and_work_not_before_its_end():
    stop = Stop()

    with pytest.raises(Stopped), stop.interruptible():
        stop.request()
    stop = Stop()
    stop.request()

    assert stop.is_requested
    with pytest.raises(Stopped):
        stop.sleep(60)


def test_a_wait_inside_a_wait_leaves_the_outer_one_interruptible():
    stop = Stop()

    with pytest.raises(Stopped), stop.interruptible():
        slept_and_asked(stop)


def slept_and_asked(stop):
    stop.sleep(0)
    stop.request()


@pytest.mark.network
def test_a_miner_process_works_and_ends_cleanly_on_sigterm(network, tmp_path):
    network.jobs = [("matmul", matmul.make(RNG, 32)) for _ in range(5)]
    seed = tmp_path / "seed"
    seed.write_text("22" * 32)
    with served(network) as url:
        command = [sys.executable, "-m", "neurons.cli", "miner", "--url", url, "--netuid", "1"]
        options = ["--seed-file", str(seed), "--max-burn-tao", "1", "--workloads", "matmul"]
        options += ["--state", str(tmp_path)]
        with subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            deadline = time.monotonic() + 120
            while len(network.results) < 5 and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)

    assert len(network.results) == 5
    assert (process.returncode, err) == (0, "")
    assert out.count(" job_done ") == 5
    assert "miner_stopped" in out
    assert os.environ.get("NEURON_SEED", "22" * 32) not in out
