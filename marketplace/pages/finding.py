"""Finding a subnet: the list with its filter, and up to four side by side."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from ledger import spoken
from marketplace import facts
from marketplace import queries as market
from marketplace.browsing import Listing, chosen
from marketplace.catalogue import catalogue
from marketplace.models import Auction
from marketplace.pages import filters, wording
from marketplace.pages.refusals import answered
from subnets import queries as subnets
from subnets.models import SUBNET_LIMIT, Blueprint


@dataclass(frozen=True, slots=True)
class SubnetLine:
    """A row of the list of subnets, in words."""

    netuid: int
    name: str
    about: str
    emission_words: str
    growth_words: str
    growth_class: str
    revenue_words: str
    stake_words: str
    miners: int
    price_words: str
    price_about: str
    auction_id: UUID | None
    chip: str
    days_words: str


@answered
def subnet_list(request: HttpRequest) -> HttpResponse:
    """List subnets: searched, filtered, sorted. A filter that makes no sense is said so and left out."""
    form = filters.SubnetFilter(request.GET)
    form.is_valid()
    now = timezone.now()
    asks = market.asks()
    page = {
        "form": form,
        "rows": written_rows(found(form.cleaned_data, asks=asks, now=now), is_marked=True),
        "chips": filters.chips(form.cleaned_data),
        "narrowed": any(form[name].value() for name in NARROWING),
        "floor": market.floor_ask(asks),
        "ask_count": sum(not ask.is_awaiting for ask in asks),
        "address": filters.address(form.cleaned_data),
        **slot_figures(now),
    }
    return render(request, "pages/subnets.html", page)


NARROWING = ("price_min", "price_max", "emission_min", "emission_max", "miners_min", "open")


COMPARED_MAX = 4  # columns that a phone can show beside each other


@answered
def compare(request: HttpRequest) -> HttpResponse:
    """Show up to four subnets side by side, with the facts of their data rooms and the best of each marked."""
    netuids = named(request.GET.getlist("netuid"))
    rooms = market.data_rooms(netuids[:COMPARED_MAX], now=timezone.now()) if netuids else []
    page = {
        "rooms": [
            (room, "?" + urlencode([("netuid", one.subnet.netuid) for one in rooms if one != room]))
            for room in rooms
        ],
        "groups": compared(rooms),
        "too_many": len(netuids) > COMPARED_MAX,
        "has_room": 0 < len(rooms) < COMPARED_MAX,
        "others": subnets.subnet_names() if len(rooms) < COMPARED_MAX else [],
    }
    return render(request, "pages/compare.html", page)


def named(typed: list[str]) -> list[int]:
    """Read the netuids of an address, each once; what is no netuid is left out."""
    read = [int(one) for one in typed if one.isascii() and one.isdigit() and len(one) <= 3]
    return list(dict.fromkeys(read))


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One kind of fact of all compared subnets, each with whether it is the best."""

    kind: facts.Kind
    cells: list[tuple[facts.Fact, bool]]


def compared(rooms: list[market.DataRoom]) -> dict[str, list[ComparedRow]]:
    """Turn data rooms into rows under headings."""
    groups: dict[str, list[ComparedRow]] = {}
    for row in zip(*(room.facts for room in rooms), strict=True):
        kind = row[0].kind
        winners = facts.best(kind, [fact.value for fact in row])
        # What differs below what is shown reads alike, and is as good.
        best = {wording.fact(row[place]) for place in winners}
        is_best = [wording.fact(fact) in best for fact in row]
        cells = [(fact, won and not all(is_best)) for fact, won in zip(row, is_best, strict=True)]
        groups.setdefault(kind.group, []).append(ComparedRow(kind=kind, cells=cells))
    return groups


def found(asked: dict[str, Any], *, asks: list[market.Ask], now: datetime) -> list[Listing]:
    """Return what a filter finds, in its order."""
    listings = catalogue(
        now=now, asks=asks, search=asked.get("q", ""), blueprint=asked.get("blueprint", "")
    )
    return chosen(listings, filters.wanted(asked), sort=asked.get("sort", ""))


def written_rows(listings: list[Listing], *, is_marked: bool = False) -> list[SafeString]:
    """Write rows of the list of subnets. is_marked: with a box to mark those that are to be compared."""
    return [written_row(row, is_marked) for row in listings]


# A template writes a row in a third of a millisecond, and a page has 128 of them; most look as they did a minute ago.
# A row is known by all its figures, so that it can never be an old one. Rows of the list and of the home page, twice over.
@lru_cache(maxsize=4 * SUBNET_LIMIT)
def written_row(row: Listing, is_marked: bool) -> SafeString:  # noqa: FBT001  a cache takes no keywords as the same
    """Write one row; of the same figures it is the same text."""
    return render_to_string(
        "parts/subnet_row.html", {"line": subnet_line(row), "is_marked": is_marked}
    )


def subnet_line(row: Listing) -> SubnetLine:
    """Put one row into words."""
    growth_bps, tenths = row.growth_bps, row.yield_tenths
    return SubnetLine(
        netuid=row.netuid,
        name=row.name,
        about=f"{Blueprint(row.blueprint).label} · {row.summary}",
        emission_words=spoken.tao(row.emission_day_rao, places=2)
        if row.epoch_number
        else wording.DASH,
        growth_words=wording.DASH if growth_bps is None else wording.change(growth_bps),
        growth_class="loss" if (growth_bps or 0) < 0 else "gain",
        revenue_words=spoken.tao(row.revenue_week_rao, places=2),
        stake_words=spoken.tao(row.stake_rao, places=0),
        miners=row.miner_count,
        price_words=wording.DASH if row.price_rao is None else spoken.tao(row.price_rao, places=2),
        price_about=price_about(row),
        auction_id=row.ask.auction_id if row.ask else None,
        chip="is-wait" if row.ask and row.ask.is_awaiting else "is-live",
        days_words=wording.DASH if tenths is None else wording.tenths(tenths),
    )


def price_about(row: Listing) -> str:
    """Say what a row's price is: the kind of offer, what it came to, or the last sale's."""
    if row.ask and row.ask.is_awaiting:
        return filters.AWAITING_WORDS
    if row.ask:
        return str(Auction.Format(row.ask.format).label)
    return "last sold" if row.last_price_rao else ""


def slot_figures(now: datetime) -> dict[str, Any]:
    """Count slots taken and free, and price a free one."""
    free_count = len(subnets.free_netuids())
    cost = market.slot_cost(now) if free_count else None
    return {
        "taken_count": SUBNET_LIMIT - free_count,
        "free_count": free_count,
        "slot_cost": cost,
    }
