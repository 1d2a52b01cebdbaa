"""Subnets: one, many, and what a uid on one costs."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, OuterRef, Q, Subquery

from subnets import registration
from subnets.errors import NotTheOwner, SubnetUnknown
from subnets.models import Epoch, Subnet
from subnets.queries.network import block_now
from subnets.queries.neurons import stake_by_subnet


def subnet(netuid: int) -> Subnet:
    """Return one subnet. Raises: SubnetUnknown."""
    found = Subnet.objects.filter(pk=netuid).first()
    if found is None:
        raise SubnetUnknown(netuid=netuid)
    return found


def own_subnet(netuid: int, owner: UUID) -> Subnet:
    """Return a subnet to its owner, unlocked. Raises: SubnetUnknown, NotTheOwner."""
    found = subnet(netuid)
    if found.owner != owner:
        raise NotTheOwner(netuid=netuid)
    return found


@dataclass(frozen=True, slots=True)
class SubnetRow:
    netuid: int
    name: str
    summary: str
    blueprint: str
    owner: UUID
    neuron_count: int
    stake_rao: int
    emission_rao: int
    """What the last closed epoch paid; 0 before the first."""
    epoch_number: int


def subnet_rows(*, search: str = "", blueprint: str = "", sort: str = "netuid") -> list[SubnetRow]:
    """List subnets by name or words of the summary, in two statements whatever their number.

    sort: netuid, name (ascending), emission, stake, neurons (largest first); anything else is netuid.
    """
    last = Epoch.objects.filter(subnet=OuterRef("pk")).order_by("-number")
    # Django drops a model's own order where it groups.
    rows = Subnet.objects.order_by("netuid").annotate(
        neuron_count=Count("neurons"),
        epoch_number=Subquery(last.values("number")[:1]),
        emission=Subquery(last.values("emission_rao")[:1]),
    )
    if search:
        rows = rows.filter(
            Q(name__icontains=search)
            | Q(summary__icontains=search)
            | Q(description__icontains=search)
        )
    if blueprint:
        rows = rows.filter(blueprint=blueprint)
    staked = stake_by_subnet()
    found = [
        SubnetRow(
            netuid=row.netuid,
            name=row.name,
            summary=row.summary,
            blueprint=row.blueprint,
            owner=row.owner,
            neuron_count=row.neuron_count,
            stake_rao=staked.get(row.netuid, 0),
            emission_rao=row.emission or 0,
            epoch_number=row.epoch_number or 0,
        )
        for row in rows
    ]
    orders: dict[str, Callable[[SubnetRow], int | str]] = {
        "name": lambda row: row.name.lower(),
        "emission": lambda row: -row.emission_rao,
        "stake": lambda row: -row.stake_rao,
        "neurons": lambda row: -row.neuron_count,
    }
    return sorted(found, key=orders.get(sort, lambda row: row.netuid))


def subnets_of(owner: UUID) -> list[Subnet]:
    """List the subnets an owner holds."""
    return list(Subnet.objects.filter(owner=owner).order_by("netuid"))


def burn_cost(netuid: int, now: datetime) -> int:
    """Return what a uid on the subnet costs now, in rao."""
    return burn_cost_at(subnet(netuid), block=block_now(now))


def burn_cost_at(row: Subnet, *, block: int) -> int:
    """Return the decayed price of a uid at a block."""
    return registration.burn_decayed(
        burn_rao=row.burn_rao,
        blocks=max(0, block - row.burn_block),
        half_life_blocks=row.hyperparameters["burn_half_life"],
        min_burn_rao=row.hyperparameters["min_burn"],
        max_burn_rao=row.hyperparameters["max_burn"],
    )
