"""The marketplace for staff: people can be let in or kept out; auctions, bids, sales and deposits are read."""

from django.contrib import admin
from django.http import HttpRequest

from ledger.admin import ReadOnlyAdmin
from marketplace.models import Auction, Bid, Deposit, Sale, User, WebhookEvent


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    """People. They sign up themselves, and whoever has money is never deleted."""

    list_display = ("email", "is_active", "is_staff", "joined_at")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "id")
    ordering = ("-joined_at",)
    fields = ("id", "email", "is_active", "is_staff", "groups", "joined_at", "last_login")
    readonly_fields = ("id", "email", "joined_at", "last_login")
    filter_horizontal = ("groups",)
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: people sign up."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse: their id is an owner in the books."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Let superusers alone make staff."""
        if request.user.is_superuser:
            return self.readonly_fields
        return (*self.readonly_fields, "is_staff", "groups")


@admin.register(Auction)
class AuctionAdmin(ReadOnlyAdmin):
    """Auctions, the newest first; a reserve is between the seller and the house."""

    list_display = [
        "netuid", "state", "price_rao", "bid_count", "seller", "leader", "closes_at", "ended_at",
    ]  # fmt: skip
    list_filter = ["state"]
    search_fields = ["id", "netuid", "seller", "leader"]
    ordering = ["-opens_at"]
    exclude = ["reserve_rao", "key"]


@admin.register(Bid)
class BidAdmin(ReadOnlyAdmin):
    """Bids without their maxima: staff may bid too, and a maximum is for its bidder's eyes."""

    list_display = ["placed_at", "auction", "sequence", "bidder", "price_rao", "leader"]
    list_select_related = ["auction"]
    search_fields = ["auction__id", "bidder"]
    ordering = ["-placed_at"]
    exclude = ["max_rao", "key"]


@admin.register(Sale)
class SaleAdmin(ReadOnlyAdmin):
    """Sales, the newest first."""

    list_display = [
        "sold_at", "kind", "netuid", "seller", "buyer", "price_rao", "fee_rao",
    ]  # fmt: skip
    list_filter = ["kind"]
    search_fields = ["netuid", "seller", "buyer"]
    ordering = ["-sold_at"]


@admin.register(Deposit)
class DepositAdmin(ReadOnlyAdmin):
    """Card deposits, the newest first."""

    list_display = [
        "created_at", "owner", "state", "amount_cents", "credit_rao", "credited_at", "session_id",
    ]  # fmt: skip
    list_filter = ["state"]
    search_fields = ["id", "owner", "session_id"]
    ordering = ["-created_at"]
    exclude = ["checkout_url"]


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    """What Stripe told, and what came of it."""

    list_display = ["received_at", "type", "outcome", "processed_at", "id"]
    list_filter = ["type"]
    search_fields = ["id", "outcome"]
    ordering = ["-received_at"]
