"""The network itself: its genesis, its clock after a pause, and what its blocks issue."""

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Max

from subnets import clock, queries
from subnets.models import HyperparameterChange, Network, Subnet

# Whoever moves stake waits for this, so it is one plain statement for all slots.
ACCRUE = """
UPDATE subnets_subnet AS subnet SET pending_rao = subnet.pending_rao + part.rao
FROM unnest(%s::int[], %s::bigint[]) AS part (netuid, rao) WHERE subnet.netuid = part.netuid
"""


@transaction.atomic
def found_network(*, block_ms: int, min_lock_rao: int, now: datetime) -> Network:
    """Start the network: block 0 opens now and the first slot costs `min_lock_rao`. Replays return it."""
    network, _ = Network.objects.get_or_create(
        pk=1,
        defaults={
            "genesis_at": now,
            "block_ms": block_ms,
            "min_lock_rao": min_lock_rao,
            "last_lock_rao": min_lock_rao,
        },
    )
    return network


@transaction.atomic
def resume_clock(*, now: datetime) -> int:
    """Move genesis so that the open block is the last one in which anything is on record; return it.

    For a network that stands while it is switched off (the demo between two starts): it goes on where it
    stood instead of paying for the hours in which nobody worked. On a running one it would take blocks
    back. The windows of the running epochs still begin where they began, so no score falls out of them.
    """
    network = queries.lock_network()
    priced = Subnet.objects.aggregate(block=Max("burn_block"))["block"] or 0
    tuned = HyperparameterChange.objects.aggregate(block=Max("block"))["block"] or 0
    stood_at = max(network.accrued_block, network.last_lock_block, priced, tuned)
    block = clock.block_at(now, genesis_at=network.genesis_at, block_ms=network.block_ms)
    if block > stood_at:
        begun = list(Subnet.objects.select_for_update().order_by("netuid"))
        for subnet in begun:
            subnet.window_starts_at = queries.window_starts_at(subnet, network)
        Subnet.objects.bulk_update(begun, ["window_starts_at"])
        network.genesis_at = now - timedelta(milliseconds=stood_at * network.block_ms)
        network.save(update_fields=["genesis_at"])
    return min(block, stood_at)


@transaction.atomic
def accrue_emission(*, up_to_block: int) -> int:
    """Share what the blocks since the last accrual issue among the subnets; return how many rao accrued.

    A subnet's share follows the TAO staked on it, plus one so that a new subnet is not at zero; so it is
    called before stake moves and before a subnet opens, which then count from their own block on. Nothing
    is issued here: an epoch issues what waits for it. Blocks before the first subnet issue nothing.
    """
    network = queries.lock_network()
    blocks = up_to_block - network.accrued_block
    if blocks <= 0:
        return 0
    subnets = list(
        Subnet.objects.select_for_update(of=("self",)).only(*queries.ACCRUED_BY).order_by("netuid")
    )
    parts_rao = queries.accruals(subnets, blocks=blocks)
    if any(parts_rao):
        with connection.cursor() as cursor:
            cursor.execute(ACCRUE, [[subnet.netuid for subnet in subnets], parts_rao])
    network.accrued_block = up_to_block
    network.save(update_fields=["accrued_block"])
    return sum(parts_rao)
