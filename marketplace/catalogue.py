"""The catalogue of subnets: figures that are kept for some seconds, and offers that are not.

Nobody is paid by these figures, and they come from closed epochs and settled sales, which change by the minute;
to add them up takes longer than all the rest of a page. Whoever acts on a price acts on the auction's own page,
and what is asked is read anew for every reader.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.core.cache import cache

from marketplace import queries
from marketplace.browsing import Ask, Listing, Search, chosen, new_since
from marketplace.models import SavedSearch
from subnets import queries as subnets

FIGURES_KEPT_S = 5  # as long as the check of the books; an epoch takes minutes


def catalogue(
    *, now: datetime, asks: Sequence[Ask], search: str = "", blueprint: str = ""
) -> list[Listing]:
    """List subnets with their figures and offers: all by number, or those a search finds, the best match first."""
    listings = {row.netuid: row for row in kept_figures(now)}
    ask_of = {ask.netuid: ask for ask in asks}
    netuids = subnets.found_netuids(search) if search.strip() else list(listings)
    return [
        replace(listings[netuid], ask=ask_of.get(netuid))
        for netuid in netuids
        if netuid in listings and blueprint in {"", listings[netuid].blueprint}
    ]


def new_matches(
    saved: Sequence[SavedSearch], *, now: datetime
) -> list[tuple[SavedSearch, list[Listing]]]:
    """Return, of each saved search, what it finds that came up since its owner looked: a slot taken, or an offer opened."""
    asks = queries.asks() if saved else []
    return [(one, new_since(_found(one, asks=asks, now=now), one.looked_at)) for one in saved]


def _found(saved: SavedSearch, *, asks: Sequence[Ask], now: datetime) -> list[Listing]:
    search = Search.read(saved.wanted)
    listings = catalogue(now=now, asks=asks, search=search.words, blueprint=search.blueprint)
    return chosen(listings, search.wanted)


def kept_figures(now: datetime) -> list[Listing]:
    """Return every subnet's figures, at most FIGURES_KEPT_S old."""
    kept: list[Listing] | None = cache.get("catalogue")
    if kept is None:
        kept = queries.subnet_figures(now)
        cache.set("catalogue", kept, FIGURES_KEPT_S)
    return kept
