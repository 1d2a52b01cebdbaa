"""Read the golden vectors, one pytest parameter per case, named by its id."""

import json
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).parent.parent / "vectors"


def load(name: str) -> list[dict[str, Any]]:
    """Return the cases of one vector file."""
    return json.loads((VECTORS / f"{name}.json").read_text())["vectors"]


def cases(name: str, *kinds: str) -> list[Any]:
    """Return the cases of `kinds` (all when none is named) as parameters with their ids."""
    return [
        pytest.param(case, id=case["id"])
        for case in load(name)
        if not kinds or case.get("kind") in kinds
    ]


def kinds_of(name: str) -> set[str]:
    """Return every kind a vector file holds."""
    return {case["kind"] for case in load(name)}
