"""Row locks: an operation takes one first, before it decides."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection

from ledger import rows
from subnets.errors import NetworkNotFounded, NotTheOwner, SubnetUnknown
from subnets.models import Network, Subnet


def lock_network() -> Network:
    """Lock the network's row. Raises: NetworkNotFounded."""
    for network in rows.read(Network, "WHERE id = 1 FOR UPDATE"):
        return network
    raise NetworkNotFounded


def lock_subnet(netuid: int) -> Subnet:
    """Lock one subnet's row. Raises: SubnetUnknown."""
    for subnet in rows.read(Subnet, "WHERE netuid = %(netuid)s::int FOR UPDATE", netuid=netuid):
        return subnet
    raise SubnetUnknown(netuid=netuid)


def lock_own_subnet(netuid: int, owner: UUID) -> Subnet:
    """Lock a subnet for its owner. Raises: SubnetUnknown, NotTheOwner."""
    subnet = lock_subnet(netuid)
    if subnet.owner != owner:
        raise NotTheOwner(netuid=netuid)
    return subnet


# The first half of an advisory lock's name, so that no other use of such locks meets this one.
EPOCH_CLAIM = 0x45504F43


@contextmanager
def claimed(netuid: int) -> Iterator[bool]:
    """Claim the computing of a subnet's epoch for this process; False when another has it. Waits for nobody.

    It saves two workers from computing the same, and guards nothing: what is written is guarded by row
    locks. The claim is the database session's and ends with it, however the process dies.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [EPOCH_CLAIM, netuid])
        (is_mine,) = cursor.fetchone()
    try:
        yield is_mine
    finally:
        if is_mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [EPOCH_CLAIM, netuid])
