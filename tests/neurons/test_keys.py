"""Addresses, key loading, signatures: what the binding leaves open is closed here."""

import json

import bittensor_core
import pytest

from neurons import keys
from neurons.keys import Keypair, KeyUnusable, NotAnAddress

# Substrate's well-known development key //Alice.
ALICE_SEED = "0xe5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a"
ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
ALICE_POLKADOT = "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5"
MNEMONIC = "regret family iron ecology october police announce virus claim catch roof salad"
MNEMONIC_ADDRESS = "5GBeiB8TkdQ9XSuy2mMxX9imKdkZrt2enmbAZFZ7KJ9ngGCP"


@pytest.fixture
def alice():
    return Keypair.from_seed(ALICE_SEED)


def test_a_seed_gives_the_known_address(alice):
    assert alice.ss58_address == ALICE
    assert Keypair.from_seed(ALICE_SEED.removeprefix("0x")).ss58_address == ALICE


def test_a_mnemonic_gives_the_known_address():
    assert Keypair.from_mnemonic(MNEMONIC).ss58_address == MNEMONIC_ADDRESS


def test_a_generated_key_can_be_loaded_again_from_its_seed():
    keypair, seed = Keypair.generated()

    assert Keypair.from_seed(seed).ss58_address == keypair.ss58_address
    assert Keypair.generated()[1] != seed


def test_a_key_never_shows_its_secret(alice):
    assert repr(alice) == f"Keypair({ALICE})"


@pytest.mark.parametrize("seed", ["", "0x", "zz" * 32, "11" * 31, "11" * 33])
def test_a_broken_seed_is_refused_without_repeating_it(seed):
    with pytest.raises(KeyUnusable) as refusal:
        Keypair.from_seed(seed)

    assert len(seed) < 3 or seed not in str(refusal.value)


def test_a_broken_mnemonic_is_refused_without_repeating_it():
    with pytest.raises(KeyUnusable) as refusal:
        Keypair.from_mnemonic("regret family iron")

    assert "regret" not in str(refusal.value)


def key_file(tmp_path, **changes):
    official = bittensor_core.serialized_keypair_to_keyfile_data(
        bittensor_core.Keypair.create_from_mnemonic(MNEMONIC)
    )
    fields = {**json.loads(official), **changes}
    path = tmp_path / "miner"
    path.write_text(json.dumps({key: value for key, value in fields.items() if value is not None}))
    return path


def test_an_official_hotkey_file_loads(tmp_path):
    assert Keypair.from_hotkey_file(key_file(tmp_path)).ss58_address == MNEMONIC_ADDRESS


def test_a_hotkey_file_without_a_secret_is_refused(tmp_path):
    path = key_file(tmp_path, secretPhrase=None, secretSeed=None, privateKey=None)

    with pytest.raises(KeyUnusable, match="no hotkey file with a secret"):
        Keypair.from_hotkey_file(path)


def test_a_hotkey_file_that_names_another_address_is_refused(tmp_path):
    with pytest.raises(KeyUnusable):
        Keypair.from_hotkey_file(key_file(tmp_path, ss58Address=ALICE))


def test_a_hotkey_file_of_another_scheme_is_refused(tmp_path):
    ed25519 = bittensor_core.Keypair.create_from_uri("//Alice", bittensor_core.CRYPTO_ED25519)
    path = tmp_path / "miner"
    path.write_bytes(bittensor_core.serialized_keypair_to_keyfile_data(ed25519))

    with pytest.raises(KeyUnusable):
        Keypair.from_hotkey_file(path)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00", b"[1]", b"x" * 20_000])
def test_a_file_that_is_no_hotkey_file_is_refused(tmp_path, content):
    path = tmp_path / "miner"
    path.write_bytes(content)

    with pytest.raises(KeyUnusable):
        Keypair.from_hotkey_file(path)


def test_an_encrypted_hotkey_file_says_that_it_is_encrypted(tmp_path):
    path = tmp_path / "miner"
    path.write_bytes(bittensor_core.encrypt_keyfile_data(b"{}", "password"))

    with pytest.raises(KeyUnusable, match="encrypted"):
        Keypair.from_hotkey_file(path)


def test_a_missing_hotkey_file_is_refused_by_name(tmp_path):
    with pytest.raises(KeyUnusable, match="nobody"):
        Keypair.from_hotkey_file(tmp_path / "nobody")


def test_a_signature_holds_for_its_message_and_key_only(alice):
    signature = alice.sign(b"message")

    assert keys.verify(ALICE, b"message", signature)
    assert not keys.verify(ALICE, b"messagf", signature)
    assert not keys.verify(MNEMONIC_ADDRESS, b"message", signature)


def test_only_bytes_are_signed(alice):
    with pytest.raises(TypeError):
        alice.sign("0x6d")


def test_hex_text_and_the_bytes_it_spells_are_different_messages(alice):
    signature = alice.sign(b"m")

    assert keys.verify(ALICE, b"m", signature)
    assert not keys.verify(ALICE, b"0x6d", signature)


def test_a_signature_over_the_wallet_wrapper_is_refused(alice):
    wrapped = alice.sign(b"<Bytes>message</Bytes>")
    address = alice.ss58_address

    assert bittensor_core.verify(b"message", bytes.fromhex(wrapped[2:]), address, keys.SR25519)
    assert not keys.verify(address, b"message", wrapped)


def test_an_empty_message_is_signed_and_verified_like_any_other(alice):
    assert keys.verify(ALICE, b"", alice.sign(b""))


@pytest.mark.parametrize(
    "damage",
    [
        lambda s: s[:-2],
        lambda s: s + "00",
        lambda s: s[2:],
        lambda s: "0x" + "zz" * 64,
        lambda s: "0x" + " " * 128,
        lambda s: s[:-4] + "  " + s[-2:],
        lambda _: "0x" + "00" * 64,
        lambda _: "",
        lambda _: None,
        lambda s: bytes.fromhex(s[2:]),
        lambda s: s[:-2] + f"{int(s[-2:], 16) ^ 0x80:02x}",  # clears the sr25519 marker bit
    ],
)
def test_a_malformed_signature_is_false_and_never_an_exception(alice, damage):
    assert keys.verify(ALICE, b"message", damage(alice.sign(b"message"))) is False


def test_the_zero_key_with_a_zero_signature_is_false():
    zero = bittensor_core.ss58_encode(bytes(32), 42)

    assert keys.verify(zero, b"message", "0x" + "00" * 64) is False


def test_an_address_of_another_network_is_normalised_or_refused(alice):
    assert keys.normalised_address(ALICE_POLKADOT) == ALICE
    with pytest.raises(NotAnAddress, match=ALICE):
        keys.checked_address(ALICE_POLKADOT)
    assert keys.verify(ALICE_POLKADOT, b"message", alice.sign(b"message")) is False


def test_the_normal_spelling_of_an_address_passes():
    assert keys.checked_address(ALICE) == ALICE


@pytest.mark.parametrize(
    "text",
    ["", "abc", ALICE[:-1] + "Z", ALICE + " ", "0x" + "00" * 32, "é" * 48, "5" * 10_000, None, 5],
)
def test_text_that_is_no_address_is_refused(text):
    with pytest.raises(NotAnAddress):
        keys.normalised_address(text)
    assert keys.verify(text, b"message", "0x" + "00" * 64) is False
