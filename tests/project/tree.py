"""The files of this project, as git knows them, and what each is."""

import configparser
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SERVER_APPS = ("ledger", "subnets", "compute", "marketplace")
APPS = (*SERVER_APPS, "config", "neurons", "launch")


@cache
def files():
    """List every file that is, or is about to be, part of the repository: paths relative to its root."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    named = sorted(set(listing.stdout.split("\0")) - {""})
    return tuple(name for name in named if (ROOT / name).is_file())


@cache
def text(name):
    """Read a file; None for one that is not text."""
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def is_python(name):
    """Tell code that people write; migrations are generated and reviewed by eye."""
    return name.endswith(".py") and "/migrations/" not in name


def in_app(name, *apps):
    """Tell whether a file belongs to one of the apps."""
    return name.split("/")[0] in apps


def room(name):
    """Name the room a module of an app is in: subnets/operations/slots.py is in "operations"."""
    parts = name.removesuffix(".py").split("/")
    return parts[1] if len(parts) > 1 else ""


@cache
def contracts():
    """Read the import contracts: id → its options, lists split at line ends."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / ".importlinter")
    prefix = "importlinter:contract:"
    return {
        section.removeprefix(prefix): {
            option: [line for line in value.splitlines() if line]
            for option, value in parser[section].items()
        }
        for section in parser.sections()
        if section.startswith(prefix)
    }


@cache
def pure_modules():
    """Name the modules that are held to be pure, as dotted paths; a package stands for all in it."""
    return tuple(contracts()["pure"]["source_modules"])


def is_pure(name):
    """Tell whether a file is a pure module."""
    dotted = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return any(dotted == module or dotted.startswith(f"{module}.") for module in pure_modules())
