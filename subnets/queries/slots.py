"""Subnets: one, an owner's, and what a uid on one costs."""

from datetime import datetime
from uuid import UUID

from subnets import registration
from subnets.errors import NotTheOwner, SubnetUnknown
from subnets.models import Ownership, Subnet
from subnets.queries.network import block_now


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


def subnets_of(owner: UUID) -> list[Subnet]:
    """List the subnets an owner holds."""
    return list(Subnet.objects.filter(owner=owner).order_by("netuid"))


def registrant(netuid: int) -> UUID:
    """Name who bought a subnet's slot from the network. Raises: SubnetUnknown."""
    first = Ownership.objects.filter(subnet=netuid, reason=Ownership.Reason.REGISTERED).first()
    if first is None:
        raise SubnetUnknown(netuid=netuid)
    return first.owner


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
