"""Programs that figures stand beside, each in an environment of its own out of PyPI, made once."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from launch import servers


def environment_of(peer: str, needs: Sequence[str]) -> Path | None:
    """Return the folder of a peer's environment, made where it is not whole; None where it cannot be had.

    A note says that it is whole: an installation that was interrupted leaves programs that lack what they import.
    """
    home = servers.CACHE / f"bench-{peer}"
    whole = home / "whole"
    if whole.exists() and whole.read_text() == " ".join(needs):
        return home
    shutil.rmtree(home, ignore_errors=True)
    pip = [str(home / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
    for words in ([sys.executable, "-m", "venv", str(home)], [*pip, *needs]):
        if subprocess.run(words, check=False).returncode:
            shutil.rmtree(home, ignore_errors=True)
            print(f"{peer} cannot be installed here: no figure of it", file=sys.stderr)
            return None
    whole.write_text(" ".join(needs))
    return home


def program_of(peer: str, needs: Sequence[str], program: str) -> Path | None:
    """Return a peer's program: the one that BENCH_<PEER> names, or the one of its own environment."""
    named = os.environ.get(f"BENCH_{peer.upper()}")
    if named:
        return Path(named)
    home = environment_of(peer, needs)
    return home and home / "bin" / program
