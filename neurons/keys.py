"""Hotkeys: addresses, loading, signing, verifying. Pure but for reading one key file.

`bittensor_core` does the cryptography; this module closes the doors it leaves open. Seen with 0.1.5:
`verify` accepts a signature made over `<Bytes>message</Bytes>` (the wrapper browser wallets put around
text they are asked to sign), decodes a string starting with 0x as hex, raises on a signature of another
length, and takes an address of any network prefix.
"""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import bittensor_core

ADDRESS_LENGTH = 48
SEED_BYTES = 32
SIGNATURE_BYTES = 64
SS58_PREFIX = 42  # Bittensor uses the generic Substrate prefix: addresses start with 5.
KEY_FILE_MAX_BYTES = 16_384  # An official hotkey file is about 600 bytes.
SR25519: int = bittensor_core.CRYPTO_SR25519


class NotAnAddress(ValueError):
    """The text is no ss58 address that can be used here."""


class KeyUnusable(ValueError):
    """The seed, mnemonic or key file yields no key that can sign. Messages never repeat the secret."""


def normalised_address(text: str) -> str:
    """Re-encode an ss58 address of any network with prefix 42.

    Raises: NotAnAddress when characters, length or checksum are wrong.
    """
    # Longer text is refused before decoding: base58 costs quadratic time in its length.
    if not isinstance(text, str) or len(text) > ADDRESS_LENGTH + 2:
        raise NotAnAddress("An address has 48 letters and digits and starts with 5.")
    try:
        public_key = bittensor_core.ss58_decode(text)
        return str(bittensor_core.ss58_encode(public_key, SS58_PREFIX))
    except ValueError as error:
        raise NotAnAddress(
            "This is no ss58 address; check that it was copied completely."
        ) from error


def checked_address(text: str) -> str:
    """Return `text` when it is the one normal spelling of an address with prefix 42.

    One key has one spelling here, so that uniqueness and equality can be decided on text.
    Raises: NotAnAddress.
    """
    address = normalised_address(text)
    if address != text:
        raise NotAnAddress(f"This address belongs to another network; here it is {address}.")
    return address


def verify(ss58: str, message: bytes, signature: str) -> bool:
    """Tell whether `signature` (0x hex, sr25519) is the key's signature over exactly `message`.

    Anything malformed is False, never an exception: signatures come from strangers.
    """
    raw = _signature_bytes(signature)
    if raw is None:
        return False
    try:
        address = checked_address(ss58)
        # The binding would also take a signature over the wrapped message. A signature is over the
        # plain message only if it does not hold for the wrapped one.
        return bool(bittensor_core.verify(message, raw, address, SR25519)) and not bool(
            bittensor_core.verify(b"<Bytes>" + message + b"</Bytes>", raw, address, SR25519)
        )
    except ValueError:
        return False


def _signature_bytes(signature: object) -> bytes | None:
    """Decode 0x + 128 lower or upper hex digits; None for anything else."""
    if not isinstance(signature, str) or len(signature) != 2 + 2 * SIGNATURE_BYTES:
        return None
    # bytes.fromhex skips white space, so its length is checked again.
    try:
        raw = bytes.fromhex(signature[2:])
    except ValueError:
        return None
    return raw if signature.startswith("0x") and len(raw) == SIGNATURE_BYTES else None


@dataclass(frozen=True, slots=True)
class Keypair:
    """An sr25519 hotkey that can sign. Its representation shows the address only."""

    ss58_address: str
    _secret: bittensor_core.Keypair

    def __repr__(self) -> str:
        return f"Keypair({self.ss58_address})"

    def sign(self, message: bytes) -> str:
        """Sign bytes; answer 0x and 128 hex digits. Signing twice gives two different signatures."""
        # A str starting with 0x would be decoded as hex by the binding: only bytes pass.
        if not isinstance(message, bytes):
            raise TypeError("sign takes bytes")
        return "0x" + bytes(self._secret.sign(message)).hex()

    @classmethod
    def generated(cls) -> tuple[Self, str]:
        """Make a new key from the system's randomness; answer it with its seed as 0x hex."""
        seed_hex = "0x" + secrets.token_hex(SEED_BYTES)
        return cls.from_seed(seed_hex), seed_hex

    @classmethod
    def from_seed(cls, seed_hex: str) -> Self:
        """Load from 32 bytes of hex, with or without 0x. Raises: KeyUnusable."""
        try:
            seed = bytes.fromhex(seed_hex.strip().removeprefix("0x"))
        except ValueError:
            # `from None`: the original message would repeat part of the secret's position.
            raise KeyUnusable("A seed is 64 hex digits, with or without 0x in front.") from None
        if len(seed) != SEED_BYTES:
            raise KeyUnusable("A seed is 64 hex digits, with or without 0x in front.")
        return cls._of(bittensor_core.Keypair.create_from_seed(seed))

    @classmethod
    def from_mnemonic(cls, mnemonic: str) -> Self:
        """Load from the words of an official wallet. Raises: KeyUnusable."""
        try:
            return cls._of(bittensor_core.Keypair.create_from_mnemonic(mnemonic.strip()))
        except ValueError:
            raise KeyUnusable(
                "These words are no wallet mnemonic; check spelling and order."
            ) from None

    @classmethod
    def from_hotkey_file(cls, path: Path) -> Self:
        """Load an official wallet's hotkey file (`wallets/<name>/hotkeys/<hotkey>`, JSON).

        Raises: KeyUnusable when it cannot be read, is encrypted, holds only a public key, is no
        sr25519 key, or names another address than its secret gives.
        """
        try:
            if path.stat().st_size > KEY_FILE_MAX_BYTES:
                raise KeyUnusable(f"{path.name} is too large for a hotkey file.")
            data = path.read_bytes()
        except OSError as error:
            raise KeyUnusable(f"{path.name} cannot be read: {error.strerror}.") from None
        if bittensor_core.keyfile_data_is_encrypted(data):
            raise KeyUnusable(f"{path.name} is encrypted; a miner needs an unencrypted hotkey.")
        return cls._of_key_file(data, path.name)

    @classmethod
    def _of_key_file(cls, data: bytes, name: str) -> Self:
        try:
            keypair = cls._of(bittensor_core.deserialize_keypair_from_keyfile_data(data))
            keypair.sign(b"")
            fields = json.loads(data) if data.lstrip().startswith(b"{") else {}
        except (ValueError, bittensor_core.KeyfileError):
            raise KeyUnusable(f"{name} is no hotkey file with a secret key in it.") from None
        if fields.get("ss58Address", keypair.ss58_address) != keypair.ss58_address:
            raise KeyUnusable(f"{name} names another address than its secret gives.")
        return keypair

    @classmethod
    def _of(cls, secret: bittensor_core.Keypair) -> Self:
        if secret.crypto_type != SR25519:
            raise KeyUnusable("Only sr25519 hotkeys are used here; this key is of another kind.")
        return cls(ss58_address=str(secret.ss58_address), _secret=secret)
