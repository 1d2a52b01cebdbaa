"""Machines: who is alive, what they can take, and the figures of the network's compute."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import RawSQL

from compute import deadlines, scheduling
from compute.blueprints import TUNNELED
from compute.errors import MachineUnknown
from compute.models import Job, Lease, Machine, TrackRecord
from compute.queries.replicas import owners_before
from compute.reliability import Fault, Record
from subnets.models import Neuron

LIVE_WITHIN = timedelta(seconds=60)  # a long-poll asks again at least every 20 s
TUNNELED_WITHIN = timedelta(seconds=30)  # gateways say every 10 s which tunnels they hold
PLACES = 0x504C4143  # "PLAC": no other advisory lock meets this one
CANDIDATES_MAX = 2_000  # machines looked at by one sweep; 1 000 idle miners are the target


def live_machines(now: datetime) -> QuerySet[Machine]:
    """Return the machines that asked for work in the last minute, as a queryset."""
    return Machine.objects.filter(last_seen_at__gt=now - LIVE_WITHIN)


def live_machine_count(netuid: int, *, now: datetime) -> int:
    """Return how many live machines belong to miners registered on a subnet."""
    registered = Neuron.objects.filter(subnet=netuid).values("hotkey_id")
    return int(live_machines(now).filter(hotkey__in=registered).count())


def candidates(*, now: datetime) -> list[scheduling.Candidate]:
    """Return every live machine of a registered hotkey, what it holds open and what it did lately. Four statements."""
    registered: dict[str, dict[int, str]] = {}
    seats = Neuron.objects.values_list("hotkey_id", "subnet_id", "subnet__blueprint")
    for hotkey, netuid, kind in seats:
        registered.setdefault(hotkey, {})[netuid] = kind
    last = Lease.objects.filter(machine=OuterRef("pk")).order_by("-offered_at")
    offered = live_machines(now).annotate(last_offered_at=Subquery(last.values("offered_at")[:1]))
    machines = list(offered[:CANDIDATES_MAX])
    records = records_of(machines, now=now)
    open_counts = Counter(
        Lease.objects.filter(state__in=[Lease.State.OFFERED, Lease.State.TAKEN]).values_list(
            "machine", flat=True
        )
    )
    return [
        scheduling.Candidate(
            machine_id=machine.pk,
            hotkey=machine.hotkey,
            owner=machine.owner,
            netuids=_open_netuids(
                machine, machine.tunnel_netuids, registered[machine.hotkey], now=now
            ),
            measured=_open_netuids(
                machine, machine.tunnel_measured, registered[machine.hotkey], now=now
            ),
            # What a tunnel serves is measured, whatever its machine says it does.
            blueprints=frozenset(machine.blueprints) | TUNNELED,
            open_count=open_counts[machine.pk],
            concurrency=machine.concurrency,
            last_offered_at=machine.last_offered_at,
            records=records.get(machine.pk, {}),
            hardware=deadlines.hardware(cpu_count=machine.cpu_count, gpu_count=len(machine.gpus)),
        )
        for machine in machines
        if machine.hotkey in registered
    ]


def lock_places(machine_ids: Collection[UUID]) -> Counter[UUID]:
    """Let no other sweep give these machines leases until this transaction ends; return how many each has open. Two statements.

    The second sees what whoever was waited for has committed. Machines' own requests do not wait: rows are not locked.
    """
    if not machine_ids:
        return Counter()
    with connection.cursor() as cursor:
        # In one order, so that two sweeps never wait in a ring.
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, part) FROM"
            " (SELECT DISTINCT hashtext(id::text) AS part FROM unnest(%s::uuid[]) AS id ORDER BY part) AS parts",
            [PLACES, list(machine_ids)],
        )
    still_open = [Lease.State.OFFERED, Lease.State.TAKEN]
    rows = Lease.objects.filter(machine__in=machine_ids, state__in=still_open)
    return Counter(rows.values_list("machine", flat=True))


def _open_netuids(
    machine: Machine, through: Collection[int], kinds: dict[int, str], *, now: datetime
) -> frozenset[int]:
    """Return the subnets whose jobs can reach a machine. kinds: where its hotkey is registered → what is done there.

    through: those whose chats its tunnel answers, where it holds one.
    """
    is_tunneled = machine.tunneled_at is not None and machine.tunneled_at > now - TUNNELED_WITHIN
    tunneled = set(through) if is_tunneled else set()
    return frozenset(
        netuid for netuid, kind in kinds.items() if kind not in TUNNELED or netuid in tunneled
    )


def records_of(machines: Iterable[Machine], *, now: datetime) -> dict[UUID, dict[str, Record]]:
    """Return machine → blueprint → what it did lately, faded to now. One statement."""
    records: dict[UUID, dict[str, Record]] = {}
    for row in TrackRecord.objects.filter(machine__in=machines):
        records.setdefault(row.machine_id, {})[row.blueprint] = row.plain.at(now)
    return records


def lock_records(wanted: Collection[tuple[UUID, str]]) -> dict[tuple[UUID, str], TrackRecord]:
    """Lock what is known of machines, each in a blueprint, in one order; who never ended an attempt has no record."""
    pairs = [Q(machine=machine_id, blueprint=blueprint) for machine_id, blueprint in wanted]
    rows = TrackRecord.objects.select_for_update(of=("self",)).order_by("machine_id", "blueprint")
    found = rows.filter(reduce(or_, pairs, Q(pk__in=[])))
    return {(record.machine_id, record.blueprint): record for record in found}


def wishes(jobs: Iterable[Job]) -> list[scheduling.Wish]:
    """Return queued jobs as dispatch sees them, with the owners that had each before. One statement; two more with replicas."""
    rows = list(jobs)
    secret = settings.SECRET_KEY.encode()
    failed: dict[UUID, set[UUID]] = {}
    had: dict[UUID, set[UUID]] = {}
    tried = Lease.objects.filter(job__in=rows).values_list("job", "machine__owner", "fault")
    for job_id, owner, fault in tried:
        kept = failed if fault == Fault.MINER else had
        kept.setdefault(job_id, set()).add(owner)
    replicas = [row for row in rows if row.origin == Job.Origin.REPLICA]
    barred = owners_before(replicas) if replicas else {}
    return [
        scheduling.Wish(
            job_id=row.pk,
            netuid=row.netuid,
            blueprint=row.blueprint,
            owner=row.owner,
            failed=frozenset(failed.get(row.pk, set()) | barred.get(row.pk, set())),
            had=frozenset(had.get(row.pk, ())),
            explores=scheduling.is_explorer(row.pk, secret=secret),
            measures=row.origin == Job.Origin.CANARY and row.blueprint in TUNNELED,
        )
        for row in rows
    ]


def machines_of(owner: UUID) -> list[Machine]:
    """List an owner's machines, those seen last first."""
    return list(Machine.objects.filter(owner=owner).order_by("-last_seen_at"))


