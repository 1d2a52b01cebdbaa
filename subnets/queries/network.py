"""The network: its clock, its supply, what a slot costs, its figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Sum

from ledger import prepared
from ledger import queries as books
from ledger.money import RAO_PER_TAO, apportion
from subnets import clock, emission, registration
from subnets.errors import NetworkNotFounded
from subnets.models import SUBNET_LIMIT, Epoch, Network, Neuron, Subnet
from subnets.queries.neurons import stake_by_subnet

# What a subnet's share of the emission follows from, but for its stake.
ACCRUED_BY = ("netuid", "pending_rao", "miner_burned_u16", "emission_enabled")
# subtensor's LockReductionInterval: a lock cost is back at its last price after so many blocks at 1 TAO a block.
LOCK_REDUCTION_INTERVAL_BLOCKS = 100_800


def network() -> Network:
    """Return the network's row. Raises: NetworkNotFounded."""
    found = Network.objects.filter(pk=1).first()
    if found is None:
        raise NetworkNotFounded
    return found


def accrued_block() -> int:
    """Return the block that the network has accrued up to, which never falls. Raises: NetworkNotFounded."""
    for (block,) in prepared.rows("SELECT accrued_block FROM subnets_network WHERE id = 1"):
        return int(block)
    raise NetworkNotFounded


def accruals(subnets: Sequence[Subnet], *, blocks: int) -> list[int]:
    """Return what so many blocks after the last accrual issue to each of all subnets, in rao. Two statements.

    subnets: all there are, in the order of their numbers, each with what ACCRUED_BY names.
    """
    supply = books.issued_rao() + sum(subnet.pending_rao for subnet in subnets)
    staked = stake_by_subnet()
    shares = emission.subnet_shares(
        [staked.get(subnet.netuid, 0) + RAO_PER_TAO for subnet in subnets],
        miner_burned=[subnet.miner_burned_u16 for subnet in subnets],
        is_enabled=[subnet.emission_enabled for subnet in subnets],
    )
    accrued_rao = emission.emission_over_blocks(supply, blocks) if any(shares) else 0
    return apportion(accrued_rao, shares) if accrued_rao else [0] * len(subnets)


def waiting_rao(netuid: int, *, now: datetime) -> int:
    """Return what waits for a subnet's running epoch by now: what accrued, and what would if it accrued now.

    Emission is written down when an epoch closes or stake moves, which may be an hour ago. What is issued after the
    epoch's last block belongs to the next one. Raises: NetworkNotFounded.
    """
    net = network()
    block = clock.block_at(now, genesis_at=net.genesis_at, block_ms=net.block_ms)
    rows = list(Subnet.objects.only(*ACCRUED_BY, "next_epoch_block").order_by("netuid"))
    for place, row in enumerate(rows):
        if row.netuid == netuid:
            blocks = min(block, row.next_epoch_block) - net.accrued_block
            return row.pending_rao + (accruals(rows, blocks=blocks)[place] if blocks > 0 else 0)
    return 0


def block_now(now: datetime) -> int:
    """Return the number of the open block."""
    net = network()
    return clock.block_at(now, genesis_at=net.genesis_at, block_ms=net.block_ms)


def supply_rao() -> int:
    """Return what was issued plus what has accrued to subnets and waits for their epochs."""
    pending = Subnet.objects.aggregate(total=Sum("pending_rao"))["total"] or 0
    return int(books.issued_rao() + pending)


def lock_cost(now: datetime) -> int:
    """Return what a free slot costs now, in rao."""
    return lock_cost_at(network(), block=block_now(now), supply=supply_rao())


def lock_cost_at(net: Network, *, block: int, supply: int) -> int:
    """Return the price of a slot at a block, given the network's row and supply."""
    return registration.lock_cost(
        last_lock_rao=net.last_lock_rao,
        last_lock_block=net.last_lock_block,
        block=block,
        interval_blocks=LOCK_REDUCTION_INTERVAL_BLOCKS,
        min_lock_rao=net.min_lock_rao,
        block_emission_rao=emission.block_emission_rao(supply),
    )


def free_netuids() -> list[int]:
    """Return the free slots, lowest first."""
    taken = set(Subnet.objects.values_list("netuid", flat=True))
    return [netuid for netuid in range(1, SUBNET_LIMIT + 1) if netuid not in taken]


@dataclass(frozen=True, slots=True)
class NetworkFigures:
    block: int
    block_ms: int
    emission_per_block_rao: int
    issued_rao: int
    subnet_count: int
    free_slot_count: int
    lock_cost_rao: int
    neuron_count: int
    epochs_paid_count: int
    paid_out_rao: int


def network_figures(now: datetime) -> NetworkFigures:
    """Return the network's figures in a constant number of statements."""
    net = network()
    block = clock.block_at(now, genesis_at=net.genesis_at, block_ms=net.block_ms)
    slots = Subnet.objects.aggregate(count=Count("pk"), pending=Sum("pending_rao"))
    paid = Epoch.objects.aggregate(count=Count("pk"), paid=Sum(F("emission_rao") - F("burned_rao")))
    issued = books.issued_rao()
    supply = issued + (slots["pending"] or 0)
    return NetworkFigures(
        block=block,
        block_ms=net.block_ms,
        emission_per_block_rao=emission.block_emission_rao(supply),
        issued_rao=issued,
        subnet_count=slots["count"],
        free_slot_count=SUBNET_LIMIT - slots["count"],
        lock_cost_rao=lock_cost_at(net, block=block, supply=supply),
        neuron_count=Neuron.objects.count(),
        epochs_paid_count=paid["count"],
        paid_out_rao=paid["paid"] or 0,
    )
