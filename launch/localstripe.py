"""Find localstripe, an independent stand-in for Stripe, or install it into an environment of its own.

It is under the GPL and is neither imported nor shipped: the tests start it as a program and speak HTTP to it.
"""

import os
import subprocess
import sys
from pathlib import Path

from launch.errors import CannotLaunchError, telling_line
from launch.servers import CACHE

REQUIREMENT = "localstripe==1.15.10"
HOME = CACHE / "localstripe"


def find() -> Path | None:
    """Return the Python that has localstripe: $LOCALSTRIPE, or that of the environment made here before."""
    named = os.environ.get("LOCALSTRIPE")
    if named:
        return Path(named)
    return HOME / "bin" / "python" if (HOME / "installed").exists() else None


def ensure() -> Path:
    """Return the Python that has localstripe, installing it first. Raises: CannotLaunchError."""
    if path := find():
        return path
    program = HOME / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(program), "--disable-pip-version-check"]
    for words in (
        [sys.executable, "-m", "venv", "--clear", "--without-pip", str(HOME)],
        [*pip, "install", "-q", "--no-compile", REQUIREMENT],
    ):
        run = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if run.returncode:
            raise CannotLaunchError(f"localstripe did not install: {telling_line(run.stderr)}")
    (HOME / "installed").touch()
    return program
