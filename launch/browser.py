"""Find a Chromium for the browser tests, installing Debian's where that is allowed."""

import os
import shutil
import subprocess

from launch.errors import CannotLaunchError, telling_line

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
INSTALL = ("apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium")


def find() -> str | None:
    """Return the path of an installed Chromium: $CHROMIUM, or one on the path."""
    named = os.environ.get("CHROMIUM")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


def ensure() -> str:
    """Return the path of a Chromium, installing it first as root or by a sudo that asks nothing.

    Raises: CannotLaunchError when it can be neither found nor installed.
    """
    if path := find():
        return path
    remedy = "install it (Debian: apt-get install chromium) or set CHROMIUM to the path of one."
    prefix = () if os.getuid() == 0 else ("sudo", "-n")
    if not shutil.which("apt-get") or (prefix and not shutil.which("sudo")):
        raise CannotLaunchError(f"The browser tests need Chromium: {remedy}")
    print("Installing Chromium for the browser tests ...", flush=True)
    for words in (("apt-get", "update", "-q"), INSTALL):
        run = subprocess.run(
            [*prefix, *words],
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    path = find()
    if run.returncode != 0 or path is None:
        raise CannotLaunchError(f"Chromium did not install ({telling_line(run.stderr)}): {remedy}")
    return path
