"""The marketplace for staff: people can be let in or kept out; auctions, bids, offers, sales and deposits are read."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from ledger.admin import ReadOnlyAdmin
from marketplace import operations
from marketplace.admin.auctions import AuctionAdmin, BidAdmin, BidVoidAdmin, staff
from marketplace.admin.cards import (
    CardDifferenceAdmin,
    CardFailureAdmin,
    ChargebackAdmin,
    DepositAdmin,
    FraudRefundAdmin,
    RestrictionAdmin,
    WebhookEventAdmin,
)
from marketplace.admin.debts import ForgivenessAdmin
from marketplace.admin.factors import AuthenticatorAdmin, SecurityChangeAdmin
from marketplace.admin.withdrawals import (
    PayoutAccountAdmin,
    RehearsedBroadcastAdmin,
    WithdrawalAddressAdmin,
    WithdrawalAdmin,
)
from marketplace.models import (
    AccountLink,
    ApiKey,
    Dispute,
    Document,
    Offer,
    OfferMove,
    Sale,
    SealedBid,
    SecondChance,
    SlotPremium,
    Strike,
    User,
)

__all__ = [
    "AuctionAdmin",
    "AuthenticatorAdmin",
    "BidAdmin",
    "BidVoidAdmin",
    "CardDifferenceAdmin",
    "CardFailureAdmin",
    "ChargebackAdmin",
    "DepositAdmin",
    "ForgivenessAdmin",
    "FraudRefundAdmin",
    "PayoutAccountAdmin",
    "RehearsedBroadcastAdmin",
    "RestrictionAdmin",
    "SecurityChangeAdmin",
    "WebhookEventAdmin",
    "WithdrawalAddressAdmin",
    "WithdrawalAdmin",
]


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


@admin.register(Offer)
class OfferAdmin(ReadOnlyAdmin):
    """Offers, the newest first."""

    list_display = [
        "made_at", "netuid", "state", "amount_rao", "promised_rao", "buyer", "owner", "expires_at", "ended_at",
    ]  # fmt: skip
    list_filter = ["state"]
    search_fields = ["id", "netuid", "buyer", "owner"]
    ordering = ["-made_at"]


@admin.register(OfferMove)
class OfferMoveAdmin(ReadOnlyAdmin):
    """Moves without their messages, which are for two people's eyes."""

    list_display = ["at", "offer", "sequence", "side", "act", "amount_rao", "expires_at"]
    list_select_related = ["offer"]
    list_filter = ["act"]
    search_fields = ["offer__id"]
    ordering = ["-at"]
    exclude = ["message", "key"]


@admin.register(SealedBid)
class SealedBidAdmin(ReadOnlyAdmin):
    """Sealed bids: that there is one, and its commitment. Staff cannot unseal it, nor see what covers it."""

    list_display = ["placed_at", "auction", "sequence", "commitment"]
    list_select_related = ["auction"]
    search_fields = ["auction__id", "commitment"]
    ordering = ["-placed_at"]
    exclude = ["ciphertext", "cover_rao", "asked_cover_rao", "key"]


@admin.register(SecondChance)
class SecondChanceAdmin(ReadOnlyAdmin):
    """Second chances, the newest first."""

    list_display = ["offered_at", "auction", "bidder", "price_rao", "state", "expires_at"]
    list_select_related = ["auction"]
    list_filter = ["state"]
    ordering = ["-offered_at"]


@admin.register(Strike)
class StrikeAdmin(ReadOnlyAdmin):
    """Winners who did not pay, the newest first."""

    list_display = ["struck_at", "owner", "auction", "forfeited_rao", "fee_rao"]
    list_select_related = ["auction"]
    search_fields = ["owner", "auction__id"]
    ordering = ["-struck_at"]


@admin.register(Sale)
class SaleAdmin(ReadOnlyAdmin):
    """Sales, the newest first."""

    list_display = [
        "sold_at", "kind", "netuid", "seller", "buyer", "price_rao", "fee_rao",
    ]  # fmt: skip
    list_filter = ["kind"]
    search_fields = ["netuid", "seller", "buyer"]
    ordering = ["-sold_at"]


