"""The list of subnets: found by words that may be mistyped, in the order that was asked for."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.contrib.postgres.search import TrigramStrictWordSimilarity
from django.db import connection
from django.db.models import (
    Case,
    F,
    FloatField,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.expressions import Combinable

from subnets import hyperparameters, searching
from subnets.columns import Unaccented
from subnets.models import Subnet
from subnets.queries.neurons import stake_by_subnet

# What a table says that was stored before the row existed.
OPEN_BY_DEFAULT = hyperparameters.defaults()["registration_allowed"]
SORTS = ("best", "netuid", "name", "emission", "stake", "neurons")


@dataclass(frozen=True, slots=True)
class SubnetRow:
    netuid: int
    name: str
    summary: str
    blueprint: str
    owner: UUID
    neuron_count: int
    validator_count: int
    """Of the neurons, those with a permit."""
    stake_rao: int
    emission_rao: int
    """What the last closed epoch paid; 0 before the first."""
    epoch_number: int
    registered_at: datetime
    registrations_open: bool


def subnet_rows(*, search: str = "", blueprint: str = "", sort: str = "") -> list[SubnetRow]:
    """List subnets by words of name, summary, description or kind of work, or by number, in three statements.

    sort: netuid, name (ascending), emission, stake, neurons (largest first), best (match first); anything else
    is best where something is searched for, netuid otherwise.
    """
    found_rows = _found(search).only(
        "netuid", "name", "summary", "blueprint", "owner", "registered_at"
    )
    rows = found_rows.annotate(registration=F("hyperparameters__registration_allowed"))
    if blueprint:
        rows = rows.filter(blueprint=blueprint)
    counts = _counts()
    staked = stake_by_subnet()
    found = [
        SubnetRow(
            netuid=row.netuid,
            name=row.name,
            summary=row.summary,
            blueprint=row.blueprint,
            owner=row.owner,
            neuron_count=counts[row.netuid].neurons,
            validator_count=counts[row.netuid].validators,
            stake_rao=staked.get(row.netuid, 0),
            emission_rao=counts[row.netuid].emission_rao,
            epoch_number=counts[row.netuid].epoch_number,
            registered_at=row.registered_at,
            registrations_open=bool(
                OPEN_BY_DEFAULT if row.registration is None else row.registration
            ),
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


def found_netuids(search: str) -> list[int]:
    """Return the netuids that a search finds, the best match first."""
    return list(_found(search).values_list("netuid", flat=True))


# Counted apart from the rows: joined to them, the database would group by every column of a subnet.
COUNTS = """
SELECT subnet.netuid, coalesce(neuron.count, 0), coalesce(neuron.permitted, 0),
       coalesce(last.emission_rao, 0), coalesce(last.number, 0)
FROM subnets_subnet AS subnet
LEFT JOIN (
    SELECT subnet_id, count(*) AS count, count(*) FILTER (WHERE has_permit) AS permitted
    FROM subnets_neuron GROUP BY subnet_id
) AS neuron ON neuron.subnet_id = subnet.netuid
LEFT JOIN LATERAL (
    SELECT emission_rao, number FROM subnets_epoch WHERE subnet_id = subnet.netuid ORDER BY number DESC LIMIT 1
) AS last ON true
"""


class _Counts(NamedTuple):
    neurons: int = 0
    validators: int = 0
    emission_rao: int = 0
    epoch_number: int = 0


def _counts() -> defaultdict[int, _Counts]:
    """Return netuid → its neurons and last epoch; zeros for a subnet taken since the rows were read."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS)
        return defaultdict(_Counts, {netuid: _Counts(*rest) for netuid, *rest in cursor.fetchall()})


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
            this_word = (
                Q(searched__contains=word)
                | Q(searched__trigram_strict_word_similar=word)
                | Q(description__icontains=word)
            )
            for meant in searching.unswapped(word):
                this_word |= Q(searched__contains=meant)
            every_word &= this_word
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
