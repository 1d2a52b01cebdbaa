"""The command line: keys in files, clear refusals, facts of the machine, amounts."""

import json
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurons import arguments, cli, machine, wallet
from neurons.amounts import format_tao, parse_tao
from neurons.energy import Meter


@pytest.fixture(autouse=True)
def _no_seed(monkeypatch):
    monkeypatch.delenv(wallet.SEED_VARIABLE, raising=False)


def test_a_new_key_is_written_for_its_owner_only_and_shown_again(tmp_path, capsys):
    path = tmp_path / "miner.seed"

    assert cli.main(["wallet", "new", "--out", str(path), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert cli.main(["wallet", "show", "--seed-file", str(path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert shown["hotkey"] == made["hotkey"]
    assert path.read_text().strip() not in json.dumps(made)


def test_an_existing_key_is_never_overwritten(tmp_path, capsys):
    path = tmp_path / "miner.seed"
    path.write_text("mine")

    assert cli.main(["wallet", "new", "--out", str(path)]) == cli.EXIT_USAGE
    assert path.read_text() == "mine"
    assert "cannot be written" in capsys.readouterr().err


def test_a_key_comes_from_the_environment(monkeypatch, capsys):
    monkeypatch.setenv(wallet.SEED_VARIABLE, "22" * 32)

    assert cli.main(["wallet", "show"]) == 0
    assert "hotkey=5" in capsys.readouterr().out


def test_a_seed_file_may_hold_a_mnemonic(tmp_path, capsys):
    path = tmp_path / "words"
    path.write_text(
        "regret family iron ecology october police\nannounce virus claim catch roof salad\n"
    )

    assert cli.main(["wallet", "show", "--seed-file", str(path)]) == 0
    assert "5GBeiB8TkdQ9XSuy2mMxX9imKdkZrt2enmbAZFZ7KJ9ngGCP" in capsys.readouterr().out


def test_without_a_key_the_remedy_is_told(capsys):
    assert cli.main(["miner", "--netuid", "1"]) == cli.EXIT_USAGE
    assert "neuron wallet new" in capsys.readouterr().err


def test_a_seed_cannot_stand_in_the_arguments():
    with pytest.raises(SystemExit):
        cli.main(["wallet", "show", "--seed", "22" * 32])


@pytest.mark.parametrize("amount", ["-1", "1e3", "0.0000000001", "much", "1,5", ""])
def test_an_amount_that_is_none_is_refused_by_the_command_line(amount, capsys):
    with pytest.raises(SystemExit):
        cli.main(["miner", "--netuid", "1", f"--max-burn-tao={amount}"])
    assert "no amount of TAO" in capsys.readouterr().err


def test_amounts_are_read_as_rao():
    read = arguments.parser().parse_args(
        [
            "validator",
            "--netuid",
            "1",
            "--netuid",
            "2",
            "--stake-tao",
            "50.5",
            "--max-burn-tao",
            "1",
        ]
    )

    assert (read.stake_tao, read.max_burn_tao, read.netuid) == (50_500_000_000, 10**9, [1, 2])


@given(st.integers(min_value=0, max_value=21_000_000 * 10**9))
def test_an_amount_survives_being_written_and_read(amount_rao):
    assert parse_tao(format_tao(amount_rao)) == amount_rao


def test_amounts_are_written_without_needless_zeros():
    assert [format_tao(rao) for rao in (0, 1, 1_500_000_000, 10**10, -5 * 10**8)] == [
        "0",
        "0.000000001",
        "1.5",
        "10",
        "-0.5",
    ]


def test_a_server_that_does_not_answer_ends_a_check_with_its_own_status(monkeypatch, capsys):
    monkeypatch.setenv(wallet.SEED_VARIABLE, "22" * 32)
    monkeypatch.setattr("neurons.client.PAUSE_FIRST_S", 0.001)

    status = cli.main(["check", "--url", "http://127.0.0.1:9", "--workloads", "matmul"])

    told = capsys.readouterr()
    assert status == cli.EXIT_UNREACHABLE
    assert "ok    work:matmul" in told.out
    assert "FAIL  network" in told.out
    assert "→ Is --url the site's address" in told.out


def test_the_machine_is_described_with_facts():
    report = machine.machine_report(name="box", blueprints=("matmul",), meter=Meter())

    assert report.cpu_model
    assert report.cpu_count >= 1
    assert report.memory_bytes > 2**20
    assert report.to_wire()["concurrency"] == 1


def test_a_processor_without_a_name_is_still_described(tmp_path):
    assert machine.cpu_model(tmp_path / "nothing")


class Card:
    """Stands for NVML with one card, or with a broken driver."""

    class NVMLError(Exception):
        pass

    def __init__(self, *, broken=False):
        self.broken = broken
        self.ended = False

    def nvmlInit(self):  # noqa: N802
        pass

    def nvmlShutdown(self):  # noqa: N802
        self.ended = True

    def nvmlDeviceGetCount(self):  # noqa: N802
        return 1

    def nvmlDeviceGetHandleByIndex(self, index):  # noqa: N802
        if self.broken:
            raise self.NVMLError
        return index

    def nvmlDeviceGetName(self, _):  # noqa: N802
        return "NVIDIA H100 80GB HBM3"

    def nvmlDeviceGetMemoryInfo(self, _):  # noqa: N802
        return type("Memory", (), {"total": 85_520_809_984})

    def nvmlDeviceGetUUID(self, _):  # noqa: N802
        return "GPU-1"


def test_a_card_is_reported_as_its_driver_names_it(monkeypatch):
    card = Card()
    monkeypatch.setattr(machine, "pynvml", card)

    (gpu,) = machine.gpus()

    assert (gpu.name, gpu.memory_bytes, gpu.uuid) == (
        "NVIDIA H100 80GB HBM3",
        85_520_809_984,
        "GPU-1",
    )
    assert card.ended


def test_a_broken_driver_means_no_card(monkeypatch):
    monkeypatch.setattr(machine, "pynvml", Card(broken=True))

    assert machine.gpus() == ()


def test_a_model_server_is_named_with_its_models(monkeypatch):
    monkeypatch.setenv("NEURON_UPSTREAM_KEY", "secret")
    words = ["miner", "--netuid", "1", "--upstream", "http://127.0.0.1:8080", "--slots", "9"]
    read = arguments.parser().parse_args([*words, "--model", "a", "--model", "b=B:latest"])

    upstream = arguments.upstream_of(read)

    assert (upstream.url, read.slots) == ("http://127.0.0.1:8080/v1", 9)
    assert upstream.models == {"a": "a", "b": "B:latest"}
    assert "secret" not in repr(upstream)


@pytest.mark.parametrize("words", [["--upstream", "http://127.0.0.1:1/v1"], ["--model", "m"]])
def test_half_a_model_server_is_refused_with_the_remedy(words, monkeypatch, capsys):
    monkeypatch.setenv(wallet.SEED_VARIABLE, "22" * 32)

    assert cli.main(["miner", "--netuid", "1", *words]) == cli.EXIT_USAGE
    assert "--upstream URL --model NAME" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["ftp://a/v1", "127.0.0.1:8080", "http://u:p@a/v1", "http:///v1"])
def test_an_address_that_is_none_is_refused(url, capsys):
    with pytest.raises(SystemExit):
        arguments.parser().parse_args(["miner", "--netuid", "1", "--upstream", url])
    assert "no address such as" in capsys.readouterr().err