@admin.register(SlotPremium)
class SlotPremiumAdmin(ReadOnlyAdmin):
    """Premiums on free slots. Staff adds one, and withdraws it by an action."""

    list_display = [
        "starts_at",
        "ends_at",
        "premium_rao",
        "half_life_s",
        "opened_by",
        "withdrawn_at",
    ]
    ordering = ["-starts_at"]
    actions = ["withdraw"]

    def get_fields(self, request: HttpRequest, obj: SlotPremium | None = None) -> Any:  # noqa: ANN401  Django's own type
        """Ask for the terms alone."""
        terms = ("premium_rao", "half_life_s", "starts_at", "ends_at")
        return terms if obj is None else (*terms, "opened_by", "opened_at", "withdrawn_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let staff that may add premiums add one."""
        return admin.ModelAdmin.has_add_permission(self, request)

    def save_model(
        self,
        request: HttpRequest,
        obj: SlotPremium,
        form: forms.ModelForm,
        change: bool,  # noqa: FBT001  Django's signature
    ) -> None:
        """Open by the operation."""
        terms = {name: form.cleaned_data[name] for name in self.get_fields(request)}
        opened = operations.open_slot_premium(**terms, operator=staff(request), now=timezone.now())
        obj.pk = opened.pk

    @admin.action(description="End the premiums now", permissions=["add"])
    def withdraw(self, request: HttpRequest, chosen: QuerySet[SlotPremium]) -> None:
        """End the chosen premiums."""
        for premium in chosen:
            operations.withdraw_slot_premium(
                premium_id=premium.pk, operator=staff(request), now=timezone.now()
            )


class AccountLinkForm(forms.ModelForm):
    """Two accounts in whatever order they were found."""

    class Meta:
        model = AccountLink
        fields = ("first", "second", "note")

    def clean(self) -> dict[str, Any]:
        """Put the smaller id first, as pairs are kept; one account is not a pair."""
        said: dict[str, Any] = super().clean() or {}
        pair = [said[name] for name in ("first", "second") if name in said]
        if len(pair) == 2 and pair[0] == pair[1]:
            self.add_error("second", "Name two accounts.")
        return said | dict(zip(("first", "second"), sorted(pair), strict=False))


@admin.register(AccountLink)
class AccountLinkAdmin(ReadOnlyAdmin):
    """Accounts that belong together; neither bids or buys from the other. Staff adds a link with the reason."""

    list_display = ["linked_at", "first", "second", "note", "linked_by"]
    search_fields = ["first", "second", "note"]
    ordering = ["-linked_at"]
    form = AccountLinkForm

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let staff that may add links add one."""
        return admin.ModelAdmin.has_add_permission(self, request)

    def save_model(
        self,
        request: HttpRequest,
        obj: AccountLink,
        form: forms.ModelForm,
        change: bool,  # noqa: FBT001  Django's signature
    ) -> None:
        """Link by the operation, in whatever order the two were typed."""
        link = operations.link_accounts(
            one=obj.first,
            other=obj.second,
            note=obj.note,
            linked_by=staff(request),
            now=timezone.now(),
        )
        obj.pk = link.pk if link else None


@admin.register(Dispute)
class DisputeAdmin(admin.ModelAdmin):
    """What buyers report. Staff upholds or dismisses it, with an answer that buyer and seller read."""

    list_display = ["opened_at", "sale", "state", "buyer", "seller", "decided_at"]
    list_filter = ["state"]
    search_fields = ["sale__id", "buyer", "seller"]
    fields = ("sale", "buyer", "seller", "text", "opened_at", "state", "answer", "decided_by")
    readonly_fields = ("sale", "buyer", "seller", "text", "opened_at", "decided_by")
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: buyers report."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Dispute | None = None) -> bool:
        """Refuse: it is on record."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Dispute | None = None) -> Any:  # noqa: ANN401  Django's own type
        """Leave a decided dispute as it is."""
        decided = ("state", "answer") if obj and obj.state != Dispute.State.OPEN else ()
        return (*self.readonly_fields, *decided)

    def save_model(
        self,
        request: HttpRequest,
        obj: Dispute,
        form: forms.ModelForm,
        change: bool,  # noqa: FBT001  Django's signature
    ) -> None:
        """Decide by the operation."""
        if obj.state == Dispute.State.OPEN:
            return
        operations.decide_dispute(
            dispute_id=obj.pk,
            state=Dispute.State(obj.state),
            answer=obj.answer,
            decided_by=staff(request),
            now=timezone.now(),
        )


@admin.register(Document)
class DocumentAdmin(ReadOnlyAdmin):
    """Documents that owners show or showed; their bytes are not shown here."""

    list_display = [
        "uploaded_at",
        "netuid",
        "owner",
        "name",
        "content_type",
        "size_bytes",
        "withdrawn_at",
    ]
    search_fields = ["netuid", "owner", "digest"]
    ordering = ["-uploaded_at"]
    exclude = ["content"]


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """API keys without what is kept of their secrets."""

    list_display = ["id", "owner", "name", "scopes", "last_used_at", "expires_at", "revoked_at"]
    list_select_related = ["owner"]
    search_fields = ["id", "owner__email"]
    ordering = ["-created_at"]
    exclude = ["secret_digest"]
