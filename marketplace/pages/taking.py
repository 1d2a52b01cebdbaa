"""Pages of a price: buying a subnet at once, in two steps, and the curve of a price that falls."""

import uuid
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from ledger import spoken
from ledger.errors import DomainError
from marketplace import operations as marketplace
from marketplace import queries as market
from marketplace.operations.rehearsal import rehearse
from marketplace.pages import kept
from marketplace.pages.forms import TaoField
from marketplace.pages.reader import available_rao, form_key, reader
from marketplace.pages.refusals import answered, words

CURVE_POINTS = 49  # a day in half hours
# How far ahead a page says what a price will be: the first that comes before the end.
AHEAD = (timedelta(hours=1), timedelta(minutes=10), timedelta(minutes=1))


class TakeForm(forms.Form):
    """The price that was seen, which is the most that will be paid."""

    max_price_rao = TaoField(label="Price")


@login_required
@answered
def take_review(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show what a purchase means before it is made. Without one under way there is only the auction."""
    if request.method == "POST":
        return take(request, pk)
    form = kept.kept_form(request, reviewed(pk), TakeForm)
    if form is None or not form.is_valid():
        return redirect("auction", pk=pk)
    seen, free_rao = market.auction(pk), available_rao(request) or 0
    page = {
        "auction": seen,
        "form": form,
        "key": kept.kept_key(request, reviewed(pk)),
        "available_rao": free_rao,
        "left_rao": None if seen.take_rao is None else free_rao - seen.take_rao,
    }
    return render(request, "pages/take_confirm.html", page)


def take(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Lead from the price to the review of a purchase, or buy once it was reviewed."""
    form = TakeForm(request.POST)
    if not form.is_valid():
        return redirect("auction", pk=pk)
    is_reviewed = request.POST.get("step") == "place"
    key = request.POST.get("key", "") if is_reviewed else str(uuid.uuid4())
    try:
        if is_reviewed:
            return taken(request, pk, purchase_of(request, pk, form, key=key))
        rehearse(marketplace.take_subnet, **purchase_of(request, pk, form, key=key))
    except DomainError as refusal:
        kept.forget(request, reviewed(pk))
        messages.error(request, words(refusal))
        return redirect("auction", pk=pk)
    kept.keep(request, reviewed(pk), form, key=key)
    return redirect("take_review", pk=pk)


def taken(request: HttpRequest, pk: UUID, purchase: dict[str, Any]) -> HttpResponse:
    """Buy, and lead to the auction, which says what comes next. Raises: what take_subnet raises."""
    sale = marketplace.take_subnet(**purchase)
    kept.forget(request, reviewed(pk))
    messages.success(
        request, f"Subnet {sale.netuid} is yours, for {spoken.tao(sale.price_rao)} TAO."
    )
    return redirect("auction", pk=pk)


def purchase_of(request: HttpRequest, pk: UUID, form: TakeForm, *, key: str) -> dict[str, Any]:
    """Return what is asked of `take_subnet`, on rehearsal as in earnest."""
    return {
        "auction_id": pk,
        "buyer": reader(request).id,
        "max_price_rao": form.cleaned_data["max_price_rao"],
        "key": form_key(request, "take", key),
        "now": timezone.now(),
    }


def reviewed(pk: UUID) -> str:
    """Name the purchase that is under review."""
    return f"take:{pk}"


def falling_part(seen: market.AuctionView) -> dict[str, Any]:
    """Return what a page shows of a price that falls: its curve, and what it will be in a while."""
    fall = seen.fall
    if fall is None:
        return {}
    return {
        "curve": list(fall.points(count=CURVE_POINTS)),
        "forecast": forecast(seen, now=max(seen.server_now, seen.opens_at)),
    }


def forecast(seen: market.AuctionView, *, now: datetime) -> tuple[timedelta, int] | None:
    """Return how long from now a lower price comes, and which; None near the end."""
    assert seen.fall is not None
    for ahead in AHEAD:
        if now + ahead < seen.closes_at:
            return ahead, seen.fall.price_rao(now=now + ahead)
    return None
