"""Choosing among subnets: what a list shows of each, which are wanted, in what order. Pure.

>>> yield_days(price_rao=730, day_rao=2)
3650
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from ledger.money import format_tao
from marketplace.offering import Format

TENTHS = 10  # a price is set against emission in tenths of a day
FINE = 10**9  # and put in order by far less, or all that cost less than a tenth were alike
ANY_FORMAT = "any"
AWAITING = "awaiting"


@dataclass(frozen=True, slots=True)
class Ask:
    """A live offer of a subnet. price_rao: what it stands at; of an auction without bids, its start.

    is_open: bids and purchases are taken now, not at a later `opens_at`.
    due_at: it is sold at this price, to whoever has until then to pay; None before the end.
    """

    auction_id: UUID
    netuid: int
    format: Format
    price_rao: int
    bid_count: int
    opens_at: datetime
    closes_at: datetime
    is_open: bool
    due_at: datetime | None = None

    @property
    def is_awaiting(self) -> bool:
        """Tell whether the auction has ended and waits for payment: nobody else can take it up."""
        return self.due_at is not None


@dataclass(frozen=True, slots=True)
class Listing:
    """A subnet as lists show it. Figures come from closed epochs and settled sales; None where there are none yet."""

    netuid: int
    name: str
    summary: str
    blueprint: str
    registered_at: datetime
    registrations_open: bool
    miner_count: int
    validator_count: int
    stake_rao: int
    epoch_number: int
    emission_day_rao: int
    growth_bps: int | None
    revenue_week_rao: int
    last_price_rao: int | None
    last_sold_at: datetime | None
    ask: Ask | None

    @property
    def price_rao(self) -> int | None:
        """Return what is asked now, or else what was paid last."""
        return self.ask.price_rao if self.ask else self.last_price_rao

    @property
    def yield_tenths(self) -> int | None:
        """Return how many days of the subnet's whole emission its price comes to, in tenths."""
        return yield_days(price_rao=self.price_rao, day_rao=self.emission_day_rao)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter. Bounds are inclusive.

    format: "" for all, ANY_FORMAT for whatever is for sale, AWAITING for what is sold and not paid yet, or one of Format.
    """

    format: str = ""
    price_min_rao: int | None = None
    price_max_rao: int | None = None
    emission_min_rao: int | None = None
    emission_max_rao: int | None = None
    miners_min: int | None = None
    registrations_open: bool = False

    def takes(self, listing: Listing) -> bool:
        """Say whether a subnet is wanted. One without a price is in no range of prices."""
        return (
            self._takes_offer(listing.ask)
            and within(listing.price_rao, self.price_min_rao, self.price_max_rao)
            and within(listing.emission_day_rao, self.emission_min_rao, self.emission_max_rao)
            and listing.miner_count >= (self.miners_min or 0)
            and (listing.registrations_open or not self.registrations_open)
        )

    def _takes_offer(self, ask: Ask | None) -> bool:
        if not self.format:
            return True
        if ask is None or ask.is_awaiting:
            return ask is not None and self.format == AWAITING
        return self.format in {ANY_FORMAT, ask.format}


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for: words, a kind of work, a filter."""

    words: str
    blueprint: str
    wanted: Wanted

    def as_json(self) -> dict[str, Any]:
        """Write it so that `read` reads it again."""
        return asdict(self)

    @classmethod
    def read(cls, kept: dict[str, Any]) -> "Search":
        """Read what `as_json` wrote."""
        return cls(kept["words"], kept["blueprint"], Wanted(**kept["wanted"]))


def parameters(search: Search, *, sort: str = "") -> dict[str, str]:
    """Write a search as the parameters of its page: those that say something, in the order of its form, amounts as typed.

    Example:
        >>> parameters(Search("proteins", "", Wanted(price_max_rao=1_500_000_000)), sort="price")
        {'q': 'proteins', 'sort': 'price', 'price_max': '1.5'}
    """
    wanted = search.wanted
    written = {
        "q": search.words,
        "sale": wanted.format,
        "blueprint": search.blueprint,
        "sort": sort,
        "price_min": _typed(wanted.price_min_rao),
        "price_max": _typed(wanted.price_max_rao),
        "emission_min": _typed(wanted.emission_min_rao),
        "emission_max": _typed(wanted.emission_max_rao),
        "miners_min": str(wanted.miners_min or ""),
        "open": "1" if wanted.registrations_open else "",
    }
    return {name: value for name, value in written.items() if value}


def address(search: Search, *, sort: str = "") -> str:
    """Return the query of the page's address; the same search has one address."""
    return urlencode(parameters(search, sort=sort))


def _typed(rao: int | None) -> str:
    return format_tao(rao) if rao else ""


def within(value: int | None, low: int | None, high: int | None) -> bool:
    """Say whether a value lies in a range; None lies only in the range without bounds."""
    if value is None:
        return low is None and high is None
    return (low is None or low <= value) and (high is None or value <= high)


def yield_days(*, price_rao: int | None, day_rao: int, parts: int = TENTHS) -> int | None:
    """Return a price over the emission of a day, in tenths (or other parts) of a day, cut; None without either."""
    return price_rao * parts // day_rao if price_rao and day_rao else None


def _least(value: Callable[[Listing], int | None]) -> Callable[[Listing], tuple[bool, int]]:
    return lambda listing: ((found := value(listing)) is None, found or 0)


def _most(value: Callable[[Listing], int | None]) -> Callable[[Listing], tuple[bool, int]]:
    return lambda listing: ((found := value(listing)) is None, -(found or 0))


# Whoever has no such figure stands at the end; equal ones keep the order they came in.
ORDERS: dict[str, Callable[[Listing], tuple[object, ...]]] = {
    "netuid": lambda listing: (listing.netuid,),
    "name": lambda listing: (listing.name.lower(),),
    "newest": lambda listing: (-listing.registered_at.timestamp(),),
    "price": _least(lambda listing: listing.price_rao),
    "yield": _least(
        lambda one: yield_days(price_rao=one.price_rao, day_rao=one.emission_day_rao, parts=FINE)
    ),
    "revenue": _most(lambda listing: listing.revenue_week_rao),
    "growth": _most(lambda listing: listing.growth_bps),
    "emission": _most(lambda listing: listing.emission_day_rao),
    "stake": _most(lambda listing: listing.stake_rao),
    "miners": _most(lambda listing: listing.miner_count),
}


def chosen(listings: Iterable[Listing], wanted: Wanted, *, sort: str = "") -> list[Listing]:
    """Return the wanted ones in order; without one of ORDERS, in the order they came: the best match first."""
    found = [listing for listing in listings if wanted.takes(listing)]
    return sorted(found, key=ORDERS[sort]) if sort in ORDERS else found


def new_since(listings: Iterable[Listing], since: datetime) -> list[Listing]:
    """Return those that came up since an instant: their slot was taken, or their offer opened."""
    return [
        one
        for one in listings
        if one.registered_at > since or (one.ask is not None and one.ask.opens_at > since)
    ]
