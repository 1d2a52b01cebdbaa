"""Track records: what an attempt says of its machine."""

from datetime import datetime, timedelta
from uuid import UUID

from compute import queries
from compute.models import Lease, TrackRecord
from compute.reliability import Fault


def note_outcome(lease: Lease, *, blueprint: str, fault: Fault | None, now: datetime) -> None:
    """Add an attempt that came to its end to its machine's record, once; fault None: it was found right."""
    record = queries.lock_record(lease.machine_id, blueprint)
    if record is None:
        record = begun(lease.machine_id, blueprint, now=now)
    since = lease.taken_at or lease.ended_at
    busy = lease.ended_at - since if lease.ended_at and since else timedelta()
    known = record.plain.after(fault, busy=busy, now=now)
    record.good_milli, record.bad_milli = known.good_milli, known.bad_milli
    record.busy_ms, record.as_of = known.busy_ms, known.as_of or now
    record.failures_count, record.failed_at = known.failures_count, known.failed_at
    record.save(
        update_fields=[
            "good_milli",
            "bad_milli",
            "busy_ms",
            "as_of",
            "failures_count",
            "failed_at",
        ]
    )


def begun(machine_id: UUID, blueprint: str, *, now: datetime) -> TrackRecord:
    """Begin an empty record, or take the one that another worker began just now; locked."""
    new = TrackRecord(machine_id=machine_id, blueprint=blueprint, as_of=now)
    TrackRecord.objects.bulk_create([new], ignore_conflicts=True)
    record = queries.lock_record(machine_id, blueprint)
    assert record is not None, "it stands, by this worker or another"
    return record
