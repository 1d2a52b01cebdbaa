"""Registering a hotkey as a neuron: the burn, the uid, and who gives way when the subnet is full."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from ledger import chart
from ledger import operations as ledger
from ledger.chart import Code
from ledger.entries import Entry, Move
from subnets import queries, registration
from subnets.errors import BurnAboveLimit, HotkeyNotLinked, NoUidAvailable, RegistrationClosed
from subnets.models import Hotkey, Neuron, Subnet


@dataclass(frozen=True, slots=True)
class Registration:
    netuid: int
    uid: int
    burn_rao: int
    replayed: bool


@transaction.atomic
def register_neuron(*, netuid: int, hotkey: str, max_burn_rao: int, now: datetime) -> Registration:
    """Give a linked hotkey a uid on a subnet for the current burn price, paid by its owner's wallet.

    A hotkey that is registered already keeps its uid and pays nothing (replayed). When all uids are
    taken, the neuron that pruning chooses gives way. Raises: SubnetUnknown, HotkeyNotLinked,
    RegistrationClosed, BurnAboveLimit, NoUidAvailable, InsufficientFunds.
    """
    subnet = queries.lock_subnet(netuid)
    key = queries.hotkey(hotkey)
    if key is None:
        raise HotkeyNotLinked(hotkey=hotkey)
    known = Neuron.objects.filter(subnet=subnet, hotkey=key).first()
    if known is not None:
        return Registration(netuid=netuid, uid=known.uid, burn_rao=0, replayed=True)
    if not subnet.hyperparameters["registration_allowed"]:
        raise RegistrationClosed(netuid=netuid)
    block = queries.block_now(now)
    burn_rao = queries.burn_cost_at(subnet, block=block)
    if burn_rao > max_burn_rao:
        raise BurnAboveLimit(burn_rao=burn_rao, max_burn_rao=max_burn_rao)
    neuron = _seat(subnet, key, block=block, now=now)
    _raise_price(subnet, burn_rao=burn_rao, block=block)
    ledger.post(
        Entry(
            # Subnet, uid and row id: a hotkey that lost its uid may register, and pay, again.
            key=f"neuron:burn:{netuid}:{neuron.uid}:{neuron.pk}",
            code=Code.BURN_PAID,
            at=now,
            steps=(Move(debit=chart.wallet(key.owner), credit=chart.BURNED, amount_rao=burn_rao),),
        )
    )
    return Registration(netuid=netuid, uid=neuron.uid, burn_rao=burn_rao, replayed=False)


def _seat(subnet: Subnet, hotkey: Hotkey, *, block: int, now: datetime) -> Neuron:
    """Return the new neuron on the lowest free uid, or on the uid of the one that is pruned."""
    neurons = list(Neuron.objects.filter(subnet=subnet).select_related("hotkey"))
    taken = {neuron.uid for neuron in neurons}
    slots = range(subnet.hyperparameters["max_allowed_uids"])
    uid = next((uid for uid in slots if uid not in taken), None)
    if uid is None:
        uid = _prune(subnet, neurons, block=block)
    return Neuron.objects.create(
        subnet=subnet,
        uid=uid,
        hotkey=hotkey,
        registered_at=now,
        registered_block=block,
        # subtensor append_neuron, replace_neuron: a newcomer counts as active from its first block.
        last_update_block=block,
    )


def _prune(subnet: Subnet, neurons: list[Neuron], *, block: int) -> int:
    uid = registration.choose_neuron_to_prune(
        [
            registration.NeuronStanding(
                uid=neuron.uid,
                emission_rao=neuron.emission_rao,
                registered_block=neuron.registered_block,
                is_owners=neuron.hotkey.owner == subnet.owner,
            )
            for neuron in neurons
        ],
        block=block,
        immunity_period=subnet.hyperparameters["immunity_period"],
        min_non_immune_uids=subnet.hyperparameters["min_non_immune_uids"],
        immune_owner_uids_limit=subnet.hyperparameters["immune_owner_uids_limit"],
    )
    if uid is None:
        raise NoUidAvailable(netuid=subnet.netuid)
    Neuron.objects.filter(subnet=subnet, uid=uid).delete()
    # Bonds to the uid belonged to the neuron that left; the newcomer starts without any.
    bound = [n for n in neurons if n.uid != uid and n.bonds.pop(str(uid), None) is not None]
    Neuron.objects.bulk_update(bound, ["bonds"])
    return uid


def _raise_price(subnet: Subnet, *, burn_rao: int, block: int) -> None:
    subnet.burn_rao = registration.burn_after_registration(
        burn_rao=burn_rao,
        increase_per_mille=subnet.hyperparameters["burn_increase_mult"],
        min_burn_rao=subnet.hyperparameters["min_burn"],
        max_burn_rao=subnet.hyperparameters["max_burn"],
    )
    subnet.burn_block = block
    subnet.save(update_fields=["burn_rao", "burn_block"])
