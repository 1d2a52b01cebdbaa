"""The facts of a data room: which there are, in what unit, whether more of it is better. Pure.

One table, from which the page, the comparison and the API are made.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Unit(StrEnum):
    """What a fact counts; its name ends in it where it is money."""

    RAO = "rao"
    BPS = "bps"
    TENTHS = "tenths"
    COUNT = "count"


class Better(StrEnum):
    """Which of several values a buyer would rather have."""

    MORE = "more"
    LESS = "less"
    NEITHER = "neither"


class Source(StrEnum):
    """What a fact is read from, which decides its epoch and instant."""

    EPOCH = "epoch"
    """Closed epochs, up to the last one; of work, up to the end of its window."""
    NOW = "now"
    """The books as they stand."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A fact that every subnet has."""

    name: str
    words: str
    unit: Unit
    better: Better
    source: Source
    group: str
    note: str = ""


def _kinds(group: str, *rows: tuple[str, str, Unit, Better, Source, str]) -> tuple[Kind, ...]:
    return tuple(
        Kind(
            name=name, words=words, unit=unit, better=better, source=source, group=group, note=note
        )
        for name, words, unit, better, source, note in rows
    )


_E, _N = Source.EPOCH, Source.NOW
_MORE, _LESS, _NEITHER = Better.MORE, Better.LESS, Better.NEITHER
KINDS: tuple[Kind, ...] = (
    *_kinds(
        "Price",
        ("price_rao", "Asked now, else paid last", Unit.RAO, _LESS, _N, ""),
        (
            "yield_tenths",
            "Price in days of emission",
            Unit.TENTHS,
            _LESS,
            _N,
            "price over emission a day",
        ),
        ("sale_count", "Sales here", Unit.COUNT, _NEITHER, _N, "its slot included"),
    ),
    *_kinds(
        "Income",
        (
            "emission_day_rao",
            "Emission a day",
            Unit.RAO,
            _MORE,
            _E,
            "of the last epoch, over a day of blocks",
        ),
        (
            "emission_month_rao",
            "Emission in 30 days",
            Unit.RAO,
            _MORE,
            _E,
            "miners, validators, owner and burned",
        ),
        ("owner_month_rao", "Owner’s cut in 30 days", Unit.RAO, _MORE, _E, ""),
        ("jobs_month_rao", "Owner’s share of jobs in 30 days", Unit.RAO, _MORE, _E, ""),
        (
            "revenue_month_rao",
            "Owner’s revenue in 30 days",
            Unit.RAO,
            _MORE,
            _E,
            "cut and share of jobs",
        ),
    ),
    *_kinds(
        "Costs",
        ("lock_rao", "Paid for the slot", Unit.RAO, _NEITHER, _N, "locked while the subnet lives"),
        (
            "burn_rao",
            "A place costs now",
            Unit.RAO,
            _NEITHER,
            _N,
            "a new miner or validator burns it",
        ),
        (
            "places_rao",
            "Burned for places so far",
            Unit.RAO,
            _NEITHER,
            _N,
            "what joining has been worth",
        ),
        ("burned_month_rao", "Emission burned in 30 days", Unit.RAO, _LESS, _E, "earned by nobody"),
    ),
    *_kinds(
        "Who works and who judges",
        ("miner_count", "Miners", Unit.COUNT, _MORE, _N, "neurons without a permit"),
        ("paid_miner_count", "Miners paid in the last epoch", Unit.COUNT, _MORE, _E, ""),
        ("validator_count", "Validators", Unit.COUNT, _MORE, _N, "neurons with a permit"),
        ("stake_rao", "Stake", Unit.RAO, _MORE, _N, ""),
        ("top_stake_bps", "Held by the largest staker", Unit.BPS, _LESS, _N, "of all stake here"),
        (
            "half_stake_count",
            "Stakers that hold more than half",
            Unit.COUNT,
            _MORE,
            _N,
            "fewer can agree among themselves",
        ),
    ),
    *_kinds(
        "Work of 7 days",
        (
            "uptime_bps",
            "Uptime",
            Unit.BPS,
            _MORE,
            _E,
            "leases that were returned, of those that ended",
        ),
        ("expired_count", "Leases that expired", Unit.COUNT, _LESS, _E, ""),
        ("verified_count", "Jobs verified", Unit.COUNT, _MORE, _E, ""),
        ("failed_count", "Jobs failed", Unit.COUNT, _LESS, _E, ""),
        (
            "open_job_count",
            "Jobs open",
            Unit.COUNT,
            _NEITHER,
            _E,
            "at the end of the epoch’s window",
        ),
    ),
    *_kinds(
        "How it is run",
        ("epoch_count", "Epochs closed in 30 days", Unit.COUNT, _MORE, _E, ""),
        (
            "late_epoch_count",
            "Epochs closed late in 30 days",
            Unit.COUNT,
            _LESS,
            _E,
            "more than 60 s after their last block",
        ),
        (
            "rule_fault_count",
            "Epochs whose rule failed in 30 days",
            Unit.COUNT,
            _LESS,
            _E,
            "an earlier rule paid them",
        ),
        ("rule_version", "Rule, newest version", Unit.COUNT, _NEITHER, _N, ""),
        ("rule_change_count", "Rules published in 30 days", Unit.COUNT, _NEITHER, _N, ""),
        (
            "hyperparameter_change_count",
            "Hyperparameters changed in 30 days",
            Unit.COUNT,
            _NEITHER,
            _N,
            "",
        ),
        ("owner_count", "Owners so far", Unit.COUNT, _NEITHER, _N, ""),
        ("dispute_count", "Disputes", Unit.COUNT, _LESS, _N, "open, or decided for the buyer"),
    ),
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure of one subnet. epoch: up to which closed epoch it counts; None for what is read as it stands."""

    kind: Kind
    value: int | None
    epoch: int | None
    at: datetime | None


def facts_of(
    values: dict[str, int | None], *, epoch: int | None, closed_at: datetime | None, now: datetime
) -> tuple[Fact, ...]:
    """Date each value by its source. Before the first closed epoch there are no facts of epochs."""
    return tuple(
        Fact(kind=kind, value=values[kind.name], epoch=None, at=now)
        if kind.source is Source.NOW
        else Fact(kind=kind, value=values[kind.name] if epoch else None, epoch=epoch, at=closed_at)
        for kind in KINDS
    )


def best(kind: Kind, values: Sequence[int | None]) -> set[int]:
    """Return the places of the best values among several; none where they are all alike or nothing is better.

    >>> best(KINDS[0], [5, 3, None, 3]) == {1, 3}
    True
    """
    known = {value for value in values if value is not None}
    if kind.better is Better.NEITHER or len(known) < 2:
        return set()
    wanted = max(known) if kind.better is Better.MORE else min(known)
    return {place for place, value in enumerate(values) if value == wanted}


def by_group(facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    """Gather facts under their headings, in the order of the table."""
    groups: dict[str, list[Fact]] = {}
    for fact in facts:
        groups.setdefault(fact.kind.group, []).append(fact)
    return groups
