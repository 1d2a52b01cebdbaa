"""Where keys lie: seed files, single hotkey files, and the folder of the official wallet.

The folder is ~/.bittensor/wallets/NAME/hotkeys/HOTKEY, as btcli and the official SDK keep it. Coldkeys are never
read: a neuron signs with its hotkey alone.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bittensor_core

from neurons.keys import Keypair, KeyUnusable

WALLETS = Path("~/.bittensor/wallets")
SEED_VARIABLE = "NEURON_SEED"
SEED_FILE_MAX_BYTES = 1_024
HOTKEYS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """Which key the operator named; at most one of them is set."""

    seed_file: Path | None = None
    hotkey_file: Path | None = None
    wallet: str | None = None
    hotkey: str = "default"
    wallets: Path = WALLETS

    def path(self) -> Path:
        """Name the hotkey's file in the wallet. Raises: KeyUnusable for a name that leaves the folder."""
        for name in (self.wallet or "", self.hotkey):
            if not name or name in {".", ".."} or Path(name).name != name:
                raise KeyUnusable(f"{name!r} is no name of a wallet or hotkey.")
        return self.wallets.expanduser() / str(self.wallet) / "hotkeys" / self.hotkey

    def keypair(self, environment: Mapping[str, str] = os.environ) -> Keypair:
        """Load the key. Raises: KeyUnusable."""
        if self.wallet is not None:
            return Keypair.from_hotkey_file(self.path())
        if self.hotkey_file is not None:
            return Keypair.from_hotkey_file(self.hotkey_file.expanduser())
        if self.seed_file is not None:
            return secret_keypair(_secret(self.seed_file.expanduser()))
        if SEED_VARIABLE in environment:
            return secret_keypair(environment[SEED_VARIABLE])
        raise KeyUnusable(
            f"Name a key: --wallet, --seed-file, --hotkey-file or the variable {SEED_VARIABLE}. "
            "`neuron wallet new --out FILE` makes one."
        )


@dataclass(frozen=True, slots=True)
class Hotkey:
    """A hotkey found in the wallet folder: its address, or why it cannot be used."""

    wallet: str
    name: str
    address: str | None
    trouble: str | None


def secret_keypair(secret: str) -> Keypair:
    """Load a key from a seed in hex or from mnemonic words. Raises: KeyUnusable."""
    words = secret.split()
    return Keypair.from_mnemonic(" ".join(words)) if len(words) > 1 else Keypair.from_seed(secret)


def _secret(path: Path) -> str:
    try:
        with path.open() as file:
            return file.read(SEED_FILE_MAX_BYTES)
    except (OSError, UnicodeDecodeError):
        raise KeyUnusable(f"{path.name} cannot be read.") from None


def hotkeys(wallets: Path = WALLETS) -> list[Hotkey]:
    """List the hotkeys of every wallet, by name; the first HOTKEYS_MAX."""
    found = []
    # Beside a hotkey newer wallets keep HOTKEYpub.txt, the same without its secret.
    for path in sorted(wallets.expanduser().glob("*/hotkeys/*"))[:HOTKEYS_MAX]:
        if not path.is_file() or path.name.endswith("pub.txt"):
            continue
        address, trouble = None, None
        try:
            address = Keypair.from_hotkey_file(path).ss58_address
        except KeyUnusable as error:
            trouble = str(error)
        wallet = path.parent.parent.name
        found.append(Hotkey(wallet=wallet, name=path.name, address=address, trouble=trouble))
    return found


def made_seed_file(path: Path) -> Keypair:
    """Make a key and write its seed to a new file that only its owner can read. Raises: KeyUnusable."""
    keypair, seed = Keypair.generated()
    _write_new(path, seed.encode() + b"\n")
    return keypair


def made_hotkey(choice: KeyChoice) -> Keypair:
    """Make a hotkey in a wallet's folder, in the form of the official one, with its words. Raises: KeyUnusable."""
    secret = bittensor_core.Keypair.create_from_mnemonic(
        bittensor_core.Keypair.generate_mnemonic(12)
    )
    path = choice.path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_new(path, bytes(bittensor_core.serialized_keypair_to_keyfile_data(secret)))
    return Keypair.from_hotkey_file(path)


def _write_new(path: Path, content: bytes) -> None:
    try:
        # O_EXCL: an existing key is never overwritten.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise KeyUnusable(f"{path} cannot be written: {error.strerror}.") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
