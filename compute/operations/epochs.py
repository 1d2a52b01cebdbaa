"""Closing an epoch: the scores of its window become its payouts."""

from datetime import datetime

from compute import queries
from subnets import operations as subnets
from subnets.models import Epoch
from subnets.queries import DueEpoch


def close_epoch(*, due: DueEpoch, now: datetime) -> Epoch | None:
    """Hand an epoch's evidence to the network, which scores, splits, pays and publishes it.

    Returns the epoch; None when it is not due after all. A repeated call returns the epoch as it is:
    the scores of a window do not change once it has ended.
    """
    gathered = queries.gather(due.netuid, starts_at=due.starts_at, ends_at=due.ends_at)
    return subnets.run_epoch(
        netuid=due.netuid,
        number=due.number,
        scores=gathered.scores,
        deliveries=gathered.deliveries,
        now=now,
    )
