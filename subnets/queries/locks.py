"""Row locks: an operation takes one first, before it decides."""

from uuid import UUID

from subnets.errors import NetworkNotFounded, NotTheOwner, SubnetUnknown
from subnets.models import Network, Subnet


def lock_network() -> Network:
    """Lock the network's row. Raises: NetworkNotFounded."""
    network = Network.objects.select_for_update(of=("self",)).filter(pk=1).first()
    if network is None:
        raise NetworkNotFounded
    return network


def lock_subnet(netuid: int) -> Subnet:
    """Lock one subnet's row. Raises: SubnetUnknown."""
    subnet = Subnet.objects.select_for_update(of=("self",)).filter(pk=netuid).first()
    if subnet is None:
        raise SubnetUnknown(netuid=netuid)
    return subnet


def lock_own_subnet(netuid: int, owner: UUID) -> Subnet:
    """Lock a subnet for its owner. Raises: SubnetUnknown, NotTheOwner."""
    subnet = lock_subnet(netuid)
    if subnet.owner != owner:
        raise NotTheOwner(netuid=netuid)
    return subnet
