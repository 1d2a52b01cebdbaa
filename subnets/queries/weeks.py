"""What each subnet pays a day, paid in a week, and whether it grows: from closed epochs alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from subnets.queries.network import network

WEEK = timedelta(days=7)
DAY_MS = 24 * 3600 * 1000
BPS = 10_000

# Of each subnet the last epoch, the last that had closed before the week, and the sums of the week between. The sums
# come from the index subnets_epoch_sums; a subnet has some 140 epochs a week.
WEEKS = """
SELECT subnet.netuid, last.number, last.closed_at, last.emission_rao, last.blocks,
       before.emission_rao, before.blocks, week.emission_rao, week.owner_rao
FROM (SELECT netuid FROM subnets_subnet WHERE %(netuid)s::int IS NULL OR netuid = %(netuid)s::int) AS subnet
CROSS JOIN LATERAL (
    SELECT number, closed_at, emission_rao, end_block - start_block AS blocks
    FROM subnets_epoch WHERE subnet_id = subnet.netuid ORDER BY number DESC LIMIT 1
) AS last
LEFT JOIN LATERAL (
    SELECT emission_rao, end_block - start_block AS blocks
    FROM subnets_epoch WHERE subnet_id = subnet.netuid AND closed_at <= %(since)s ORDER BY closed_at DESC LIMIT 1
) AS before ON true
CROSS JOIN LATERAL (
    SELECT coalesce(sum(emission_rao), 0)::bigint AS emission_rao, coalesce(sum(owner_rao), 0)::bigint AS owner_rao
    FROM subnets_epoch WHERE subnet_id = subnet.netuid AND closed_at > %(since)s
) AS week
"""


@dataclass(frozen=True, slots=True)
class EmissionWeek:
    """A subnet's emission. day_rao: the last epoch's, over as many blocks as a day has.

    growth_bps: of the emission of a day against that of seven days ago; None for a subnet that is younger.
    week_rao, owner_week_rao: what the epochs of the last seven days paid in all, and to the owner.
    """

    number: int
    closed_at: datetime
    emission_rao: int
    day_rao: int
    growth_bps: int | None
    week_rao: int
    owner_week_rao: int


def emission_weeks(now: datetime, *, netuid: int | None = None) -> dict[int, EmissionWeek]:
    """Return netuid → its week, for every subnet with a closed epoch, or for one. Two statements."""
    block_ms = network().block_ms
    with connection.cursor() as cursor:
        cursor.execute(WEEKS, {"since": now - WEEK, "netuid": netuid})
        rows = cursor.fetchall()
    return {
        netuid: EmissionWeek(
            number=number,
            closed_at=closed_at,
            emission_rao=emission_rao,
            day_rao=a_day(emission_rao, blocks=blocks, block_ms=block_ms),
            growth_bps=grown(
                a_day(emission_rao, blocks=blocks, block_ms=block_ms),
                None if before is None else a_day(before, blocks=blocks_before, block_ms=block_ms),
            ),
            week_rao=week_rao,
            owner_week_rao=owner_week_rao,
        )
        for netuid, number, closed_at, emission_rao, blocks, before, blocks_before, week_rao, owner_week_rao in rows
    }


def a_day(emission_rao: int, *, blocks: int, block_ms: int) -> int:
    """Return what an epoch's emission comes to over a day, cut to the rao."""
    return emission_rao * DAY_MS // (blocks * block_ms)


def grown(now_rao: int, before_rao: int | None) -> int | None:
    """Return the growth in basis points, cut towards less; None from nothing."""
    return (now_rao - before_rao) * BPS // before_rao if before_rao else None
