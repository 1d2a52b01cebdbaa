"""Auctions and bids for staff: read, but for two acts that ask for a reason: taking a bidder out, calling an auction off."""

from collections.abc import Callable
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone

from ledger import spoken
from ledger.admin import ReadOnlyAdmin
from ledger.errors import DomainError
from marketplace import operations, queries
from marketplace.models import Auction, Bid, BidVoid, User
from marketplace.models.auctions import REASON_LENGTH_MAX


def staff(request: HttpRequest) -> UUID:
    """Return who decides."""
    assert isinstance(request.user, User)
    return request.user.pk


def permitted(request: HttpRequest, permission: str, pk: UUID) -> Auction:
    """Return an auction that somebody may act upon; nobody else gets further."""
    if not request.user.has_perm(permission):
        raise PermissionDenied
    return get_object_or_404(Auction, pk=pk)


class CallOffForm(forms.Form):
    """Why an auction is called off."""

    reason = forms.CharField(
        max_length=REASON_LENGTH_MAX, help_text="Everybody reads it on the auction's page."
    )


class VoidForm(forms.Form):
    """Who is taken out of an auction, and why."""

    reason = forms.CharField(
        max_length=REASON_LENGTH_MAX, help_text="The bidder reads it on the auction's page."
    )


def void_form(said: QueryDict, auction: Auction) -> VoidForm:
    """Ask about the bidders of one auction."""
    form = VoidForm(said or None)
    named = [
        (bidder, f"{queries.alias(place)}: {bidder}")
        for bidder, place in queries.bidders_of(auction)
    ]
    form.fields["bidder"] = forms.TypedChoiceField(coerce=UUID, choices=named)
    form.order_fields(["bidder", "reason"])
    return form


@admin.register(Auction)
class AuctionAdmin(ReadOnlyAdmin):
    """Auctions, the newest first; reserve and maxima are not for staff, who may bid too."""

    list_display = [
        "netuid", "state", "price_rao", "bid_count", "seller", "leader", "closes_at", "ended_at",
    ]  # fmt: skip
    list_filter = ["state"]
    search_fields = ["id", "netuid", "seller", "leader"]
    ordering = ["-opens_at"]
    exclude = ["reserve_rao", "lead_rao", "second", "second_rao", "key"]
    change_form_template = "admin/auction_change_form.html"

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of the two acts."""
        return [
            path(f"<uuid:pk>/{name}/", self.admin_site.admin_view(view), name=f"auction_{name}")
            for name, view in (("void", self.void_view), ("call-off", self.call_off_view))
        ] + super().get_urls()

    def void_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Ask whom to take out and why, and do it."""
        auction = permitted(request, "marketplace.void_bids", pk)
        form = void_form(request.POST, auction)
        return self.act(request, auction, form, "Take a bidder out", operations.void_bids)

    def call_off_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Ask why an auction is called off, and do it."""
        auction = permitted(request, "marketplace.call_off_auction", pk)
        form = CallOffForm(request.POST or None)
        return self.act(request, auction, form, "Call the auction off", operations.call_off_auction)

    def act(
        self,
        request: HttpRequest,
        auction: Auction,
        form: forms.Form,
        title: str,
        operation: Callable[..., Auction],
    ) -> HttpResponse:
        """Show a form, or do what it says and lead back; what is refused stands in the form."""
        if request.method == "POST" and form.is_valid():
            try:
                operation(
                    **form.cleaned_data,
                    auction_id=auction.pk,
                    operator=staff(request),
                    now=timezone.now(),
                )
            except DomainError as refusal:
                form.add_error(None, spoken.sentence(str(refusal)))
            else:
                self.message_user(request, "Done. It is on record.", messages.SUCCESS)
                return redirect("admin:marketplace_auction_change", auction.pk)
        page = {**self.admin_site.each_context(request), "original": auction, "form": form}
        return render(request, "admin/auction_act.html", page | {"title": title})


@admin.register(Bid)
class BidAdmin(ReadOnlyAdmin):
    """Bids without their maxima: staff may bid too, and a maximum is for its bidder's eyes."""

    list_display = ["placed_at", "auction", "sequence", "bidder", "price_rao", "leader"]
    list_select_related = ["auction"]
    search_fields = ["auction__id", "bidder"]
    ordering = ["-placed_at"]
    exclude = ["max_rao", "key"]


@admin.register(BidVoid)
class BidVoidAdmin(ReadOnlyAdmin):
    """Bidders who were taken out of auctions, by whom and why."""

    list_display = ["voided_at", "auction", "bidder", "was_leading", "reason", "operator"]
    list_select_related = ["auction"]
    search_fields = ["auction__id", "bidder", "operator"]
    ordering = ["-voided_at"]
