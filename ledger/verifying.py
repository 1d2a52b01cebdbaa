"""Recompute the seals from the rows, and name whatever is not as it was sealed."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection
from django.db.models import Max

from ledger import canonical, evidence
from ledger.canonical import SealFacts
from ledger.seals import Seal, SealedEntry

# A fault in a seal shows in every one behind it that follows it; the first hundred say where it began.
FAULTS_MAX = 100
# Entries that stand below the end of the chain and in no seal: written, or renumbered, behind it.
UNSEALED = """
SELECT entry.id, entry.key
FROM ledger_entry AS entry
WHERE (entry.xid, entry.id) < (
    SELECT last.xid, last.id
    FROM ledger_seal AS seal JOIN ledger_entry AS last ON last.id = seal.last_entry_id
    ORDER BY seal.number DESC LIMIT 1)
  AND NOT EXISTS (SELECT 1 FROM ledger_sealedentry AS sealed WHERE sealed.entry_id = entry.id)
ORDER BY entry.id LIMIT %s
"""
WAITING = """
SELECT count(*) FROM ledger_entry AS entry
WHERE NOT EXISTS (SELECT 1 FROM ledger_sealedentry AS sealed WHERE sealed.entry_id = entry.id)
"""
# A seal's rows by their places: one that has no seal would be missed by going from seal to seal.
ORPHANS = """
SELECT entry_id, seal_id FROM ledger_sealedentry
WHERE NOT EXISTS (SELECT 1 FROM ledger_seal AS seal WHERE seal.number = seal_id)
ORDER BY entry_id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Checked:
    """One seal that was recomputed, and what is wrong with it, a sentence each."""

    number: int
    entry_count: int
    faults: tuple[str, ...]


def newest_number() -> int:
    """Return the number of the newest seal, zero without one."""
    return Seal.objects.aggregate(newest=Max("number"))["newest"] or 0


def waiting_count() -> int:
    """Count the entries that wait for a seal."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return int(cursor.fetchone()[0])


def checked_seals(*, since: int = 1) -> Iterator[Checked]:
    """Recompute the seals from a number on, one after the other; the one before it is taken as it stands."""
    before = Seal.objects.filter(number=since - 1).first()
    due, previous = since, bytes(before.hash) if before else canonical.BEFORE_THE_FIRST
    for seal in Seal.objects.filter(number__gte=since).order_by("number").iterator(chunk_size=100):
        faults = []
        if seal.number != due:
            faults.append(f"seal {due} is gone: seal {seal.number} stands in its place")
        elif bytes(seal.previous) != previous:
            faults.append(f"seal {seal.number} does not follow seal {seal.number - 1} as it stands")
        faults += _faults_of(seal)
        yield Checked(seal.number, seal.entry_count, tuple(faults))
        due, previous = seal.number + 1, bytes(seal.hash)


def stray_rows() -> list[str]:
    """Return what stands beside the chain: entries in no seal below its end, places in a seal that is not there."""
    faults = []
    with connection.cursor() as cursor:
        cursor.execute(UNSEALED, [FAULTS_MAX])
        for entry, key in cursor.fetchall():
            faults.append(f"entry {entry} ({key}) stands below the newest seal and is in none")
        cursor.execute(ORPHANS, [FAULTS_MAX])
        for entry, seal in cursor.fetchall():
            faults.append(f"seal {seal} is gone: entry {entry} was sealed in it")
    return faults


def facts_of(seal: Seal) -> SealFacts:
    """Read a seal's row."""
    return SealFacts(
        number=seal.number,
        previous=bytes(seal.previous),
        root=bytes(seal.root),
        entry_count=seal.entry_count,
        first_entry=seal.first_entry_id,
        last_entry=seal.last_entry_id,
        sealed_at=seal.sealed_at,
    )


def _faults_of(seal: Seal) -> Iterator[str]:
    places = list(SealedEntry.objects.filter(seal_id=seal.number).order_by("position"))
    if facts_of(seal).hash() != bytes(seal.hash):
        yield f"seal {seal.number} is not as it was written: its hash is of something else"
    if [place.position for place in places] != list(range(seal.entry_count)):
        yield f"seal {seal.number} binds {seal.entry_count} entries and {len(places)} are in their places"
    parts = evidence.parts_of([place.entry_id for place in places])
    for place in places:
        yield from _faults_of_entry(place, parts.get(place.entry_id))
    if canonical.seal_root(bytes(place.digest) for place in places) != bytes(seal.root):
        yield f"seal {seal.number} was made of other entries: its root is not theirs"


def _faults_of_entry(place: SealedEntry, parts: list[canonical.Part] | None) -> Iterator[str]:
    if parts is None:
        yield f"entry {place.entry_id} of seal {place.seal_id} is gone"
    elif canonical.digest(parts, bytes(place.salt)) != bytes(place.digest):
        key = parts[0].value["key"]
        yield f"entry {place.entry_id} ({key}) of seal {place.seal_id} is not as it was sealed"
