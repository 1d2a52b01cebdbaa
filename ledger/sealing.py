"""Seal what was committed, behind whoever posts: no posting waits for it, and none is left out.

A number of an entry says when it was begun, not when it was committed, so an entry may appear below one that is
sealed already. What tells is its transaction's number: PostgreSQL names the oldest that is still under way, and all
below it have ended, for good. Entries are therefore sealed in the order of their transactions, up to that one.
"""

import logging
import secrets
from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction

from ledger import canonical, evidence
from ledger.seals import Seal, SealedEntry

logger = logging.getLogger(__name__)

# A thousand leaves are ten hashes of proof, and are hashed in a tenth of a second.
ENTRIES_MAX = 1_000
# Whoever seals holds this while they do; it is nobody's who posts. The number is drawn at random, for this use.
SEALING_LOCK = 7_306_511_942

# One statement, and so one snapshot: what it sees of a transaction below `oldest` is all there will ever be.
# A number at or above `next` was given by another server, before these rows were restored from a dump into this
# one, where numbers began anew: it was committed long ago. There the last sealed number is above all of ours as
# well, so what follows it is looked for from the first.
DUE = """
WITH snapshot AS MATERIALIZED (
    SELECT coalesce(%(below)s::bigint, pg_snapshot_xmin(taken)::text::bigint) AS oldest,
           pg_snapshot_xmax(taken)::text::bigint AS next
    FROM pg_current_snapshot() AS taken
), newest AS (
    SELECT entry.xid, entry.id
    FROM ledger_seal AS seal JOIN ledger_entry AS entry ON entry.id = seal.last_entry_id
    ORDER BY seal.number DESC LIMIT 1
)
SELECT entry.id
FROM ledger_entry AS entry
WHERE (entry.xid, entry.id) > (
          coalesce((SELECT xid FROM newest WHERE xid < (SELECT next FROM snapshot)), -1),
          coalesce((SELECT id FROM newest WHERE xid < (SELECT next FROM snapshot)), -1))
  AND (entry.xid < (SELECT oldest FROM snapshot) OR entry.xid >= (SELECT next FROM snapshot))
  AND NOT EXISTS (SELECT 1 FROM ledger_sealedentry AS sealed WHERE sealed.entry_id = entry.id)
ORDER BY entry.xid, entry.id
LIMIT %(limit)s
"""


@transaction.atomic(durable=True)
def seal_entries(
    *, now: datetime, limit: int = ENTRIES_MAX, below: int | None = None
) -> Seal | None:
    """Seal the oldest entries that are not, at most `limit`; return the seal, or none when there is nothing to seal.

    below: the number of a transaction that stands for the oldest under way; none asks the database.
    Only one process seals at a time: another one finds nothing to do. Replays find the entries sealed.
    """
    if not _alone():
        return None
    due = _due(limit=limit, below=below)
    if not due:
        return None
    newest = Seal.objects.order_by("-number").first()
    parts = evidence.parts_of(due)
    salts = [secrets.token_bytes(canonical.SALT_BYTES) for _ in due]
    digests = [canonical.digest(parts[entry], salt) for entry, salt in zip(due, salts, strict=True)]
    facts = canonical.SealFacts(
        number=newest.number + 1 if newest else 1,
        previous=bytes(newest.hash) if newest else canonical.BEFORE_THE_FIRST,
        root=canonical.seal_root(digests),
        entry_count=len(due),
        first_entry=due[0],
        last_entry=due[-1],
        sealed_at=now,
    )
    return _recorded(facts, due, salts, digests)


def seal_everything_due(*, now: datetime, seals_max: int) -> int:
    """Make seals until nothing is due, at most so many; return how many entries they hold."""
    entry_count = 0
    for _ in range(seals_max):
        seal = seal_entries(now=now)
        if seal is None:
            break
        entry_count += seal.entry_count
    return entry_count


def _alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SEALING_LOCK])
        return bool(cursor.fetchone()[0])


def _due(*, limit: int, below: int | None) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"limit": limit, "below": below})
        return [entry for (entry,) in cursor.fetchall()]


def _recorded(
    facts: canonical.SealFacts, due: Sequence[int], salts: Sequence[bytes], digests: Sequence[bytes]
) -> Seal:
    """Write a seal and the places of its entries."""
    seal = Seal.objects.create(
        number=facts.number,
        previous=facts.previous,
        root=facts.root,
        entry_count=facts.entry_count,
        first_entry_id=facts.first_entry,
        last_entry_id=facts.last_entry,
        sealed_at=facts.sealed_at,
        hash=facts.hash(),
    )
    SealedEntry.objects.bulk_create(
        SealedEntry(entry_id=entry, seal=seal, position=position, salt=salt, digest=digest)
        for position, (entry, salt, digest) in enumerate(zip(due, salts, digests, strict=True))
    )
    logger.info("ledger:sealed seal=%s entries=%s", seal.number, seal.entry_count)
    return seal
