"""Pages where TAO changes hands: auctions, bids, selling a subnet, buying a slot."""

import uuid
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from ledger import chart
from ledger import queries as books
from ledger.errors import DomainError
from marketplace import operations as marketplace
from marketplace import queries as market
from marketplace.models import Auction
from marketplace.pages import wording
from marketplace.pages.browse import slot_figures
from marketplace.pages.forms import AuctionFilter, BidForm, SellForm, SlotForm
from marketplace.pages.reader import form_key, reader
from marketplace.pages.refusals import answered, words
from subnets import clock
from subnets import queries as subnets
from subnets.errors import NotTheOwner
from subnets.models import Blueprint, Subnet
from subnets.queries.network import LOCK_REDUCTION_INTERVAL_BLOCKS

SALES_SHOWN = 20
# The guards of a bid against a slip of the keyboard (99.50 typed for 9.95).
GUARD_PRICE_FACTOR = 3
GUARD_BALANCE_PERCENT = 50
DECAY_POINTS = 29


@answered
def auction_list(request: HttpRequest) -> HttpResponse:
    """List live auctions and the last sales."""
    form = AuctionFilter(request.GET)
    form.is_valid()
    page = {
        "form": form,
        "auctions": market.auctions(
            state=Auction.State.OPEN, sort=form.cleaned_data.get("sort") or "closing"
        ),
        "sales": market.recent_sales(SALES_SHOWN),
    }
    return render(request, "pages/auctions.html", page)


