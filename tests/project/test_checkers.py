"""The linter, the formatter and the type checker have nothing to say."""

import os
import subprocess
import sys
from pathlib import Path

from tests.project import tree

SHOWN = 3_000  # characters of a complaint: enough to begin with


def complaint(program, *words):
    """Run one of the project's tools; return what it says, empty when it is content."""
    run = subprocess.run(
        [Path(sys.executable).with_name(program), *words],
        cwd=tree.ROOT,
        # A developer's own machine: settings without a secret.
        env=os.environ | {"DEBUG": "1", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return (run.stdout + run.stderr)[-SHOWN:] if run.returncode else ""


def test_the_linter_finds_nothing():
    said = complaint("ruff", "check", "--quiet", "--output-format=concise", ".")

    assert not said, said


def test_every_file_is_formatted():
    said = complaint("ruff", "format", "--check", "--output-format=concise", ".")

    assert not said, f"run `make fmt`\n{said}"


def test_types_fit_strictly():
    # Where `make check` has left no cache, as in CI, writing one that nobody reads costs a quarter of the time.
    uncached = () if (tree.ROOT / ".mypy_cache").exists() else ("--cache-dir", os.devnull)
    said = complaint("mypy", "--no-error-summary", *uncached, *tree.APPS)

    assert not said, said
