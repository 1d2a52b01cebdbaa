"""Keys of the official wallet folder: found, made, shown, and never overwritten."""

import json
import stat

import pytest

from neurons import cli
from neurons.keys import Keypair, KeyUnusable
from neurons.wallet import KeyChoice, hotkeys


@pytest.fixture(autouse=True)
def _no_seed(monkeypatch):
    monkeypatch.delenv("NEURON_SEED", raising=False)


def run(capsys, *words):
    status = cli.main(["wallet", *words, "--json"])
    lines = capsys.readouterr().out.splitlines()
    return status, [json.loads(line) for line in lines]


def test_a_hotkey_made_in_a_wallet_is_one_of_the_official_form(tmp_path, capsys):
    words = ["--wallet", "mine", "--hotkey", "one", "--wallet-path", str(tmp_path)]

    status, (made,) = run(capsys, "new", *words)
    _, (shown,) = run(capsys, "show", *words)

    path = tmp_path / "mine" / "hotkeys" / "one"
    assert status == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made["hotkey"] == shown["hotkey"] == json.loads(path.read_bytes())["ss58Address"]
    words = json.loads(path.read_bytes())["secretPhrase"]
    assert Keypair.from_mnemonic(words).ss58_address == made["hotkey"]


def test_a_hotkey_is_never_overwritten(tmp_path, capsys):
    words = ["--wallet", "mine", "--wallet-path", str(tmp_path)]
    run(capsys, "new", *words)
    before = (tmp_path / "mine" / "hotkeys" / "default").read_bytes()

    assert cli.main(["wallet", "new", *words]) == cli.EXIT_USAGE
    assert "cannot be written" in capsys.readouterr().err
    assert (tmp_path / "mine" / "hotkeys" / "default").read_bytes() == before


def test_hotkeys_are_listed_with_what_keeps_one_from_use(tmp_path, capsys):
    run(capsys, "new", "--wallet", "a", "--wallet-path", str(tmp_path))
    folder = tmp_path / "a" / "hotkeys"
    (folder / "defaultpub.txt").write_text("{}")
    (folder / "locked").write_bytes(b"$NACL" + b"x" * 80)

    _, lines = run(capsys, "list", "--wallet-path", str(tmp_path))

    assert [(line["wallet"], line["name"]) for line in lines] == [("a", "default"), ("a", "locked")]
    assert lines[0]["hotkey"].startswith("5")
    assert "encrypted" in lines[1]["trouble"]
    assert hotkeys(tmp_path / "nothing") == []


@pytest.mark.parametrize("name", ["..", "a/b", "", "../../etc"])
def test_a_name_cannot_leave_the_wallet_folder(name, tmp_path):
    with pytest.raises(KeyUnusable, match="no name of a wallet"):
        KeyChoice(wallet="mine", hotkey=name, wallets=tmp_path).keypair()
    with pytest.raises(KeyUnusable, match="no name of a wallet"):
        KeyChoice(wallet=name, wallets=tmp_path).keypair()


def test_a_new_key_needs_a_place(capsys):
    assert cli.main(["wallet", "new"]) == cli.EXIT_USAGE
    assert "--wallet NAME or --out FILE" in capsys.readouterr().err
