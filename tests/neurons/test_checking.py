"""The self-test: each thing that is missing is named with what to do about it."""

import json
import time
from email.utils import formatdate

import httpx
import pytest

from neurons import cli, energy
from neurons.checking import FAILED, NOTE, OK, Subject, clock, findings, model_server, work
from neurons.upstream import Upstream
from neurons.wallet import KeyChoice
from neurons.workloads import WORKLOADS, matmul
from tests.neurons.fake_network import FakeNetwork


@pytest.fixture
def seed(tmp_path):
    path = tmp_path / "seed"
    path.write_text("22" * 32)
    return path


def checked(network, seed_file, **changed):
    given = {
        "url": "http://market.test",
        "key": KeyChoice(seed_file=seed_file),
        "workloads": {matmul.KIND: WORKLOADS[matmul.KIND]},
        "upstream": None,
        "transport": network.transport(),
    }
    return {finding.name: finding for finding in findings(Subject(**(given | changed)))}


def test_all_that_a_neuron_needs_is_checked(seed):
    network = FakeNetwork()
    network.neurons = {3: 7}

    found = checked(network, seed)

    wanted = ["machine", "gpu", "energy", "work:matmul", "key", "network", "clock", "linked"]
    assert [*found] == [*wanted, "registered"]
    assert not [each for each in found.values() if each.state == FAILED]
    assert found["work:matmul"].figures["score_ppm"] == 1_000_000
    assert "subnet 3 as uid 7, rank 1, last payout 1.5 TAO" in found["registered"].detail
    assert not [path for path in network.seen if path.startswith("POST")]


def test_what_is_missing_is_named_with_the_next_step(seed, tmp_path):
    unlinked = checked(FakeNetwork(linked=False), seed)["linked"]
    unregistered = checked(FakeNetwork(), seed)["registered"]
    keyless = checked(FakeNetwork(), tmp_path / "nothing")

    assert (unlinked.state, unregistered.state) == (FAILED, FAILED)
    assert "page Hotkeys" in unlinked.next_step
    assert "--netuid" in unregistered.next_step
    assert keyless["key"].state == FAILED
    assert "neuron wallet new" in keyless["key"].next_step
    assert (keyless["network"].state, "linked" in keyless) == (OK, False)


@pytest.mark.parametrize(
    ("ahead_s", "state"), [(0.3, OK), (-8.0, OK), (3.0, FAILED), (-30.0, FAILED), (None, NOTE)]
)
def test_a_clock_is_judged_by_what_the_server_takes(ahead_s, state):
    assert clock(ahead_s).state == state


def test_a_clock_that_is_ahead_is_found_by_the_servers_date(seed):
    network = FakeNetwork()
    answer = network.answer
    dated = {"Date": formatdate(time.time() - 60, usegmt=True)}

    def late(request):
        response = answer(request)
        return httpx.Response(response.status_code, content=response.content, headers=dated)

    network.answer = late
    found = checked(network, seed)["clock"]

    assert found.state == FAILED
    assert 58 < found.figures["ahead_s"] < 62
    assert "timedatectl" in found.next_step


def test_work_that_fails_or_is_wrong_is_told():
    class Broken:
        KIND = matmul.KIND

        def run(self, payload):
            raise MemoryError("none left")

    class Wrong(Broken):
        def run(self, payload):
            return {"c": ""}

        check = staticmethod(matmul.check)

    assert work(matmul.KIND, Broken()).state == FAILED
    assert work(matmul.KIND, Wrong()).state == FAILED


def test_a_model_server_that_is_down_is_told_with_one_to_try():
    found = model_server(Upstream("http://127.0.0.1:9/v1", {"m": "m"}))

    assert found.state == FAILED
    assert "neuron upstream --echo" in found.next_step


def test_energy_is_read_where_the_system_allows_it(tmp_path):
    for number, uj in enumerate((5_000_000, 7_000_000)):
        (tmp_path / f"intel-rapl:{number}").mkdir()
        (tmp_path / f"intel-rapl:{number}" / "energy_uj").write_text(f"{uj}\n")
    (tmp_path / "intel-rapl:0:0").mkdir()

    assert energy.rapl_uj(tmp_path) == 12_000_000
    assert energy.meters(tmp_path)[0] == "RAPL"
    assert energy.rapl_uj(tmp_path / "nothing") is None


def test_a_meter_counts_from_where_it_began_and_over_the_counters_end(tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "cards_mj", lambda: 0)
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "max_energy_range_uj").write_text("10000000\n")
    (zone / "energy_uj").write_text("9000000\n")
    meter = energy.Meter(tmp_path)

    for now_uj, used_mj in ((9_500_000, 500), (9_500_000, 500), (1_000_000, 2_000)):
        (zone / "energy_uj").write_text(f"{now_uj}\n")
        assert meter.used_mj() == used_mj

    assert energy.Meter(tmp_path / "nothing").used_mj() is None


def test_a_check_prints_json_for_programs(monkeypatch, capsys):
    monkeypatch.setenv("NEURON_SEED", "22" * 32)
    monkeypatch.setattr("neurons.client.PAUSE_FIRST_S", 0.001)

    status = cli.main(["check", "--url", "http://127.0.0.1:9", "--workloads", "matmul", "--json"])

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert status == cli.EXIT_UNREACHABLE
    assert {line["event"] for line in lines} == {"check"}
    assert lines[-1]["name"] == "network"
    assert lines[-1]["next_step"]
