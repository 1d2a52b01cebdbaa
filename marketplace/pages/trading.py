"""Pages where subnets change hands: auctions, bids, selling a subnet."""

import uuid
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from ledger import spoken
from ledger.errors import DomainError
from marketplace import operations as marketplace
from marketplace import queries as market
from marketplace.models import Auction
from marketplace.operations.rehearsal import rehearse
from marketplace.pages import kept
from marketplace.pages.forms import AuctionFilter, BidForm
from marketplace.pages.guarding import guard
from marketplace.pages.paying import backed_rao, paying_part
from marketplace.pages.reader import available_rao, form_key, reader
from marketplace.pages.refusals import answered, words
from marketplace.pages.sealed import sealed_form, sealed_part
from marketplace.pages.taking import falling_part
from subnets import queries as subnets

SALES_SHOWN = 20


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
        "awaiting": market.auctions(state=Auction.State.AWAITING),
        "sales": market.recent_sales(SALES_SHOWN),
        "floor": market.floor_ask(market.asks()),
    }
    return render(request, "pages/auctions.html", page)


@answered
def auction(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show an auction, with what was refused of a bid; take the two steps of a bid."""
    if request.method == "POST":
        return bid(request, pk)
    refused = kept.kept_form(request, refused_bid(pk), BidForm)
    kept.forget(request, refused_bid(pk))
    return auction_page(request, pk, refused or BidForm())


@answered
def auction_live(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return the part of an auction's page that changes with every bid."""
    return render(request, "parts/auction_live.html", live_part(request, market.auction(pk)))


@login_required
def bid(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Lead from the auction to the review of a bid, or place it once it was reviewed."""
    form = BidForm(request.POST)
    if not form.is_valid():
        return refused(request, pk, form)
    if request.POST.get("step") == "place":
        return placed_bid(request, pk, form)
    key = str(uuid.uuid4())
    try:
        rehearse(marketplace.place_bid, **bid_of(request, pk, form, key=key))
    except DomainError as refusal:
        form.add_error("max_rao", words(refusal))
        return refused(request, pk, form)
    kept.keep(request, reviewed_bid(pk), form, key=key)
    return redirect("bid_review", pk=pk)


@login_required
@answered
def bid_review(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show what a bid would mean before it binds. Without a bid under way there is only the auction."""
    form = kept.kept_form(request, reviewed_bid(pk), BidForm)
    if form is None or "max_rao" not in form.cleaned_data:
        return redirect("auction", pk=pk)
    page = review_of(request, pk, form) | {"key": kept.kept_key(request, reviewed_bid(pk))}
    return render(request, "pages/bid_confirm.html", page)


def refused(request: HttpRequest, pk: UUID, form: BidForm) -> HttpResponse:
    """Lead back to the auction, which says what was refused."""
    kept.forget(request, reviewed_bid(pk))
    kept.keep(request, refused_bid(pk), form)
    # On a phone the form lies below the price.
    return redirect(reverse("auction", args=[pk]) + "#bid")


def placed_bid(request: HttpRequest, pk: UUID, form: BidForm) -> HttpResponse:
    """Place a reviewed bid and say what came of it; one that may be a slip goes back to its review."""
    key = request.POST.get("key", "")
    is_repeated = form.cleaned_data["repeat_rao"] == form.cleaned_data["max_rao"]
    if review_of(request, pk, form)["needs_repeat"] and not is_repeated:
        form.add_error("repeat_rao", "The two amounts differ.")
        kept.keep(request, reviewed_bid(pk), form, key=key)
        return redirect("bid_review", pk=pk)
    try:
        placed = marketplace.place_bid(**bid_of(request, pk, form, key=key))
    except DomainError as refusal:
        form.add_error("max_rao", words(refusal))
        return refused(request, pk, form)
    kept.forget(request, reviewed_bid(pk))
    tell(request, placed)
    return redirect("auction", pk=pk)


def bid_of(request: HttpRequest, pk: UUID, form: BidForm, *, key: str) -> dict[str, Any]:
    """Return what is asked of `place_bid`, on rehearsal as in earnest."""
    return {
        "auction_id": pk,
        "bidder": reader(request).id,
        "max_rao": form.cleaned_data["max_rao"],
        "key": form_key(request, "bid", key),
        "now": timezone.now(),
    }


def refused_bid(pk: UUID) -> str:
    """Name the bid that an auction's page shows as refused."""
    return f"refused-bid:{pk}"


def reviewed_bid(pk: UUID) -> str:
    """Name the bid that is under review."""
    return f"bid:{pk}"


def tell(request: HttpRequest, placed: marketplace.Placed) -> None:
    """Say what came of a bid."""
    if placed.is_leading:
        messages.success(request, f"You lead. The price is {spoken.tao(placed.price_rao)} TAO.")
        return
    next_tao = spoken.tao(placed.min_next_rao)
    messages.warning(
        request, f"Another bidder’s maximum is higher. To lead, bid {next_tao} TAO or more."
    )


@require_POST
@login_required
@answered
def cancel_auction(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Withdraw the reader's own auction."""
    ended = marketplace.cancel_auction(auction_id=pk, seller=reader(request).id, now=timezone.now())
    if ended.called_off_reason:
        messages.warning(request, "The house called this auction off before you withdrew it.")
    else:
        messages.success(request, "The auction is withdrawn. The subnet stays yours.")
    return redirect("auction", pk=pk)


def auction_page(request: HttpRequest, pk: UUID, form: BidForm) -> HttpResponse:
    """Show an auction with a bid form, empty or refused."""
    seen = market.auction(pk)
    subnet = subnets.subnet(seen.netuid)
    page = live_part(request, seen) | {
        "form": form,
        "subnet": subnet,
        "says": market.seller_says(subnet),
        "is_seller": request.user.is_authenticated and request.user.id == seen.seller,
        "available_rao": available_rao(request),
        **falling_part(seen),
        **sealed_form(request, seen),
    }
    return render(request, "pages/auction.html", page)


def live_part(request: HttpRequest, seen: market.AuctionView) -> dict[str, Any]:
    """Return what changes with every bid: price, log, and the reader's standing."""
    viewer = request.user.id if request.user.is_authenticated else None
    bids = market.bid_history(seen.id, viewer)
    standing = market.standing_of(viewer, seen.id) if viewer else None
    return {
        "auction": seen,
        "bids": bids,
        "has_void": any(bid.is_void for bid in bids),
        "standing": standing,
        "backed_rao": backed_rao(seen, standing.max_rao) if standing else None,
        **sealed_part(viewer, seen),
        **paying_part(viewer, seen),
    }


def review_of(request: HttpRequest, pk: UUID, form: BidForm) -> dict[str, Any]:
    """Return what a bidder should see before the bid binds."""
    seen = market.auction(pk)
    max_rao = form.cleaned_data["max_rao"]
    standing = market.standing_of(reader(request).id, pk)
    # A leader who raises the maximum has the old one back at once.
    free_rao = (available_rao(request) or 0) + (
        (backed_rao(seen, standing.max_rao) or 0) if standing.is_leading else 0
    )
    held_rao = backed_rao(seen, max_rao) or 0
    guard_reason = guard(
        max_rao,
        reference_rao=seen.price_rao or seen.start_rao,
        reference="price",
        free_rao=free_rao,
    )
    form.fields["repeat_rao"].required = bool(guard_reason)
    return {
        "auction": seen,
        "form": form,
        "max_rao": max_rao,
        "standing": standing,
        "held_rao": held_rao,
        "left_rao": free_rao - held_rao,
        "guard_reason": guard_reason,
        "needs_repeat": bool(guard_reason),
    }
