"""Subnets: one, an owner's, and what a uid on one costs."""

from datetime import datetime, timedelta
from uuid import UUID

from ledger import prepared
from subnets import registration
from subnets.errors import NotTheOwner, SubnetUnknown
from subnets.models import Ownership, Subnet
from subnets.queries.network import block_now
from subnets.record import Tenure

HELD = """
SELECT owner, starts_at, ends_at FROM subnets_ownership
WHERE subnet_id = %(netuid)s::int AND starts_at < %(ends_at)s::timestamptz
  AND (ends_at IS NULL OR ends_at > %(starts_at)s::timestamptz)
ORDER BY starts_at
"""


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


def tenures(netuid: int, *, starts_at: datetime, ends_at: datetime) -> tuple[Tenure, ...]:
    """Tell how long each account owned a subnet within [starts_at, ends_at), in their order; whole milliseconds.

    Who held it for less than one of them held it for no time that could be paid.
    """
    held = prepared.rows(HELD, {"netuid": netuid, "starts_at": starts_at, "ends_at": ends_at})
    spans = [
        (owner, min(until or ends_at, ends_at) - max(since, starts_at))
        for owner, since, until in held
    ]
    lengths = [(str(owner), span // timedelta(milliseconds=1)) for owner, span in spans]
    return tuple(Tenure(owner, held_ms) for owner, held_ms in lengths if held_ms > 0)


def subnet_names() -> list[tuple[int, str]]:
    """List every subnet's number and name, by number."""
    return list(Subnet.objects.order_by("netuid").values_list("netuid", "name"))


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