def machine_of(machine_id: str, *, hotkey: str) -> Machine:
    """Return a machine of a hotkey by its id as it was sent. Raises: MachineUnknown."""
    try:
        found = Machine.objects.filter(pk=UUID(machine_id), hotkey=hotkey).first()
    except ValueError:
        found = None
    if found is None:
        raise MachineUnknown(machine_id=machine_id[:40])
    return found


@dataclass(frozen=True, slots=True)
class ComputeFigures:
    machine_count: int
    gpu_count: int
    jobs_count: int
    jobs_verified_count: int
    jobs_waiting_count: int


def compute_figures(now: datetime) -> ComputeFigures:
    """Return the figures of live machines and of all jobs, in two statements."""
    live = live_machines(now).values_list(
        RawSQL("coalesce(jsonb_array_length(gpus), 0)", ()), flat=True
    )
    gpus = list(live)
    jobs = Job.objects.aggregate(
        all=Count("pk"),
        verified=Count("pk", filter=Q(state=Job.State.VERIFIED)),
        waiting=Count("pk", filter=Q(state=Job.State.QUEUED)),
    )
    return ComputeFigures(
        machine_count=len(gpus),
        gpu_count=sum(gpus),
        jobs_count=jobs["all"],
        jobs_verified_count=jobs["verified"],
        jobs_waiting_count=jobs["waiting"],
    )
