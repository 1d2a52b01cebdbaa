"""Recompute all seals once a day, some at a time, and write down what came of it.

A pass goes from the first seal to the newest, never only from where the last one ended: a byte that is altered in an old
row is altered behind whoever looks at new ones alone.
"""

import logging
from datetime import datetime, timedelta

from django.db import connection, transaction

from ledger import verifying
from ledger.seals import Verification

logger = logging.getLogger(__name__)

PASS_EVERY = timedelta(hours=24)
# Of small seals as of full ones about two seconds' work; a seal holds a thousand entries at most.
SEALS_MAX = 500
ENTRIES_MAX = 5_000
# Whoever verifies holds this while they do. The number is drawn at random, for this use.
VERIFYING_LOCK = 5_180_224_936


@transaction.atomic(durable=True)
def verify_some(
    *, now: datetime, seals_max: int = SEALS_MAX, entries_max: int = ENTRIES_MAX
) -> Verification | None:
    """Go on with the pass that is under way, or begin one when a day has passed; none when nothing is to be done.

    Only one process verifies at a time: another one finds nothing to do. What is found is logged as an error and kept.
    """
    found = _under_way(now) if _alone() else None
    if found is None:
        return None
    faults, is_at_the_end = list[str](), True
    entries_left = entries_max
    for seal_count, checked in enumerate(verifying.checked_seals(since=found.next_seal)):
        if seal_count == seals_max or entries_left <= 0:
            is_at_the_end = False
            break
        faults += checked.faults
        entries_left -= checked.entry_count
        found.next_seal = checked.number + 1
        found.entry_count += checked.entry_count
    if is_at_the_end:
        faults += verifying.stray_rows()
        found.ended_at = now
    for fault in faults:
        logger.error("ledger:altered begun_at=%s fault=%s", found.begun_at.isoformat(), fault)
    found.fault_count += len(faults)
    found.faults = [*found.faults, *faults][: verifying.FAULTS_MAX]
    found.looked_at = now
    found.save(
        update_fields=["next_seal", "entry_count", "fault_count", "faults", "looked_at", "ended_at"]
    )
    return found


def _under_way(now: datetime) -> Verification | None:
    """Return the pass to go on with, or the one that begins now."""
    newest = Verification.objects.order_by("-begun_at").first()
    if newest is not None and newest.ended_at is None:
        return newest
    if newest is not None and now - newest.begun_at < PASS_EVERY:
        return None
    return Verification.objects.create(begun_at=now, looked_at=now)


def _alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [VERIFYING_LOCK])
        return bool(cursor.fetchone()[0])
