"""Machines: what a miner says it brings, and that it is still there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from compute.errors import MachineUnknown, TooManyMachines
from compute.models import EnergyDay, Machine
from compute.serving import Served
from subnets import naming

MACHINES_PER_HOTKEY_MAX = 64  # a rack; more is somebody filling the table

NAME_MAX, CPU_MODEL_MAX = 40, 120  # what the columns hold
GPU_NAME_MAX = 120
POWER_MAX_W = 20_000  # a server of eight large cards and its fans takes about 10 kW


@dataclass(frozen=True, slots=True)
class EnergyRead:
    """What a machine used since its program began. run_id: of that run."""

    run_id: str
    used_mj: int


@transaction.atomic
def report_machine(  # noqa: PLR0913  a machine has that many facts
    *,
    hotkey: str,
    owner: UUID,
    name: str,
    cpu_model: str,
    cpu_count: int,
    memory_bytes: int,
    gpus: Sequence[dict[str, Any]],
    blueprints: Sequence[str],
    concurrency: int,
    now: datetime,
    energy: EnergyRead | None = None,
) -> Machine:
    """Record a machine under its hotkey and name; a later report replaces what was said before.

    energy: what its program says it used, counted on from report to report; None where it cannot be read.

    Raises: TextRefused, TooManyMachines.
    """
    name = naming.read_name(name, length_max=NAME_MAX)
    cpu_model = naming.read_prose(cpu_model, field="cpu_model", length_max=CPU_MODEL_MAX)
    for gpu in gpus:
        naming.read_prose(gpu["name"], field="gpus", length_max=GPU_NAME_MAX)
    known = Machine.objects.filter(hotkey=hotkey)
    before = known.select_for_update(of=("self",), no_key=True).filter(name=name).first()
    if before is None and known.count() >= MACHINES_PER_HOTKEY_MAX:
        raise TooManyMachines(limit=MACHINES_PER_HOTKEY_MAX)
    machine, _ = Machine.objects.update_or_create(
        hotkey=hotkey,
        name=name,
        defaults={
            "owner": owner,
            "cpu_model": cpu_model,
            "cpu_count": cpu_count,
            "memory_bytes": memory_bytes,
            "gpus": list(gpus),
            "blueprints": list(blueprints),
            "concurrency": concurrency,
            "reported_at": now,
            "last_seen_at": now,
            "energy_run": energy.run_id if energy else "",
            "energy_run_mj": energy.used_mj if energy else None,
        },
    )
    if energy is not None and before is not None:
        note_energy(machine, used_since(before, energy, now=now), now=now)
    return machine


def note_energy(machine: Machine, used_mj: int, *, now: datetime) -> None:
    """Add what a machine used to its day."""
    EnergyDay.objects.get_or_create(machine=machine, day=now.date(), defaults={"used_mj": 0})
    EnergyDay.objects.filter(machine=machine, day=now.date()).update(used_mj=F("used_mj") + used_mj)


def used_since(before: Machine, energy: EnergyRead, *, now: datetime) -> int:
    """Return what was used since the report before, in millijoules: a report that came twice adds nothing.

    A program that was started again counts from zero. More than POWER_MAX_W cannot have been used in the time.
    """
    is_same_run = before.energy_run == energy.run_id and before.energy_run_mj is not None
    counted_mj = (before.energy_run_mj or 0) if is_same_run else 0
    elapsed_ms = max(0, (now - before.reported_at) // timedelta(milliseconds=1))
    return min(max(0, energy.used_mj - counted_mj), POWER_MAX_W * elapsed_ms)


@transaction.atomic
def note_tunnels(*, tunnels: Mapping[UUID, Served], now: datetime) -> None:
    """Note which machines hold a tunnel now, and the subnets whose chats each answers there.

    One statement for each set of subnets, of which there are few.
    """
    alike: dict[Served, list[UUID]] = {}
    for machine_id, served in tunnels.items():
        alike.setdefault(served, []).append(machine_id)
    for served in sorted(alike):
        # In one order, as another gateway may hold tunnels of the same machines; who holds one is alive.
        rows = Machine.objects.select_for_update(of=("self",)).order_by("pk")
        held = list(rows.filter(pk__in=alike[served]).values_list("pk", flat=True))
        Machine.objects.filter(pk__in=held).update(
            last_seen_at=now,
            tunneled_at=now,
            tunnel_netuids=list(served.ordered),
            tunnel_measured=list(served.measured),
        )


def see_machine(*, machine_id: UUID, hotkey: str, now: datetime) -> None:
    """Note that a machine asked for work. Raises: MachineUnknown."""
    seen = Machine.objects.filter(pk=machine_id, hotkey=hotkey).update(last_seen_at=now)
    if not seen:
        raise MachineUnknown(machine_id=machine_id)
