"""Track records: what attempts say of their machines."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from compute import queries
from compute.models import Lease, TrackRecord
from compute.reliability import Fault
from ledger import prepared

WRITE_RECORDS = """
UPDATE compute_trackrecord AS record
SET good_milli = known.good_milli, bad_milli = known.bad_milli, busy_ms = known.busy_ms, as_of = known.as_of,
    failures_count = known.failures_count, failed_at = known.failed_at
FROM unnest(%(ids)s::bigint[], %(good)s::bigint[], %(bad)s::bigint[], %(busy)s::bigint[],
            %(as_of)s::timestamptz[], %(failures)s::int[], %(failed)s::timestamptz[])
    AS known (id, good_milli, bad_milli, busy_ms, as_of, failures_count, failed_at)
WHERE record.id = known.id
RETURNING record.id
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An attempt that came to its end, and whose fault it is; fault None: it was found right."""

    lease: Lease
    blueprint: str
    fault: Fault | None

    @property
    def busy(self) -> timedelta:
        """Return how long the machine held it."""
        since = self.lease.taken_at or self.lease.ended_at
        return self.lease.ended_at - since if self.lease.ended_at and since else timedelta()


def note_outcomes(outcomes: Collection[Outcome], *, now: datetime) -> None:
    """Add attempts to their machines' records, each once; two statements, two more where a record begins."""
    if not outcomes:
        return
    wanted = {(each.lease.machine_id, each.blueprint) for each in outcomes}
    records = queries.lock_records(wanted)
    if begin := wanted - records.keys():
        new = [
            TrackRecord(machine_id=machine, blueprint=kind, as_of=now) for machine, kind in begin
        ]
        # Another worker may have begun one just now.
        TrackRecord.objects.bulk_create(new, ignore_conflicts=True)
        records |= queries.lock_records(begin)
    for each in outcomes:
        record = records[each.lease.machine_id, each.blueprint]
        known = record.plain.after(each.fault, busy=each.busy, now=now)
        record.good_milli, record.bad_milli = known.good_milli, known.bad_milli
        record.busy_ms, record.as_of = known.busy_ms, known.as_of or now
        record.failures_count, record.failed_at = known.failures_count, known.failed_at
    write(records.values())


def write(records: Collection[TrackRecord]) -> None:
    """Write locked records in one statement."""
    written = prepared.rows(
        WRITE_RECORDS,
        {
            "ids": prepared.numbers(record.pk for record in records),
            "good": prepared.numbers(record.good_milli for record in records),
            "bad": prepared.numbers(record.bad_milli for record in records),
            "busy": prepared.numbers(record.busy_ms for record in records),
            "as_of": prepared.texts(record.as_of for record in records),
            "failures": prepared.numbers(record.failures_count for record in records),
            "failed": prepared.texts(record.failed_at for record in records),
        },
    )
    assert len(written) == len(records), "locked records do not go away"
