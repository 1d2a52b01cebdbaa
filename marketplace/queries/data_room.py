"""The data room: what the books say of a subnet that is for sale, or may be. Nothing in it is anybody's word.

Facts of a running epoch that are sealed stay so (decision 0019): work is counted up to the end of the last closed window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from compute import queries as compute
from marketplace import facts
from marketplace.browsing import Ask, yield_days
from marketplace.models import Dispute, Sale
from marketplace.queries.catalogue import asks, last_sales
from subnets import clock
from subnets import queries as subnets
from subnets.models import Epoch, Network, Subnet

BPS = 10_000
EPOCHS_SHOWN = 60  # columns that stay apart on a phone


@dataclass(frozen=True, slots=True)
class DataRoom:
    """A subnet's facts, each with the epoch or the instant it is from."""

    subnet: Subnet
    facts: tuple[facts.Fact, ...]
    ask: Ask | None


@dataclass(frozen=True, slots=True)
class EpochLine:
    """What one closed epoch paid in all, and what its owner earned: the cut, and shares of the jobs of its window."""

    number: int
    closed_at: datetime
    is_late: bool
    rule_version: int
    rule_fault: str
    emission_rao: int
    owner_rao: int
    jobs_rao: int
    digest: str

    @property
    def revenue_rao(self) -> int:
        """Return what the owner earned."""
        return self.owner_rao + self.jobs_rao


def data_rooms(netuids: Sequence[int], *, now: datetime) -> list[DataRoom]:
    """Return the data rooms of several subnets in the order named, in as many statements as that of one.

    Netuids of free slots are left out.
    """
    standings = subnets.standings(netuids, now=now)
    taken = [netuid for netuid in netuids if netuid in standings]
    shares = compute.job_shares(since=now - subnets.MONTH, now=now)
    work = compute.work_figures(taken, now=now)
    open_asks = {ask.netuid: ask for ask in asks()}
    sold = last_sales(taken)
    sales = dict(
        Sale.objects.filter(netuid__in=taken)
        .order_by()
        .values_list("netuid")
        .annotate(n=Count("pk"))
    )
    disputes = dict(
        Dispute.objects.filter(
            sale__netuid__in=taken, state__in=[Dispute.State.OPEN, Dispute.State.UPHELD]
        )
        .order_by()
        .values_list("sale__netuid")
        .annotate(n=Count("pk"))
    )
    found = []
    for netuid in taken:
        one, ask = standings[netuid], open_asks.get(netuid)
        last_rao = sold[netuid][0] if netuid in sold else None
        values = (
            _money(
                one, price_rao=ask.price_rao if ask else last_rao, jobs_rao=shares.get(netuid, 0)
            )
            | _people(one)
            | _work(work.get(netuid, compute.WorkFigures()))
            | _conduct(one)
            | {"sale_count": sales.get(netuid, 0), "dispute_count": disputes.get(netuid, 0)}
        )
        month = one.month
        dated = facts.facts_of(
            values,
            epoch=month.number if month else None,
            closed_at=month.closed_at if month else None,
            now=now,
        )
        found.append(DataRoom(subnet=one.subnet, facts=dated, ask=ask))
    return found


def epoch_lines(netuid: int, *, now: datetime, limit: int = EPOCHS_SHOWN) -> list[EpochLine]:
    """List the newest closed epochs with what the owner earned, the newest first. Six statements."""
    net = subnets.network()
    # One more than is shown: where its window ended, the oldest shown began.
    rows = subnets.epochs(netuid, limit=limit + 1)
    ends = {
        row.number: clock.time_of_block(
            row.end_block, genesis_at=net.genesis_at, block_ms=net.block_ms
        )
        for row in rows
    }
    begins = [_beginning(rows[-1], net)] if rows else []
    bounds = begins + [ends[row.number] for row in reversed(rows)]
    jobs = compute.job_shares_between(netuid, bounds, now=now)
    return [
        _epoch_line(row, jobs_rao=earned, is_late=row.closed_at > ends[row.number] + subnets.LATE)
        for row, earned in zip(rows, reversed(jobs), strict=True)
    ][:limit]


def _beginning(row: Epoch, net: Network) -> datetime:
    return clock.time_of_block(row.start_block, genesis_at=net.genesis_at, block_ms=net.block_ms)


def _epoch_line(row: Epoch, *, jobs_rao: int, is_late: bool) -> EpochLine:
    return EpochLine(
        number=row.number,
        closed_at=row.closed_at,
        is_late=is_late,
        rule_version=row.rule.version,
        rule_fault=row.rule_fault,
        emission_rao=row.emission_rao,
        owner_rao=row.owner_rao,
        jobs_rao=jobs_rao,
        digest=row.digest,
    )


def _money(one: subnets.Standing, *, price_rao: int | None, jobs_rao: int) -> dict[str, int | None]:
    month = one.month
    return {
        "price_rao": price_rao,
        "yield_tenths": yield_days(price_rao=price_rao, day_rao=month.day_rao if month else 0),
        "emission_day_rao": month.day_rao if month else None,
        "emission_month_rao": month.month_rao if month else None,
        "owner_month_rao": month.owner_rao if month else None,
        "jobs_month_rao": jobs_rao,
        "revenue_month_rao": (month.owner_rao if month else 0) + jobs_rao,
        "burned_month_rao": month.burned_rao if month else None,
        "lock_rao": one.lock_rao,
        "burn_rao": one.burn_rao,
        "places_rao": one.places_rao,
    }


def _people(one: subnets.Standing) -> dict[str, int | None]:
    stakes = one.stakes
    return {
        "miner_count": one.neuron_count - one.validator_count,
        "validator_count": one.validator_count,
        "paid_miner_count": one.paid_miner_count,
        "stake_rao": stakes.total_rao,
        "top_stake_bps": stakes.top_rao * BPS // stakes.total_rao if stakes.total_rao else None,
        "half_stake_count": stakes.half_count if stakes.total_rao else None,
    }


def _work(work: compute.WorkFigures) -> dict[str, int | None]:
    ended = work.returned_count + work.expired_count
    return {
        "uptime_bps": work.returned_count * BPS // ended if ended else None,
        "expired_count": work.expired_count,
        "verified_count": work.verified_count,
        "failed_count": work.failed_count,
        "open_job_count": work.open_count,
    }


def _conduct(one: subnets.Standing) -> dict[str, int | None]:
    month = one.month
    return {
        "epoch_count": month.epoch_count if month else None,
        "late_epoch_count": month.late_count if month else None,
        "rule_fault_count": month.fault_count if month else None,
        "rule_version": one.rule_version,
        "rule_change_count": one.rule_change_count,
        "hyperparameter_change_count": one.hyperparameter_change_count,
        "owner_count": one.owner_count,
    }
