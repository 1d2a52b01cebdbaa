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
VALUES (%(key)s::text, %(asked)s::jsonb, %(problem)s::jsonb)
"""
# Copies of one request wait for each other, so that none is refused while another succeeds.
CLAIM = "SELECT pg_advisory_lock(%(lock)s::bigint)"
RELEASE = "SELECT pg_advisory_unlock(%(lock)s::bigint)"
FIND = "SELECT asked::text, problem::text FROM ledger_refusedkey WHERE key = %(key)s::text"


@dataclass(frozen=True, slots=True)
class Kept:
    """A refusal. asked: a digest of each field of the input.  problem: what was answered."""

    asked: Mapping[str, str]
    problem: Mapping[str, Any]


def claim(key: str, *, lock: int) -> Kept | None:
    """Wait for a lock, and find what a stored key was refused until then."""
    with prepared.together():
        claimed = prepared.send(CLAIM, {"lock": lock})
        # A statement of its own: it sees what the copy that was waited for has kept.
        found = prepared.send(FIND, {"key": key})
    claimed.rows()
    rows = found.rows()
    return Kept(json.loads(rows[0][0]), json.loads(rows[0][1])) if rows else None


def release(key: str, *, lock: int, refused: Kept | None) -> None:
    """Let the next copy of a request begin, once what this one was refused is kept under its key."""
    with prepared.together() as line:
        if refused is not None:
            prepared.send(
                KEEP,
                {
                    "key": key,
                    "asked": json.dumps(refused.asked),
                    "problem": json.dumps(refused.problem),
                },
            )
            # Committed before the next may look.
            line.part()
        prepared.send(RELEASE, {"lock": lock})


def forget_refused_keys(*, now: datetime, limit: int) -> int:
    """Forget refusals that no client asks for any more, at most `limit`, oldest first; return how many."""
    due = RefusedKey.objects.filter(refused_at__lte=now - KEPT_FOR).order_by("refused_at")
    oldest = list(due.values_list("pk", flat=True)[:limit])
    return RefusedKey.objects.filter(pk__in=oldest).delete()[0]
