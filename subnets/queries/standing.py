"""What the books say of subnets over thirty days: of several at once, in as many statements as of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q

from ledger import queries as books
from subnets.models import (
    EpochTerm,
    HyperparameterChange,
    IncentiveRule,
    Network,
    Neuron,
    Ownership,
    Subnet,
)
from subnets.queries.network import block_now, network
from subnets.queries.slots import burn_cost_at
from subnets.queries.weeks import a_day

MONTH = timedelta(days=30)
# The sweep looks every second and an epoch takes some; a minute is a worker that was away.
LATE = timedelta(seconds=60)

MONTHS = """
SELECT subnet.netuid, last.id, last.number, last.closed_at, last.emission_rao, last.blocks, month.*
FROM unnest(%(netuids)s::int[]) AS subnet (netuid)
CROSS JOIN LATERAL (
    SELECT id, number, closed_at, emission_rao, end_block - start_block AS blocks
    FROM subnets_epoch WHERE subnet_id = subnet.netuid ORDER BY number DESC LIMIT 1
) AS last
CROSS JOIN LATERAL (
    SELECT count(*), coalesce(sum(emission_rao), 0)::bigint, coalesce(sum(owner_rao), 0)::bigint,
           coalesce(sum(burned_rao), 0)::bigint, count(*) FILTER (WHERE rule_fault <> ''),
           count(*) FILTER (WHERE closed_at > %(genesis_at)s + end_block * %(block)s + %(late)s)
    FROM subnets_epoch WHERE subnet_id = subnet.netuid AND closed_at > %(since)s
) AS month
"""


@dataclass(frozen=True, slots=True)
class Month:
    """The last closed epoch of a subnet, and sums over the epochs that closed in the last thirty days.

    fault_count: epochs paid by an earlier rule, because the newest could not be applied.  late_count: epochs closed
    more than LATE after their last block.
    """

    epoch_id: UUID
    number: int
    closed_at: datetime
    emission_rao: int
    day_rao: int
    epoch_count: int
    month_rao: int
    owner_rao: int
    burned_rao: int
    fault_count: int
    late_count: int


@dataclass(frozen=True, slots=True)
class Stakes:
    """All stake on a subnet. top_rao: of the owner who has most.  half_count: how few owners have more than half."""

    total_rao: int = 0
    top_rao: int = 0
    half_count: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """A subnet as the books have it. month is None before its first closed epoch.

    lock_rao: what its slot cost.  burn_rao: what a place costs now.  places_rao: what places have cost ever.
    """

    subnet: Subnet
    month: Month | None
    stakes: Stakes
    neuron_count: int
    validator_count: int
    paid_miner_count: int
    lock_rao: int
    burn_rao: int
    places_rao: int
    owner_count: int
    rule_version: int
    rule_change_count: int
    hyperparameter_change_count: int


def standings(netuids: Sequence[int], *, now: datetime) -> dict[int, Standing]:
    """Return netuid → its standing, for those that exist. Eleven statements."""
    rows = list(Subnet.objects.filter(pk__in=netuids))
    taken = [row.netuid for row in rows]
    net, block = network(), block_now(now)
    months = _months(taken, net, now=now)
    staked = books.stakes_among(taken)
    neurons = _neurons(taken)
    paid = _paid_miners([month.epoch_id for month in months.values()])
    places = books.moved_under([_places(netuid) for netuid in taken])
    owners = _owners(taken)
    rules = _rules(taken, now=now)
    changes = dict(
        HyperparameterChange.objects.filter(subnet__in=taken, at__gt=now - MONTH)
        .order_by()
        .values_list("subnet")
        .annotate(count=Count("pk"))
    )
    return {
        row.netuid: Standing(
            subnet=row,
            month=(month := months.get(row.netuid)),
            stakes=concentration(staked.get(row.netuid, [])),
            neuron_count=neurons.get(row.netuid, (0, 0))[0],
            validator_count=neurons.get(row.netuid, (0, 0))[1],
            paid_miner_count=paid.get(month.epoch_id, 0) if month else 0,
            lock_rao=owners[row.netuid][0],
            burn_rao=burn_cost_at(row, block=block),
            places_rao=places.get(_places(row.netuid), 0),
            owner_count=owners[row.netuid][1],
            rule_version=rules.get(row.netuid, (0, 0))[0],
            rule_change_count=rules.get(row.netuid, (0, 0))[1],
            hyperparameter_change_count=changes.get(row.netuid, 0),
        )
        for row in rows
    }


def concentration(stakes: Sequence[books.StakeLine]) -> Stakes:
    """Add stakes up by owner, and count how few hold more than half."""
    by_owner: dict[UUID, int] = {}
    for line in stakes:
        by_owner[line.owner] = by_owner.get(line.owner, 0) + line.amount_rao
    amounts = sorted(by_owner.values(), reverse=True)
    total_rao, reached, half_count = sum(amounts), 0, 0
    for amount in amounts:
        if reached * 2 > total_rao:
            break
        reached, half_count = reached + amount, half_count + 1
    return Stakes(total_rao=total_rao, top_rao=amounts[0] if amounts else 0, half_count=half_count)


def _months(netuids: list[int], net: Network, *, now: datetime) -> dict[int, Month]:
    given: dict[str, Any] = {
        "netuids": netuids,
        "genesis_at": net.genesis_at,
        "block": timedelta(milliseconds=net.block_ms),
        "late": LATE,
        "since": now - MONTH,
    }
    with connection.cursor() as cursor:
        cursor.execute(MONTHS, given)
        rows = cursor.fetchall()
    return {
        netuid: Month(
            epoch_id=epoch_id,
            number=number,
            closed_at=closed_at,
            emission_rao=emission_rao,
            day_rao=a_day(emission_rao, blocks=blocks, block_ms=net.block_ms),
            epoch_count=sums[0],
            month_rao=sums[1],
            owner_rao=sums[2],
            burned_rao=sums[3],
            fault_count=sums[4],
            late_count=sums[5],
        )
        for netuid, epoch_id, number, closed_at, emission_rao, blocks, *sums in rows
    }


def _neurons(netuids: list[int]) -> dict[int, tuple[int, int]]:
    """Return netuid → how many neurons, and how many of them may weigh."""
    counted = (
        Neuron.objects.filter(subnet__in=netuids)
        .order_by()
        .values_list("subnet")
        .annotate(all=Count("pk"), permitted=Count("pk", filter=Q(has_permit=True)))
    )
    return {netuid: (count, permitted) for netuid, count, permitted in counted}


def _paid_miners(epoch_ids: list[UUID]) -> dict[UUID, int]:
    paid = EpochTerm.objects.filter(epoch__in=epoch_ids, miner_rao__gt=0)
    return dict(paid.order_by().values_list("epoch").annotate(count=Count("pk")))


def _places(netuid: int) -> str:
    """Return how the keys of all entries begin that paid for places on a subnet (operations.neurons)."""
    return f"neuron:burn:{netuid}:"


def _owners(netuids: list[int]) -> dict[int, tuple[int, int]]:
    """Return netuid → what its slot cost, and how many have owned it."""
    found: dict[int, tuple[int, int]] = {}
    held = Ownership.objects.filter(subnet__in=netuids).order_by("starts_at")
    for netuid, price_rao in held.values_list("subnet", "price_rao"):
        first_rao, count = found.get(netuid, (price_rao, 0))
        found[netuid] = first_rao, count + 1
    return found


def _rules(netuids: list[int], *, now: datetime) -> dict[int, tuple[int, int]]:
    """Return netuid → the newest published version, and how many were published in the month."""
    published = IncentiveRule.objects.filter(
        subnet__in=netuids, state=IncentiveRule.State.PUBLISHED
    ).order_by("version")
    found: dict[int, tuple[int, int]] = {}
    for netuid, version, published_at in published.values_list("subnet", "version", "published_at"):
        # The first came with the slot: it changed nothing.
        is_change = version > 1 and published_at is not None and published_at > now - MONTH
        found[netuid] = version, found.get(netuid, (0, 0))[1] + is_change
    return found
