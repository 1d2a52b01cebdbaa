"""Refusals under clients' keys: found, kept for a while, forgotten. `ledger.rest.once` says which requests have one.

A request is held while it is worked on, so that of its copies none is refused while another succeeds: for the time of a
view (`claim`, `release`), or of the transaction in which an operation decides about many (`ask`, `keep`).
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ledger import prepared
from ledger.errors import DomainError, IdempotencyConflict
from ledger.models import RefusedKey

# No queue of a client's holds requests for longer.
KEPT_FOR = timedelta(days=30)
# Refusals by how things stood: no money, not allowed, not there, not possible now, gone.
LASTING = frozenset({402, 403, 404, 409, 410})

KEEP = """
INSERT INTO ledger_refusedkey (key, asked, problem)
SELECT key, asked::jsonb, problem::jsonb
FROM unnest(%(keys)s::text[], %(asked)s::text[], %(problems)s::text[]) AS refused (key, asked, problem)
"""
# Copies of one request wait for each other, so that none is refused while another succeeds.
CLAIM = "SELECT pg_advisory_lock(%(lock)s::bigint)"
RELEASE = "SELECT pg_advisory_unlock(%(lock)s::bigint)"
CLAIM_ALL = "SELECT pg_advisory_xact_lock(lock) FROM unnest(%(locks)s::bigint[]) AS asked (lock)"
FIND = """
SELECT asked.key, kept.asked::text, kept.problem::text
FROM unnest(%(keys)s::text[]) AS asked (key)
CROSS JOIN LATERAL (SELECT * FROM ledger_refusedkey WHERE key = asked.key LIMIT 1) AS kept
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request under a client's key.

    key: as it is kept, with what was asked for and by whom.  said: the client's own words.  fields: of the input.
    worded: puts a refusal into the words of its answer.
    """

    key: str
    said: str
    fields: Mapping[str, object]
    worded: Callable[[DomainError], Mapping[str, Any]]

    @property
    def lock(self) -> int:
        """Return the number of the lock that its copies wait for."""
        return int.from_bytes(hashlib.sha256(self.key.encode()).digest()[:8], signed=True)

    def digests(self) -> dict[str, str]:
        """Return a digest of each field: enough to compare, and nothing of a secret."""
        return {
            name: hashlib.sha256(
                json.dumps(value, sort_keys=True, default=str).encode()
            ).hexdigest()
            for name, value in self.fields.items()
        }


@dataclass(frozen=True, slots=True)
class Kept:
    """A refusal. asked: a digest of each field of the input.  problem: what was answered."""

    asked: Mapping[str, str]
    problem: Mapping[str, Any]

    def again(self, sent: Sent) -> "RefusedBefore | IdempotencyConflict":
        """Return what a request under the key is refused now: the same, or a conflict where it asks something else."""
        asked = sent.digests()
        for field in sorted(asked.keys() | self.asked.keys()):
            if asked.get(field) != self.asked.get(field):
                return IdempotencyConflict(key=sent.said, field=field)
        return RefusedBefore(self.problem)


class RefusedBefore(Exception):
    """The key was refused before; problem: what was answered then."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        self.problem = dict(problem)
        super().__init__(self.problem["detail"])


def claim(sent: Sent) -> Kept | None:
    """Hold a request until `release`, and find what it was refused until then. A lost connection lets go."""
    with prepared.together():
        claimed = prepared.send(CLAIM, {"lock": sent.lock})
        # A statement of its own: it sees what the copy that was waited for has kept.
        found = _find([sent])
    claimed.rows()
    return found().get(sent.key)


def release(sent: Sent, *, refusal: DomainError | None) -> None:
    """Let the next copy of a request begin, once what this one was refused is kept under its key."""
    with prepared.together() as line:
        if refusal is not None:
            keep([(sent, refusal)])
            # Committed before the next may look.
            line.part()
        prepared.send(RELEASE, {"lock": sent.lock})


def ask(all_sent: Iterable[Sent]) -> Callable[[], Mapping[str, Kept]]:
    """Hold requests to the end of the transaction, before its other locks; return what waits to hear what they were refused.

    For `prepared.atomic`. The answer is by key, of those that were refused.
    """
    every = list(all_sent)
    if not every:
        return dict
    # In one order, so that two transactions never wait for each other.
    prepared.send(CLAIM_ALL, {"locks": prepared.numbers(sorted(sent.lock for sent in every))})
    return _find(every)


def keep(refused: Iterable[tuple[Sent, DomainError]]) -> None:
    """Keep the refusals that last, with the transaction's commit; nothing waits for it."""
    lasting = [(sent, refusal) for sent, refusal in refused if lasts(refusal)]
    if lasting:
        prepared.send(
            KEEP,
            {
                "keys": prepared.texts(sent.key for sent, _ in lasting),
                "asked": prepared.texts(json.dumps(sent.digests()) for sent, _ in lasting),
                "problems": prepared.texts(
                    json.dumps(sent.worded(refusal)) for sent, refusal in lasting
                ),
            },
        )


def lasts(refusal: DomainError) -> bool:
    """Tell whether a refusal stays under its key; bad input, limits and outages do not."""
    return refusal.http_status in LASTING


def _find(all_sent: Iterable[Sent]) -> Callable[[], dict[str, Kept]]:
    answer = prepared.send(FIND, {"keys": prepared.texts(sent.key for sent in all_sent)})
    return lambda: {
        key: Kept(json.loads(asked), json.loads(problem)) for key, asked, problem in answer.rows()
    }


def forget_refused_keys(*, now: datetime, limit: int) -> int:
    """Forget refusals that no client asks for any more, at most `limit`, oldest first; return how many."""
    due = RefusedKey.objects.filter(refused_at__lte=now - KEPT_FOR).order_by("refused_at")
    oldest = list(due.values_list("pk", flat=True)[:limit])
    return RefusedKey.objects.filter(pk__in=oldest).delete()[0]
