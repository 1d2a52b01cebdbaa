"""Rules and epochs: what is in force, what is due, what was paid."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db.models import BinaryField, ExpressionWrapper, F, Max, Q

from ledger import prepared, rows
from neurons.protocol import canonical_json
from subnets import clock, packing
from subnets.errors import EpochUnknown, PageUnknown, RuleUnknown
from subnets.models import SUBNET_LIMIT, Epoch, IncentiveRule, Network, Subnet
from subnets.queries.network import network
from subnets.queries.neurons import PAGE_MAX


def rules_of(netuid: int) -> list[IncentiveRule]:
    """List every version of a subnet's rule, newest first."""
    return list(IncentiveRule.objects.filter(subnet=netuid).order_by("-version"))


def rules_by_force(netuid: int, epoch_number: int) -> list[IncentiveRule]:
    """List the published versions that apply to an epoch, the one in force first, its predecessors after."""
    return rows.read(
        IncentiveRule,
        "WHERE subnet_id = %(netuid)s::int AND state = %(state)s::text AND from_epoch <= %(number)s::int"
        " ORDER BY from_epoch DESC, version DESC",
        netuid=netuid,
        state=IncentiveRule.State.PUBLISHED.value,
        number=epoch_number,
    )


def rule_in_force(netuid: int, epoch_number: int) -> IncentiveRule:
    """Return the rule that pays an epoch. Raises: RuleUnknown."""
    found = rules_by_force(netuid, epoch_number)[:1]
    if not found:
        raise RuleUnknown(netuid=netuid, version="in force")
    return found[0]


def epochs(
    netuid: int | None = None, *, limit: int = 20, before: UUID | None = None
) -> list[Epoch]:
    """List closed epochs, newest first, without their bundles; `before` is the last one of the page before.

    Raises: PageUnknown when `before` is no epoch.
    """
    listed = (
        Epoch.objects.defer("bundle", "handed_on")
        .select_related("rule")
        .order_by("-closed_at", "-pk")
    )
    if netuid is not None:
        listed = listed.filter(subnet=netuid)
    if before is not None:
        last = Epoch.objects.filter(pk=before).values_list("closed_at", flat=True).first()
        if last is None:
            raise PageUnknown(before=before)
        listed = listed.filter(Q(closed_at__lt=last) | Q(closed_at=last, pk__lt=before))
    return list(listed[: min(limit, PAGE_MAX)])


def epoch(netuid: int, number: int) -> Epoch:
    """Return one closed epoch with its bundle. Raises: EpochUnknown."""
    found = Epoch.objects.filter(subnet=netuid, number=number).select_related("rule").first()
    if found is None:
        raise EpochUnknown(netuid=netuid, number=number)
    return found


def bundle_text(netuid: int, number: int) -> bytes:
    """Return the canonical JSON of an epoch's bundle, as it was hashed. Raises: EpochUnknown."""
    at_rest = (
        Epoch.objects.filter(subnet=netuid, number=number)
        .annotate(at_rest=ExpressionWrapper(F("bundle"), output_field=BinaryField()))
        .values_list("at_rest", flat=True)
        .first()
    )
    if at_rest is None:
        raise EpochUnknown(netuid=netuid, number=number)
    return packing.text(at_rest)


def closed_epoch(netuid: int, number: int) -> Epoch | None:
    """Return one closed epoch without its bundle; None while it is not closed."""
    found = rows.read(
        Epoch,
        "WHERE subnet_id = %(netuid)s::int AND number = %(number)s::int",
        without=("bundle", "handed_on"),
        netuid=netuid,
        number=number,
    )
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Handover:
    """What a closed epoch hands on to the next; smoothed and incumbents as its bundle writes them.

    smoothed_text: the canonical JSON of `smoothed`, which the next bundle has among what it depends on.
    """

    digest: str
    end_block: int
    smoothed: dict[str, Any]
    incumbents: dict[str, str]
    smoothed_text: bytes


HANDED_ON = """
SELECT digest, end_block, handed_on FROM subnets_epoch
WHERE subnet_id = %(netuid)s::int AND number = %(number)s::int
"""
LAST_NUMBER = "SELECT coalesce(max(number), 0) FROM subnets_epoch WHERE subnet_id = %(netuid)s::int"


def handover(netuid: int, number: int) -> Handover | None:
    """Return what an epoch hands on, without reading its bundle; None when there is none."""
    found = prepared.rows(HANDED_ON, {"netuid": netuid, "number": number})
    if not found:
        return None
    [(digest, end_block, at_rest)] = found
    text = packing.text(at_rest)
    # Text throughout, so orjson reads it as json does, in a third of the time: it cannot round a number.
    handed_on = orjson.loads(text)
    incumbents = handed_on["incumbents"]
    # It is canonical, so what stands before and behind `smoothed` is known to the letter.
    before = b'{"incumbents":' + canonical_json(incumbents) + b',"smoothed":'
    assert text.startswith(before), "an epoch hands on two members, in canonical JSON"
    return Handover(digest, end_block, handed_on["smoothed"], incumbents, text[len(before) : -1])


def last_epoch_number(netuid: int) -> int:
    """Return the number of the last closed epoch, 0 before the first."""
    return int(prepared.rows(LAST_NUMBER, {"netuid": netuid})[0][0])


def running_epoch_number(subnet: Subnet, *, now: datetime) -> int:
    """Return the number of the epoch whose blocks are being produced.

    After an outage several epochs may have passed without being closed; they have begun all the same.
    """
    closed = last_epoch_number(subnet.netuid)
    net = network()
    block = clock.block_at(now, genesis_at=net.genesis_at, block_ms=net.block_ms)
    if block < subnet.next_epoch_block:
        return closed + 1
    tempo: int = subnet.hyperparameters["tempo"]
    return closed + 2 + (block - subnet.next_epoch_block) // tempo


@dataclass(frozen=True, slots=True)
class DueEpoch:
    netuid: int
    number: int
    start_block: int
    end_block: int
    starts_at: datetime
    ends_at: datetime


def window_starts_at(subnet: Subnet, net: Network) -> datetime:
    """Return the instant from which on scores count for the running epoch: the end of the last window.

    Where the clock stood still meanwhile (`resume_clock`), that is earlier than its block says today.
    """
    return subnet.window_starts_at or clock.time_of_block(
        subnet.last_epoch_block, genesis_at=net.genesis_at, block_ms=net.block_ms
    )


def due_epochs(now: datetime, *, limit: int = SUBNET_LIMIT) -> list[DueEpoch]:
    """List the next epoch of every subnet whose tempo has passed, longest overdue first."""
    net = network()
    block = clock.block_at(now, genesis_at=net.genesis_at, block_ms=net.block_ms)
    due = (
        Subnet.objects.filter(next_epoch_block__lte=block)
        .annotate(last_number=Max("epochs__number"))
        .order_by("next_epoch_block", "netuid")[:limit]
    )
    return [
        DueEpoch(
            netuid=row.netuid,
            number=(row.last_number or 0) + 1,
            start_block=row.last_epoch_block,
            end_block=row.next_epoch_block,
            starts_at=window_starts_at(row, net),
            ends_at=clock.time_of_block(
                row.next_epoch_block, genesis_at=net.genesis_at, block_ms=net.block_ms
            ),
        )
        for row in due
    ]
