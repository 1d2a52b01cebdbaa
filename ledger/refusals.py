"""Refusals under clients' keys: found, kept for a while, forgotten. `ledger.rest.once` says which."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ledger import prepared
from ledger.models import RefusedKey

# No queue of a client's holds requests for longer.
KEPT_FOR = timedelta(days=30)

KEEP = """
INSERT INTO ledger_refusedkey (key, asked, problem)
VALUES (%(key)s::text, %(asked)s::jsonb, %(problem)s::jsonb) RETURNING id
"""
FIND = "SELECT asked::text, problem::text FROM ledger_refusedkey WHERE key = %(key)s::text"


@dataclass(frozen=True, slots=True)
class Kept:
    """A refusal. asked: a digest of each field of the input.  problem: what was answered."""

    asked: Mapping[str, str]
    problem: Mapping[str, Any]


def find(key: str) -> Kept | None:
    """Find what a stored key was refused."""
    rows = prepared.rows(FIND, {"key": key})
    return Kept(json.loads(rows[0][0]), json.loads(rows[0][1])) if rows else None


def keep(key: str, refused: Kept) -> None:
    """Keep a refusal under a stored key that has none; the caller holds the key (ledger.rest.once)."""
    prepared.rows(
        KEEP,
        {
            "key": key,
            "asked": json.dumps(refused.asked),
            "problem": json.dumps(refused.problem),
        },
    )


def forget_refused_keys(*, now: datetime, limit: int) -> int:
    """Forget refusals that no client asks for any more, at most `limit`, oldest first; return how many."""
    due = RefusedKey.objects.filter(refused_at__lte=now - KEPT_FOR).order_by("refused_at")
    oldest = list(due.values_list("pk", flat=True)[:limit])
    return RefusedKey.objects.filter(pk__in=oldest).delete()[0]
