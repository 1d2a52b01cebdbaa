"""The network itself: its genesis, and its clock after a pause."""

from datetime import datetime, timedelta

from django.db import transaction

from subnets import clock, queries
from subnets.models import Network


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
    """Move genesis so that the open block follows the last accrued one, and return its number.

    A network that was switched off (the demo between two starts) goes on where it stood instead of
    paying for the hours in which nobody worked. A clock that never stopped does not move.
    """
    network = queries.lock_network()
    block = clock.block_at(now, genesis_at=network.genesis_at, block_ms=network.block_ms)
    if block > network.accrued_block:
        network.genesis_at = now - timedelta(milliseconds=network.accrued_block * network.block_ms)
        network.save(update_fields=["genesis_at"])
    return network.accrued_block
