"""Pages of a free slot: what it costs, and the two steps of buying it."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from ledger import spoken
from ledger.errors import DomainError
from marketplace import operations as marketplace
from marketplace import queries as market
from marketplace.operations.rehearsal import rehearse
from marketplace.pages import kept
from marketplace.pages.finding import slot_figures
from marketplace.pages.forms import SlotForm
from marketplace.pages.reader import available_rao, form_key, reader
from marketplace.pages.refusals import answered, words
from subnets import clock
from subnets import queries as subnets
from subnets.models import Blueprint
from subnets.queries.network import LOCK_REDUCTION_INTERVAL_BLOCKS

DECAY_POINTS = 29
REFUSED, REVIEWED = "refused-slot", "slot"  # names of kept forms


@answered
def buy_slot(request: HttpRequest) -> HttpResponse:
    """Show what a free slot costs, with what was refused of a purchase; take the two steps of buying it."""
    if request.method == "POST":
        return purchase(request)
    form = kept.kept_form(request, REFUSED, SlotForm)
    kept.forget(request, REFUSED)
    figures = slot_figures(timezone.now())
    page = figures | {
        "form": form
        or SlotForm(
            initial={
                "max_cost_rao": typed_tao(figures["slot_cost"] and figures["slot_cost"].cost_rao)
            }
        ),
        "next_netuid": next(iter(subnets.free_netuids()), None),
        "decay": decay(timezone.now()),
        "premium_curve": premium_curve(figures["slot_cost"]),
    }
    return render(request, "pages/buy_slot.html", page)


@login_required
def purchase(request: HttpRequest) -> HttpResponse:
    """Lead from the form to the review of a purchase, or buy once it was reviewed."""
    form = SlotForm(request.POST)
    if not form.is_valid():
        return refused(request, form)
    if request.POST.get("step") == "place":
        return bought(request, form)
    key = str(uuid.uuid4())
    try:
        rehearse(marketplace.buy_slot, **purchase_of(request, form, key=key))
    except DomainError as refusal:
        return refused(request, form, refusal)
    kept.keep(request, REVIEWED, form, key=key)
    return redirect("slot_review")


@login_required
@answered
def slot_review(request: HttpRequest) -> HttpResponse:
    """Show what a purchase would mean before it is made. Without one under way there is only the form."""
    form = kept.kept_form(request, REVIEWED, SlotForm)
    if form is None or not form.is_valid():
        return redirect("buy_slot")
    page = {
        "form": form,
        "key": kept.kept_key(request, REVIEWED),
        "blueprint_label": Blueprint(form.cleaned_data["blueprint"]).label,
        "slot_cost": market.slot_cost(timezone.now()),
        "available_rao": available_rao(request),
    }
    return render(request, "pages/buy_slot_confirm.html", page)


def refused(
    request: HttpRequest, form: SlotForm, refusal: DomainError | None = None
) -> HttpResponse:
    """Lead back to the form, which says what was refused, at the field that it is about."""
    if refusal is not None:
        field = refusal.fields.get("name")
        form.add_error(str(field) if field in form.fields else None, words(refusal))
    kept.forget(request, REVIEWED)
    kept.keep(request, REFUSED, form)
    return redirect(reverse("buy_slot") + "#words")  # on a phone the form lies below the price


def bought(request: HttpRequest, form: SlotForm) -> HttpResponse:
    """Buy the slot and lead to the new subnet; a refusal goes back to the form."""
    try:
        sale = marketplace.buy_slot(**purchase_of(request, form, key=request.POST.get("key", "")))
    except DomainError as refusal:
        return refused(request, form, refusal)
    kept.forget(request, REVIEWED)
    messages.success(
        request, f"Subnet {sale.netuid} is yours, for {spoken.tao(sale.price_rao)} TAO."
    )
    return redirect("subnet", netuid=sale.netuid)


def purchase_of(request: HttpRequest, form: SlotForm, *, key: str) -> dict[str, Any]:
    """Return what is asked of `buy_slot`, on rehearsal as in earnest."""
    return {
        **form.cleaned_data,
        "buyer": reader(request).id,
        "key": form_key(request, "slot", key),
        "now": timezone.now(),
    }


def decay(now: datetime) -> list[tuple[datetime, int]]:
    """Return what a slot will cost if nobody buys one, over the two intervals in which it falls to its floor."""
    net, supply = subnets.network(), subnets.supply_rao()
    horizon = timedelta(milliseconds=net.block_ms) * 2 * LOCK_REDUCTION_INTERVAL_BLOCKS
    step = horizon / (DECAY_POINTS - 1)
    instants = [now + step * index for index in range(DECAY_POINTS)]
    return [
        (
            at,
            subnets.lock_cost_at(
                net,
                block=clock.block_at(at, genesis_at=net.genesis_at, block_ms=net.block_ms),
                supply=supply,
            ),
        )
        for at in instants
    ]


def premium_curve(priced: market.SlotCost | None) -> list[tuple[datetime, int]]:
    """Return the premium from its start to its end; empty while none is open."""
    if priced is None or priced.premium is None:
        return []
    return list(priced.premium.points(count=DECAY_POINTS))


def typed_tao(rao: int | None) -> str:
    """Write rao as a form field holds it."""
    return "" if rao is None else spoken.tao(rao).replace(spoken.GAP, "")
