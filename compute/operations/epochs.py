"""Closing an epoch: the scores of its window become its payouts."""

from datetime import datetime, timedelta

from compute import queries
from subnets import operations as subnets
from subnets import queries as slots
from subnets.models import Epoch
from subnets.queries import DueEpoch

# A request that arrives before an epoch's end still counts for it when it is written within this time, which is
# longer than writing fifty scores takes under load; one that takes longer counts for the next epoch.
SCORES_IN_FLIGHT = timedelta(seconds=1)


def close_epoch(*, due: DueEpoch, now: datetime) -> Epoch | None:
    """Hand an epoch's evidence to the network, which scores, splits, pays and publishes it.

    Returns the epoch; None when it is not due after all, or its last scores may still be on their way to
    the database. A repeated call returns the epoch as it is: the scores of a window do not change then.
    Must not be called within a transaction.
    """
    if now < due.ends_at + SCORES_IN_FLIGHT:
        return None
    # Whoever writes scores dates them no earlier than the block the network has accrued to. So the window is
    # shut by accruing up to its end and waiting for those who write already; only then is it read.
    if slots.accrued_block() < due.end_block:
        subnets.accrue_emission(up_to_block=due.end_block)
    queries.await_score_writers(due.netuid)
    gathered = queries.gather(due.netuid, starts_at=due.starts_at, ends_at=due.ends_at)
    return subnets.run_epoch(
        netuid=due.netuid,
        number=due.number,
        scores=gathered.scores,
        proof=gathered.proof,
        deliveries=gathered.deliveries,
        now=now,
    )
