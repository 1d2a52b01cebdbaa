"""Hyperparameters are set by a subnet's owner, and by root; each change is written down as a fact."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction

from subnets import clock, hyperparameters, queries
from subnets.errors import HyperparameterChangedLately, NeuronsAboveSlots
from subnets.hyperparameters import BY_NAME, EMISSION_FLAGS, Authority
from subnets.models import HyperparameterChange, Neuron, Subnet
from subnets.operations.network import accrue_emission


def set_hyperparameter(*, netuid: int, owner: UUID, name: str, value: int, now: datetime) -> Subnet:
    """Change one hyperparameter as its owner; see `set_hyperparameters`."""
    return set_hyperparameters(netuid=netuid, account=owner, values={name: value}, now=now)


@transaction.atomic
def set_hyperparameters(
    *,
    netuid: int,
    account: UUID,
    values: Mapping[str, int],
    now: datetime,
    authority: Authority = Authority.OWNER,
) -> Subnet:
    """Change hyperparameters together, all or none, and log each that differs from before.

    What acts on an epoch acts from the running one on, when that is closed; a new tempo from the epoch
    after. The owner is bound by the owner's bounds, the freeze before an epoch, and a wait between two
    changes of the same row; root by root's bounds alone. Whoever speaks as root was authorised by the edge.
    Setting what is set already changes nothing, and is never refused for its time.
    Raises: SubnetUnknown, NotTheOwner, HyperparametersFrozen, HyperparameterChangedLately,
    NeuronsAboveSlots, and what `hyperparameters.checked` raises.
    """
    # The network's row first, then the subnets': accrual takes them in this order too.
    network = queries.lock_network()
    block = clock.block_at(now, genesis_at=network.genesis_at, block_ms=network.block_ms)
    if set(EMISSION_FLAGS) & values.keys():
        # What the blocks up to now issue belongs to the subnets that took part in them.
        accrue_emission(up_to_block=block)
    is_owner = authority is Authority.OWNER
    subnet = queries.lock_own_subnet(netuid, account) if is_owner else queries.lock_subnet(netuid)
    before = subnet.hyperparameters
    after = hyperparameters.checked(values, current=before, by=authority)
    changed = [name for name in values if after[name] != before[name]]
    if not changed:
        return subnet
    if is_owner:
        _check_time(subnet, changed, block=block)
    if "max_allowed_uids" in changed:
        _check_slots(subnet, after["max_allowed_uids"])
    subnet.hyperparameters = after
    subnet.emission_enabled = all(after[name] for name in EMISSION_FLAGS)
    subnet.save(update_fields=["hyperparameters", "emission_enabled"])
    HyperparameterChange.objects.bulk_create(
        HyperparameterChange(
            subnet=subnet, name=name, old_value=before[name], new_value=after[name],
            authority=authority, account=account, at=now, block=block,
        )
        for name in changed
    )  # fmt: skip
    return subnet


def _check_time(subnet: Subnet, changed: list[str], *, block: int) -> None:
    """Refuse a change by the owner shortly before an epoch, or too soon after the last one."""
    clock.check_not_frozen(
        block=block,
        last_epoch_block=subnet.last_epoch_block,
        tempo=subnet.next_epoch_block - subnet.last_epoch_block,
    )
    waits = queries.waiting_hyperparameters(subnet)
    for name in changed:
        if block < waits.get(name, 0):
            raise HyperparameterChangedLately(
                name=name,
                changeable_from_block=waits[name],
                block=block,
                wait_blocks=BY_NAME[name].wait_blocks(tempo=subnet.hyperparameters["tempo"]),
            )


def _check_slots(subnet: Subnet, slot_count: int) -> None:
    neuron_count = Neuron.objects.filter(subnet=subnet).count()
    if neuron_count > slot_count:
        raise NeuronsAboveSlots(
            name="max_allowed_uids", value=slot_count, neuron_count=neuron_count
        )
