"""The list of subnets: found by words that may be mistyped, in the order that was asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.postgres.search import TrigramStrictWordSimilarity
from django.db.models import (
    Case,
    Count,
    F,
    FloatField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import Combinable

from subnets import searching
from subnets.columns import Unaccented
from subnets.models import Epoch, Subnet
from subnets.queries.neurons import stake_by_subnet

SORTS = ("best", "netuid", "name", "emission", "stake", "neurons")


@dataclass(frozen=True, slots=True)
class SubnetRow:
    netuid: int
    name: str
    summary: str
    blueprint: str
    owner: UUID
    neuron_count: int
    stake_rao: int
    emission_rao: int
    """What the last closed epoch paid; 0 before the first."""
    epoch_number: int
    registered_at: datetime


def subnet_rows(*, search: str = "", blueprint: str = "", sort: str = "") -> list[SubnetRow]:
    """List subnets by words of name, summary, description or kind of work, or by number, in two statements.

    sort: netuid, name (ascending), emission, stake, neurons (largest first), best (match first); anything else
    is best where something is searched for, netuid otherwise.
    """
    last = Epoch.objects.filter(subnet=OuterRef("pk")).order_by("-number")
    # Django drops a model's own order where it groups.
    rows = (
        _found(search)
        .defer("searched", "description", "hyperparameters")
        .annotate(
            neuron_count=Count("neurons"),
            epoch_number=Subquery(last.values("number")[:1]),
            emission=Subquery(last.values("emission_rao")[:1]),
        )
    )
    if blueprint:
        rows = rows.filter(blueprint=blueprint)
    staked = stake_by_subnet()
    found = [
        SubnetRow(
            netuid=row.netuid,
            name=row.name,
            summary=row.summary,
            blueprint=row.blueprint,
            owner=row.owner,
            neuron_count=row.neuron_count,
            stake_rao=staked.get(row.netuid, 0),
            emission_rao=row.emission or 0,
            epoch_number=row.epoch_number or 0,
            registered_at=row.registered_at,
        )
        for row in rows
    ]
    orders: dict[str, Callable[[SubnetRow], int | str]] = {
        "netuid": lambda row: row.netuid,
        "name": lambda row: row.name.lower(),
        "emission": lambda row: -row.emission_rao,
        "stake": lambda row: -row.stake_rao,
        "neurons": lambda row: -row.neuron_count,
    }
    return sorted(found, key=orders[sort]) if sort in orders else found


def _found(search: str) -> QuerySet[Subnet]:
    """Return what a search finds, the best match first; every subnet by number where nothing is searched for."""
    if not search.strip():
        return Subnet.objects.order_by("netuid")
    asked = searching.asked(search)
    if asked == searching.Asked(netuid=None, words=()):
        return Subnet.objects.none()
    matching = Q(pk=asked.netuid) if asked.netuid is not None else Q()
    if asked.words:
        every_word = Q()
        for word in asked.words:
            # Parts of words are found too; "%>>" forgives slips (settings.WORD_SIMILARITY). Both use the index.
            every_word &= (
                Q(searched__contains=word)
                | Q(searched__trigram_strict_word_similar=word)
                | Q(description__icontains=word)
            )
        matching |= every_word
    return (
        Subnet.objects.filter(matching)
        .annotate(match=_match(asked))
        .order_by(F("match").desc(), "netuid")
    )


def _match(asked: searching.Asked) -> Case:
    """Say how well a row matches: its number before everything, then its name, then its other words."""
    name = Unaccented("name")
    near: Combinable = Value(0.0)
    for word in asked.words:
        near += TrigramStrictWordSimilarity(word, name) * 2
        near += TrigramStrictWordSimilarity(word, "searched")
    return Case(When(pk=asked.netuid, then=Value(100.0)), default=near, output_field=FloatField())
