"""Pages of sealed bids: the two steps of a bid that nobody sees, and after the end what all of them hid."""

import uuid
from typing import Any
from uuid import UUID

from django import forms
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
from marketplace.errors import SealedBidsUnreadable
from marketplace.models import Auction
from marketplace.offering import Format
from marketplace.operations.rehearsal import rehearsed
from marketplace.pages import kept
from marketplace.pages.forms import TaoField
from marketplace.pages.guarding import guard
from marketplace.pages.reader import available_rao, form_key, reader
from marketplace.pages.refusals import answered, words

OPENINGS_SHOWN = 100  # all of most auctions; the API lists every one


class SealedForm(forms.Form):
    """What somebody would pay, and what they let be set aside for it."""

    max_rao = TaoField(
        label="Your maximum",
        help_text="What the subnet is worth to you. If you win you pay what the second highest bid.",
    )
    cover_rao = TaoField(
        label="Set aside",
        required=False,
        help_text="Left empty, a round amount above your maximum, so that it tells nobody your bid.",
    )
    repeat_rao = TaoField(label="The same amount again", required=False)


@login_required
@answered
def seal_review(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show what a sealed bid means before it binds. Without one under way there is only the auction."""
    if request.method == "POST":
        return seal(request, pk)
    form = kept.kept_form(request, reviewed(pk), SealedForm)
    if form is None or not {"max_rao", "cover_rao"} <= form.cleaned_data.keys():
        return redirect("auction", pk=pk)
    page = review_of(request, pk, form) | {"key": kept.kept_key(request, reviewed(pk))}
    return render(request, "pages/seal_confirm.html", page)


def review_of(request: HttpRequest, pk: UUID, form: SealedForm) -> dict[str, Any]:
    """Return what a bidder should see before the bid binds. A sealed auction has no price to hold an amount against."""
    seen, own = market.auction(pk), market.my_sealed_bid(pk, reader(request).id)
    free_rao = (available_rao(request) or 0) + (own.cover_rao if own else 0)
    reference_rao = own.max_rao if own else seen.start_rao
    guard_reason = guard(
        form.cleaned_data["max_rao"],
        reference_rao=reference_rao,
        reference="maximum you sealed before" if own else "start price",
        free_rao=free_rao,
    )
    form.fields["repeat_rao"].required = bool(guard_reason)
    return {
        "auction": seen,
        "form": form,
        "own": own,
        "left_rao": free_rao - form.cleaned_data["cover_rao"],
        "guard_reason": guard_reason,
    }


def seal(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Lead from the auction to the review of a sealed bid, or place it once it was reviewed."""
    form = SealedForm(request.POST)
    if not form.is_valid():
        return refused(request, pk, form)
    if request.POST.get("step") == "place":
        return placed_bid(request, pk, form)
    key = str(uuid.uuid4())
    asked = bid_of(request, pk, form, key=key)
    try:
        cover_rao = rehearsed(cover, marketplace.place_sealed_bid, **asked)
    except DomainError as refusal:
        form.add_error("max_rao", words(refusal))
        return refused(request, pk, form)
    # What was reviewed is what will be set aside, whatever comes into the wallet meanwhile.
    seen = {"max_rao": asked["max_rao"], "cover_rao": cover_rao}
    covered = SealedForm({name: spoken.tao(rao) for name, rao in seen.items()})
    kept.keep(request, reviewed(pk), covered, key=key)
    return redirect("seal_review", pk=pk)


def placed_bid(request: HttpRequest, pk: UUID, form: SealedForm) -> HttpResponse:
    """Place a reviewed bid; one that may be a slip goes back to its review."""
    key = request.POST.get("key", "")
    is_repeated = form.cleaned_data["repeat_rao"] == form.cleaned_data["max_rao"]
    if form.cleaned_data["cover_rao"] is None:
        return redirect("seal_review", pk=pk)  # not what was reviewed
    if review_of(request, pk, form)["guard_reason"] and not is_repeated:
        form.add_error("repeat_rao", "The two amounts differ.")
        kept.keep(request, reviewed(pk), form, key=key)
        return redirect("seal_review", pk=pk)
    try:
        return sealed(
            request, pk, marketplace.place_sealed_bid(**bid_of(request, pk, form, key=key))
        )
    except DomainError as refusal:
        form.add_error("max_rao", words(refusal))
        return refused(request, pk, form)


def cover(placed: marketplace.SealedPlaced) -> int:
    """Return what a rehearsed bid would set aside."""
    return placed.cover_rao


def sealed(request: HttpRequest, pk: UUID, placed: marketplace.SealedPlaced) -> HttpResponse:
    """Lead back to the auction, which shows the reader their own bid."""
    kept.forget(request, reviewed(pk))
    set_aside = spoken.tao(placed.cover_rao)
    messages.success(
        request,
        f"Your bid is sealed as bid {placed.sequence}. {set_aside} TAO are set aside until the end.",
    )
    return redirect("auction", pk=pk)


def refused(request: HttpRequest, pk: UUID, form: SealedForm) -> HttpResponse:
    """Lead back to the auction, which says what was refused."""
    kept.forget(request, reviewed(pk))
    kept.keep(request, refused_name(pk), form)
    return redirect(reverse("auction", args=[pk]) + "#bid")


def bid_of(request: HttpRequest, pk: UUID, form: SealedForm, *, key: str) -> dict[str, Any]:
    """Return what is asked of `place_sealed_bid`, on rehearsal as in earnest."""
    return {
        "auction_id": pk,
        "bidder": reader(request).id,
        "max_rao": form.cleaned_data["max_rao"],
        "cover_rao": form.cleaned_data["cover_rao"],
        "key": form_key(request, "sealed-bid", key),
        "now": timezone.now(),
    }


def reviewed(pk: UUID) -> str:
    """Name the sealed bid that is under review."""
    return f"seal:{pk}"


def refused_name(pk: UUID) -> str:
    """Name the sealed bid that an auction's page shows as refused."""
    return f"refused-seal:{pk}"


def sealed_form(request: HttpRequest, seen: market.AuctionView) -> dict[str, Any]:
    """Return the form of a sealed bid, empty or with what was refused of it."""
    if seen.format != Format.SEALED:
        return {}
    form = kept.kept_form(request, refused_name(seen.id), SealedForm)
    kept.forget(request, refused_name(seen.id))
    return {"sealed_form": form or SealedForm()}


def sealed_part(viewer: UUID | None, seen: market.AuctionView) -> dict[str, Any]:
    """Return what a sealed auction shows: one's own bid, and the commitments, or after the end what they hid."""
    if seen.format != Format.SEALED:
        return {}
    if seen.state not in (Auction.State.SETTLED, Auction.State.UNSOLD):
        lines = market.sealed_lines(seen.id, viewer)
        return {"commitments": lines, **own_bid(viewer, seen)}
    return {
        "openings": market.highest_openings(seen.id, viewer, limit=OPENINGS_SHOWN),
        "faults": market.sealed_faults(seen.id),
        "reserve_rao": market.sealed_decision(seen.id).reserve_rao,
        **own_bid(viewer, seen),
    }


def own_bid(viewer: UUID | None, seen: market.AuctionView) -> dict[str, Any]:
    """Return the reader's own bid; while the house lacks its key the page says so and stays readable."""
    try:
        return {"own": viewer and market.my_sealed_bid(seen.id, viewer), "is_unreadable": False}
    except SealedBidsUnreadable:
        return {"own": None, "is_unreadable": True}