@answered
def auction(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show an auction; take the two steps of a bid."""
    if request.method == "POST":
        return bid(request, pk)
    return auction_page(request, pk, BidForm())


@answered
def auction_live(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return the part of an auction's page that changes with every bid."""
    return render(request, "parts/auction_live.html", live_part(request, market.auction(pk)))


@login_required
def bid(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Review a bid, or place it once it was reviewed; a refusal goes back to the auction's page."""
    form = BidForm(request.POST)
    if not form.is_valid():
        return auction_page(request, pk, form)
    review = review_of(request, pk, form)
    form.fields["repeat_rao"].required = review["needs_repeat"]
    is_repeated = form.cleaned_data["repeat_rao"] == form.cleaned_data["max_rao"]
    if request.POST.get("step") != "place" or (review["needs_repeat"] and not is_repeated):
        if request.POST.get("step") == "place":
            form.add_error("repeat_rao", "The two amounts differ.")
        return render(request, "pages/bid_confirm.html", review)
    return place(request, pk, form)


def place(request: HttpRequest, pk: UUID, form: BidForm) -> HttpResponse:
    """Place a reviewed bid and say what came of it."""
    try:
        placed = marketplace.place_bid(
            auction_id=pk,
            bidder=reader(request).id,
            max_rao=form.cleaned_data["max_rao"],
            key=form_key(request, "bid"),
            now=timezone.now(),
        )
    except DomainError as refusal:
        form.add_error("max_rao", words(refusal))
        return auction_page(request, pk, form)
    tell(request, placed)
    return redirect("auction", pk=pk)


def tell(request: HttpRequest, placed: marketplace.Placed) -> None:
    """Say what came of a bid."""
    if placed.is_leading:
        messages.success(request, f"You lead. The price is {wording.tao(placed.price_rao)} TAO.")
        return
    next_tao = wording.tao(placed.min_next_rao)
    messages.warning(
        request, f"Another bidder’s maximum is higher. To lead, bid {next_tao} TAO or more."
    )


@require_POST
@login_required
@answered
def cancel_auction(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Withdraw the reader's own auction."""
    marketplace.cancel_auction(auction_id=pk, seller=reader(request).id, now=timezone.now())
    messages.success(request, "The auction is withdrawn. The subnet stays yours.")
    return redirect("auction", pk=pk)


@login_required
@answered
def sell_subnet(request: HttpRequest, netuid: int) -> HttpResponse:
    """Open an auction for a subnet that the reader owns."""
    subnet = subnets.subnet(netuid)
    if subnet.owner != reader(request).id:
        raise NotTheOwner(netuid=netuid)
    form = SellForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        opened = opened_auction(request, netuid, form)
        if opened:
            messages.success(request, "The auction is open.")
            return redirect("auction", pk=opened.id)
    return render(request, "pages/sell_subnet.html", sell_page(request, subnet, form))


def sell_page(request: HttpRequest, subnet: Subnet, form: SellForm) -> dict[str, Any]:
    """Return the form with the house's terms beside it."""
    return {
        "subnet": subnet,
        "form": form,
        "key": request.POST.get("key") or uuid.uuid4(),
        "fee_bps": settings.AUCTION_FEE_BPS,
        "soft_close_s": settings.AUCTION_SOFT_CLOSE_S,
        "soft_close_cap_s": settings.AUCTION_SOFT_CLOSE_CAP_S,
    }


def opened_auction(request: HttpRequest, netuid: int, form: SellForm) -> Auction | None:
    """Open the auction; None with the refusal on the form."""
    try:
        return marketplace.open_auction(
            netuid=netuid,
            seller=reader(request).id,
            start_rao=form.cleaned_data["start_rao"],
            reserve_rao=form.cleaned_data["reserve_rao"],
            duration_s=form.cleaned_data["duration_s"],
            key=form_key(request, "auction"),
            now=timezone.now(),
        )
    except DomainError as refusal:
        form.add_error(None, words(refusal))
        return None


@answered
def buy_slot(request: HttpRequest) -> HttpResponse:
    """Show what a free slot costs; take the two steps of buying it."""
    if request.method == "POST":
        return purchase(request)
    slots = slot_figures()
    form = SlotForm(initial={"max_cost_rao": typed_tao(slots["lock_cost_rao"])})
    return slot_page(request, form)


@login_required
def purchase(request: HttpRequest) -> HttpResponse:
    """Review a purchase, or buy once it was reviewed."""
    form = SlotForm(request.POST)
    if not form.is_valid():
        return slot_page(request, form)
    if request.POST.get("step") == "place":
        return bought(request, form)
    page = {
        "form": form,
        "key": uuid.uuid4(),
        "blueprint_label": Blueprint(form.cleaned_data["blueprint"]).label,
        "lock_cost_rao": subnets.lock_cost(timezone.now()),
        "available_rao": available_rao(request),
    }
    return render(request, "pages/buy_slot_confirm.html", page)


def bought(request: HttpRequest, form: SlotForm) -> HttpResponse:
    """Buy the slot and lead to the new subnet; a refusal goes back to the form."""
    try:
        sale = marketplace.buy_slot(
            buyer=reader(request).id,
            key=form_key(request, "slot"),
            now=timezone.now(),
            **form.cleaned_data,
        )
    except DomainError as refusal:
        form.add_error(None, words(refusal))
        return slot_page(request, form)
    messages.success(
        request, f"Subnet {sale.netuid} is yours, for {wording.tao(sale.price_rao)} TAO."
    )
    return redirect("subnet", netuid=sale.netuid)


def auction_page(request: HttpRequest, pk: UUID, form: BidForm) -> HttpResponse:
    """Show an auction with a bid form, empty or refused."""
    seen = market.auction(pk)
    page = live_part(request, seen) | {
        "form": form,
        "subnet": subnets.subnet(seen.netuid),
        "is_seller": request.user.is_authenticated and request.user.id == seen.seller,
        "available_rao": available_rao(request),
    }
    status = 422 if form.errors else 200
    return render(request, "pages/auction.html", page, status=status)


def live_part(request: HttpRequest, seen: market.AuctionView) -> dict[str, Any]:
    """Return what changes with every bid: price, log, and the reader's standing."""
    viewer = request.user.id if request.user.is_authenticated else None
    return {
        "auction": seen,
        "bids": market.bid_history(seen.id, viewer),
        "standing": market.standing_of(viewer, seen.id) if viewer else None,
    }


def review_of(request: HttpRequest, pk: UUID, form: BidForm) -> dict[str, Any]:
    """Return what a bidder should see before the bid binds."""
    seen = market.auction(pk)
    max_rao = form.cleaned_data["max_rao"]
    standing = market.standing_of(reader(request).id, pk)
    # A leader who raises the maximum has the old one back at once.
    free_rao = (available_rao(request) or 0) + (
        (standing.max_rao or 0) if standing.is_leading else 0
    )
    guard_reason = guard(max_rao, price_rao=seen.price_rao or seen.start_rao, free_rao=free_rao)
    return {
        "auction": seen,
        "form": form,
        "max_rao": max_rao,
        "standing": standing,
        "left_rao": free_rao - max_rao,
        "guard_reason": guard_reason,
        "needs_repeat": bool(guard_reason),
        "key": request.POST.get("key") or uuid.uuid4(),
    }


def guard(max_rao: int, *, price_rao: int, free_rao: int) -> str:
    """Say why an amount deserves a second look; empty where it does not.

    Source: market research, auction houses ask again above three times the price or half the balance.
    """
    if max_rao > GUARD_PRICE_FACTOR * price_rao:
        return f"This is more than {GUARD_PRICE_FACTOR} times the price."
    if max_rao * 100 > GUARD_BALANCE_PERCENT * free_rao:
        return f"This is more than {GUARD_BALANCE_PERCENT} % of what you have available."
    return ""


def slot_page(request: HttpRequest, form: SlotForm) -> HttpResponse:
    """Show the price of a slot and how it falls, with a form."""
    now = timezone.now()
    page = slot_figures() | {
        "form": form,
        "next_netuid": next(iter(subnets.free_netuids()), None),
        "decay": decay(now),
    }
    status = 422 if form.errors else 200
    return render(request, "pages/buy_slot.html", page, status=status)


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


def available_rao(request: HttpRequest) -> int | None:
    """Return what the reader can spend; None for a visitor."""
    if not request.user.is_authenticated:
        return None
    return books.balance(chart.wallet(request.user.id)).available_rao


def typed_tao(rao: int | None) -> str:
    """Write rao as a form field holds it."""
    return "" if rao is None else wording.tao(rao).replace(wording.GAP, "")
