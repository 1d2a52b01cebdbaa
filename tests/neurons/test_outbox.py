"""No finished result is lost: over an outage, a kill, a restart of either side."""

import signal
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest

from neurons.client import Refused, Unreachable
from neurons.outbox import FILES_MAX, KEPT_S, Outbox, OutboxFull, Waiting
from neurons.wire import SignedResult
from neurons.workloads import matmul
from tests.neurons.fake_network import FakeNetwork, served
from tests.neurons.test_neurons import Said, miner_of

RNG = np.random.default_rng(3)
NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.fixture
def network():
    network = FakeNetwork()
    network.jobs = [("matmul", matmul.make(RNG, 4))]
    return network


@pytest.fixture
def said(tmp_path):
    said = Said()
    said.folder = tmp_path
    return said


def waiting(deadline_at="2030-01-01T00:00:00Z", lease_id=None):
    result = SignedResult({"c": "AAAA"}, "d" * 64, "0x", 5)
    lease_id = lease_id or str(uuid.uuid4())
    return Waiting(lease_id, str(uuid.uuid4()), 1, "matmul", deadline_at, result)


def refuse(network, status, code):
    """Let every hand-in be refused; return what lets them pass again."""
    taking = network._leases
    answer = httpx.Response(status, json={"code": code, "detail": "No."})
    network._leases = lambda *_: answer
    return lambda: setattr(network, "_leases", taking)


def test_a_result_is_kept_until_it_is_removed(tmp_path):
    outbox, first, second = Outbox(tmp_path / "box"), waiting(), waiting()
    outbox.put(first)
    outbox.put(second)
    assert [*Outbox(tmp_path / "box").waiting()] == [first, second]

    outbox.remove(first.lease_id)

    assert [*outbox.waiting()] == [second]
    assert (tmp_path / "box").stat().st_mode & 0o077 == 0


def test_half_a_file_and_a_broken_one_do_no_harm(tmp_path):
    outbox, kept = Outbox(tmp_path), waiting()
    outbox.put(kept)
    (tmp_path / f"{uuid.uuid4()}.part").write_text("{")
    broken = tmp_path / f"{uuid.uuid4()}.json"
    broken.write_text('{"lease_id": 1}')

    assert [*outbox.waiting()] == [kept]
    assert not broken.exists()


def test_an_outbox_is_bounded_and_says_so(tmp_path):
    outbox = Outbox(tmp_path)
    for _ in range(FILES_MAX):
        (tmp_path / f"{uuid.uuid4()}.json").write_text("{}")

    with pytest.raises(OutboxFull, match=f"{FILES_MAX} results wait"):
        outbox.put(waiting())


def test_a_folder_that_cannot_be_written_is_told_and_the_job_is_handed_in_all_the_same(
    network, said
):
    (said.folder / "outbox").write_text("a file in its place")

    miner_of(network, said).step()

    assert len(network.results) == 1
    assert "cannot be written" in said.of("result_not_kept")[0]["detail"]


@pytest.mark.parametrize(("late_s", "is_late"), [(-1, False), (KEPT_S, False), (KEPT_S + 1, True)])
def test_a_result_is_late_a_while_after_its_deadline(late_s, is_late):
    kept = waiting(deadline_at=NOW.isoformat())

    assert kept.is_late(now=NOW + timedelta(seconds=late_s)) is is_late
    assert not waiting(deadline_at="soon").is_late(now=NOW)


def test_a_result_outlasts_an_outage_and_the_program(network, said):
    mend = refuse(network, 503, "unavailable")
    with pytest.raises(Unreachable):
        miner_of(network, said).step()
    assert network.results == []

    mend()
    miner_of(network, said).step()

    assert len(network.results) == 1
    assert len(said.of("job_done")) == 1
    assert [*Outbox(said.folder / "outbox").waiting()] == []


def test_a_taken_result_leaves_no_file(network, said):
    miner_of(network, said).step()

    assert len(network.results) == 1
    assert [*(said.folder / "outbox").iterdir()] == []


def test_a_result_that_is_refused_for_good_is_dropped_with_its_code(network, said):
    refuse(network, 409, "lease_expired")

    miner_of(network, said).step()

    assert said.of("result_refused")[0]["code"] == "lease_expired"
    assert [*Outbox(said.folder / "outbox").waiting()] == []


def test_a_miner_whose_signature_is_refused_keeps_its_results(network, said):
    mend = refuse(network, 401, "stale_request")
    miner = miner_of(network, said)
    with pytest.raises(Refused):
        miner.step()

    mend()
    miner.step()

    assert len(network.results) == 1


def test_a_result_past_its_deadline_is_dropped_with_the_reason(network, said):
    network.jobs = []
    Outbox(said.folder / "outbox").put(waiting(deadline_at="2020-01-01T00:00:00Z"))

    miner_of(network, said).step()

    assert said.of("result_dropped")[0]["reason"] == "its deadline has passed"
    assert [*Outbox(said.folder / "outbox").waiting()] == []


@pytest.mark.network
def test_a_miner_killed_between_work_and_hand_in_hands_in_when_it_is_back(network, tmp_path):
    mend = refuse(network, 503, "unavailable")
    seed = tmp_path / "seed"
    seed.write_text("22" * 32)
    with served(network) as url:
        command = [sys.executable, "-m", "neurons.cli", "miner", "--url", url, "--netuid", "1"]
        command += ["--seed-file", str(seed), "--max-burn-tao", "1", "--workloads", "matmul"]
        command += ["--state", str(tmp_path / "state")]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as miner:
            until(lambda: [path for path in network.seen if path.endswith("/result/")])
            miner.kill()
        assert network.results == []
        mend()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as miner:
            until(lambda: network.results and not [*(tmp_path / "state").rglob("*.json")])
            miner.send_signal(signal.SIGTERM)
            out, _ = miner.communicate(timeout=60)

    assert len(network.results) == 1
    assert "miner_stopped" in out
    assert len(network.leases) == 1


def until(question):
    deadline_s = time.monotonic() + 60
    while not question():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
