"""Served models: what each costs, beside what others ask for the like, and the form by which an owner prices one."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Self

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from compute import operations as operate
from compute import queries as compute
from compute import serving
from compute.serving import Kind, ModelTerms
from ledger.errors import DomainError
from marketplace.pages.reader import reader
from marketplace.pages.refusals import answered, words
from subnets import queries as subnets

LIST_PRICES = Path(__file__).resolve().parents[1] / "data" / "list_prices.json"
# Providers change prices a few times a year.
STALE_AFTER = timedelta(days=180)
RAO_HELP = "In rao for a million tokens; 1 TAO is 1 000 000 000 rao. At most 1 TAO."


@dataclass(frozen=True, slots=True)
class ListPrice:
    """What somebody else asks, as its source says. microdollars: for one unit.  seen: the day on which it said so."""

    provider: str
    product: str
    unit: str
    microdollars: int
    source: str
    url: str
    seen: date

    @classmethod
    def read(cls, row: dict[str, Any]) -> Self:
        """Read a row of the file."""
        return cls(**row | {"seen": date.fromisoformat(row["seen"])})

    def is_stale(self, today: date) -> bool:
        """Say whether it was seen so long ago that the source may say something else by now."""
        return today - self.seen > STALE_AFTER

    @property
    def dollars(self) -> str:
        """Write the price as its source does, without a digit added."""
        whole, part = divmod(self.microdollars, 1_000_000)
        decimals = f"{part:06d}".rstrip("0")
        return f"{whole}.{decimals:0<2}"

    @property
    def rao(self) -> int:
        """Return the price in rao, at the rate that cards are credited at."""
        return self.microdollars * settings.TOPUP_RAO_PER_CENT // 10_000


class ModelForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=serving.NAME_LENGTH_MAX,
        help_text="What clients send as model, such as gemma3-270m: a to z, 0 to 9, dot, dash, underscore, slash.",
    )
    kind = forms.ChoiceField(
        label="Answers",
        choices=[(Kind.CHAT.value, "Text"), (Kind.EMBEDDINGS.value, "Vectors (embeddings)")],
    )
    context_tokens_max = forms.IntegerField(
        label="Context, tokens", min_value=1, max_value=serving.CONTEXT_TOKENS_MAX
    )
    output_tokens_max = forms.IntegerField(
        label="Longest answer, tokens",
        min_value=0,
        max_value=serving.CONTEXT_TOKENS_MAX,
        help_text="0 for embeddings.",
    )
    input_rao_per_mtok = forms.IntegerField(
        label="Price of prompts",
        min_value=0,
        max_value=serving.PRICE_RAO_PER_MTOK_MAX,
        help_text=RAO_HELP,
    )
    output_rao_per_mtok = forms.IntegerField(
        label="Price of answers",
        min_value=0,
        max_value=serving.PRICE_RAO_PER_MTOK_MAX,
        help_text="The same unit. 0 for embeddings.",
    )
    free_tokens_per_day = forms.IntegerField(
        label="Free tokens a day, for each account",
        min_value=0,
        max_value=serving.FREE_TOKENS_PER_DAY_MAX,
        initial=0,
    )
    is_open = forms.BooleanField(label="On offer", required=False, initial=True)

    def terms(self, netuid: int) -> ModelTerms:
        """Return what was typed as terms of a subnet."""
        asked: dict[str, Any] = {**self.cleaned_data, "netuid": netuid}
        del asked["is_open"]
        return ModelTerms(**asked | {"kind": Kind(asked["kind"])})


@cache
def list_prices() -> tuple[ListPrice, ...]:
    """Read what others ask; the file comes with the code."""
    return tuple(ListPrice.read(row) for row in json.loads(LIST_PRICES.read_text(encoding="utf-8")))


def others_prices(today: date) -> dict[str, Any]:
    """Return what others ask, each with whether it was seen long ago, and the rate to compare at."""
    return {
        "list_prices": [(price, price.is_stale(today)) for price in list_prices()],
        "dollar_rao": settings.TOPUP_RAO_PER_CENT * 100,
    }


def prices(request: HttpRequest) -> HttpResponse:
    """Show what every model costs, beside what others ask."""
    page = {"models": compute.open_models()} | others_prices(timezone.now().date())
    return render(request, "models/prices.html", page)


@login_required
@answered
def subnet_models(request: HttpRequest, netuid: int) -> HttpResponse:
    """Show an owner the models of their subnet; list a new one, or change its terms."""
    subnet = subnets.own_subnet(netuid, reader(request).id)
    rows = {row.name: row for row in compute.models_of(netuid)}
    known = rows.get(request.GET.get("model", ""))
    form = ModelForm(request.POST or None, initial=known.__dict__ if known else None)
    if request.method == "POST" and form.is_valid() and is_served(request, form, netuid):
        messages.success(request, f"{form.cleaned_data['name']} is served at these terms now.")
        return redirect("subnet_models", netuid)
    page = {"subnet": subnet, "rows": rows.values(), "form": form, "known": known}
    page |= others_prices(timezone.now().date())
    return render(request, "models/subnet_models.html", page)


def is_served(request: HttpRequest, form: ModelForm, netuid: int) -> bool:
    """Set the terms; False with the refusal on the form."""
    try:
        operate.serve_model(
            owner=reader(request).id,
            terms=form.terms(netuid),
            is_open=form.cleaned_data["is_open"],
            now=timezone.now(),
        )
    except DomainError as refusal:
        form.add_error(None, words(refusal))
        return False
    return True
