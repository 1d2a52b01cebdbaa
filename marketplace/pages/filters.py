"""The filter of the list of subnets: read from the address, written back to it, and shown as chips."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms

from ledger.spoken import count, tao
from marketplace import browsing
from marketplace.browsing import ANY_FORMAT, AWAITING, Search, Wanted
from marketplace.models import Auction
from marketplace.pages.forms import TaoField
from subnets.models import Blueprint
from subnets.searching import QUERY_LENGTH_MAX

SORTS = (
    ("", "Best match"),
    ("yield", "Price / emission, lowest"),
    ("price", "Price, lowest"),
    ("emission", "Emission, highest"),
    ("revenue", "Owner’s revenue, highest"),
    ("growth", "Growth, highest"),
    ("stake", "Stake, highest"),
    ("miners", "Miners, most"),
    ("newest", "Newest"),
    ("netuid", "Number"),
    ("name", "Name"),
)
AWAITING_WORDS = "Sold, awaiting payment"
OFFERS = (
    ("", "All"),
    (ANY_FORMAT, "For sale"),
    *Auction.Format.choices,
    (AWAITING, AWAITING_WORDS),
)
MINERS_MAX = 256  # the places of a subnet


class SubnetFilter(forms.Form):
    """Each field is a parameter of the address; one that makes no sense is said so and left out."""

    use_required_attribute = False

    q = forms.CharField(
        label="Name, words or number",
        required=False,
        max_length=QUERY_LENGTH_MAX,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "embeddings, sn 7 …"}),
    )
    sale = forms.ChoiceField(label="Offer", required=False, choices=OFFERS)
    blueprint = forms.ChoiceField(
        label="Work", required=False, choices=[("", "All kinds"), *Blueprint.choices]
    )
    sort = forms.ChoiceField(label="Order", required=False, choices=SORTS)
    price_min = TaoField(label="Price from", required=False)
    price_max = TaoField(label="Price to", required=False)
    emission_min = TaoField(label="Emission a day from", required=False)
    emission_max = TaoField(label="Emission a day to", required=False)
    miners_min = forms.IntegerField(
        label="Miners at least", required=False, min_value=0, max_value=MINERS_MAX
    )
    open = forms.BooleanField(label="Open for registration", required=False)

    def bounds(self) -> Iterator[forms.BoundField]:
        """Yield the fields that stand behind "More filters"."""
        return (
            self[name]
            for name in ("price_min", "price_max", "emission_min", "emission_max", "miners_min")
        )


@dataclass(frozen=True, slots=True)
class Chip:
    """A part of a filter in words, and the address of the list without it."""

    words: str
    href: str


def wanted(asked: Mapping[str, Any]) -> Wanted:
    """Turn what was read of a form into a filter."""
    return Wanted(
        format=asked.get("sale") or "",
        price_min_rao=asked.get("price_min"),
        price_max_rao=asked.get("price_max"),
        emission_min_rao=asked.get("emission_min"),
        emission_max_rao=asked.get("emission_max"),
        miners_min=asked.get("miners_min"),
        registrations_open=bool(asked.get("open")),
    )


def search(asked: Mapping[str, Any]) -> Search:
    """Turn what was read of a form into a search that can be kept."""
    return Search(
        words=asked.get("q") or "", blueprint=asked.get("blueprint") or "", wanted=wanted(asked)
    )


def parameters(asked: Mapping[str, Any]) -> dict[str, str]:
    """Write a filter as parameters of an address: those that say something, in the order of the form."""
    return browsing.parameters(search(asked), sort=asked.get("sort") or "")


def address(asked: Mapping[str, Any]) -> str:
    """Return the query of the address that shows a filter; the same filter has one address."""
    return browsing.address(search(asked), sort=asked.get("sort") or "")


def chips(asked: Mapping[str, Any]) -> list[Chip]:
    """Say each part of a filter in words, with the address that lets go of it. The order is no part of it."""
    given = parameters(asked)
    return [
        Chip(
            words=_words(name, asked[name]),
            href="?" + urlencode({other: value for other, value in given.items() if other != name}),
        )
        for name in given
        if name != "sort"
    ]


def spoken(asked: Mapping[str, Any]) -> str:
    """Say a whole filter in a line."""
    return (
        ", ".join(_words(name, asked[name]) for name in parameters(asked) if name != "sort")
        or "all subnets"
    )


def _words(name: str, value: Any) -> str:  # noqa: ANN401  of any field
    match name:
        case "q":
            return f"“{value}”"
        case "sale" | "blueprint":
            field = SubnetFilter.base_fields[name]
            assert isinstance(field, forms.ChoiceField)
            return str(dict(field.choices)[value])  # type: ignore[arg-type]  # a flat list of pairs
        case "miners_min":
            return f"at least {count(value)} miners"
        case "open":
            return "open for registration"
        case _:
            noun, side = name.split("_")
            said = "emission a day" if noun == "emission" else noun
            return f"{said} {'from' if side == 'min' else 'to'} {tao(value)} TAO"
