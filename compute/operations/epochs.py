"""Closing an epoch: the scores of its window become its payouts."""

from datetime import datetime, timedelta

from compute import queries
from subnets import operations as subnets
from subnets.models import Epoch
from subnets.queries import DueEpoch

# A score is dated when its request arrives and written a moment later; a window that was read in between
# would miss it, and the next window begins after it. Longer than writing fifty scores takes under load.
SCORES_IN_FLIGHT = timedelta(seconds=1)


def close_epoch(*, due: DueEpoch, now: datetime) -> Epoch | None:
    """Hand an epoch's evidence to the network, which scores, splits, pays and publishes it.

    Returns the epoch; None when it is not due after all, or its last scores may still be on their way to
    the database. A repeated call returns the epoch as it is: the scores of a window do not change then.
    """
    if now < due.ends_at + SCORES_IN_FLIGHT:
        return None
    gathered = queries.gather(due.netuid, starts_at=due.starts_at, ends_at=due.ends_at)
    return subnets.run_epoch(
        netuid=due.netuid,
        number=due.number,
        scores=gathered.scores,
        proof=gathered.proof,
        deliveries=gathered.deliveries,
        now=now,
    )
