"""What the network's machines can do, what they say they used, and what came of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from compute.queries.machines import LIVE_WITHIN

ENERGY_DAYS = 7
MJ_PER_KWH = 3_600_000_000

CAPACITY = """
SELECT count(*), coalesce(sum(cpu_count), 0), coalesce(sum(memory_bytes), 0), coalesce(sum(jsonb_array_length(gpus)), 0),
       coalesce(sum((SELECT sum((gpu ->> 'memory_bytes')::bigint) FROM jsonb_array_elements(gpus) AS gpu)), 0),
       coalesce(sum(concurrency), 0), count(energy_run_mj)
FROM compute_machine WHERE last_seen_at > %s
"""
# Work is counted on the machines and days whose energy is known, and nowhere else.
ENERGY = """
WITH metered AS (SELECT machine_id, day, used_mj FROM compute_energyday WHERE day >= %s AND used_mj > 0)
SELECT coalesce(sum(used_mj), 0), count(DISTINCT machine_id),
       coalesce(sum((
           SELECT count(*) FROM compute_lease AS lease JOIN compute_job AS job ON job.id = lease.job_id
           WHERE lease.machine_id = metered.machine_id AND lease.state = 'returned' AND job.state = 'verified'
             AND lease.offered_at >= metered.day::timestamp AT TIME ZONE 'UTC'
             AND lease.offered_at < (metered.day + 1)::timestamp AT TIME ZONE 'UTC'
       )), 0)
FROM metered
"""


@dataclass(frozen=True, slots=True)
class Capacity:
    """Live machines together. places: jobs at once.  metered_count: machines that can read what they use."""

    machine_count: int
    cpu_count: int
    memory_bytes: int
    gpu_count: int
    gpu_memory_bytes: int
    places: int
    metered_count: int


@dataclass(frozen=True, slots=True)
class Energy:
    """What machines said they used in the last ENERGY_DAYS days, and jobs verified of theirs on the days they said so."""

    used_mj: int
    machine_count: int
    jobs_verified_count: int

    @property
    def kwh(self) -> float | None:
        """Return kilowatt hours; None where nothing was measured."""
        return self.used_mj / MJ_PER_KWH if self.used_mj else None

    @property
    def jobs_per_kwh(self) -> float | None:
        """Return verified jobs for each kilowatt hour; None where nothing was measured."""
        return self.jobs_verified_count / self.kwh if self.kwh else None


def capacity(now: datetime) -> Capacity:
    """Sum what live machines say they are. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(CAPACITY, [now - LIVE_WITHIN])
        return Capacity(*map(int, cursor.fetchone()))


def energy(now: datetime) -> Energy:
    """Sum what was measured lately. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(ENERGY, [(now - timedelta(days=ENERGY_DAYS - 1)).date()])
        return Energy(*map(int, cursor.fetchone()))
