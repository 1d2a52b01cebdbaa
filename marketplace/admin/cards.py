"""Cards for staff: deposits, what became of their payments, and what Stripe told. Rows are read; acts are operations."""

from collections.abc import Callable
from functools import partial

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils import timezone

from ledger import spoken
from ledger.admin import ReadOnlyAdmin
from ledger.errors import DomainError
from marketplace import operations, queries
from marketplace.admin import debts
from marketplace.admin.auctions import staff
from marketplace.models import (
    CardDifference,
    CardFailure,
    Chargeback,
    Deposit,
    FraudRefund,
    Restriction,
    WebhookEvent,
)

ACTED_ON_AT_ONCE = 20  # each asks Stripe, and a person waits


@admin.register(Deposit)
class DepositAdmin(ReadOnlyAdmin):
    """Card deposits, the newest first."""

    list_display = [
        "created_at", "owner", "state", "trouble", "amount_cents", "refunded_cents", "credit_rao", "credited_at",
        "payment_id",
    ]  # fmt: skip
    list_filter = ["state", "trouble"]
    search_fields = ["id", "owner", "session_id", "payment_id", "card_fingerprint"]
    ordering = ["-created_at"]
    exclude = ["checkout_url"]
    readonly_fields = ["owed"]
    actions = ["refund", "dismiss", "look"]
    change_form_template = "admin/deposit_change_form.html"

    def get_urls(self) -> list[URLPattern]:
        """Add the page that asks why a debt is forgiven."""
        view = self.admin_site.admin_view(debts.forgive_view)
        return [path("<uuid:pk>/forgive/", view, name="deposit_forgive"), *super().get_urls()]

    @admin.display(description="Owed, TAO")
    def owed(self, row: Deposit) -> str:
        """Show what its owner owes for this and other deposits."""
        return spoken.tao(queries.owed_rao(row.owner))

    @admin.action(description="Refund to the card", permissions=["change_cards"])
    def refund(self, request: HttpRequest, chosen: QuerySet[Deposit]) -> None:
        """Give the chosen payments back."""
        self._each(request, chosen, partial(operations.refund_deposit, operator=staff(request)))

    @admin.action(description="Dismiss the bank's warning", permissions=["change_cards"])
    def dismiss(self, request: HttpRequest, chosen: QuerySet[Deposit]) -> None:
        """Say that the chosen payments were no fraud."""
        self._each(request, chosen, partial(operations.dismiss_warning, operator=staff(request)))

    @admin.action(description="Look at the payment again", permissions=["change_cards"])
    def look(self, request: HttpRequest, chosen: QuerySet[Deposit]) -> None:
        """Ask Stripe, and post what is missing."""
        self._each(request, chosen, operations.look_again)

    def has_change_cards_permission(self, request: HttpRequest) -> bool:
        """Let those act who may change deposits; the rows themselves stay read-only."""
        return request.user.has_perm("marketplace.change_deposit")

    def _each(
        self, request: HttpRequest, chosen: QuerySet[Deposit], act: Callable[..., str]
    ) -> None:
        for deposit in chosen[:ACTED_ON_AT_ONCE]:
            try:
                said = act(deposit_id=deposit.pk, now=timezone.now())
            except DomainError as refusal:
                said = spoken.sentence(str(refusal))
            messages.info(request, f"{deposit.pk}: {said}")


@admin.register(FraudRefund)
class FraudRefundAdmin(ReadOnlyAdmin):
    """What was done without a person about banks' warnings; staff acts in the list of deposits."""

    list_display = ["warned_at", "state", "reason", "refunded_cents", "deposit", "next_at"]
    list_select_related = ["deposit"]
    list_filter = ["state"]
    search_fields = ["deposit__id", "deposit__owner", "deposit__payment_id"]
    ordering = ["-warned_at"]


@admin.register(Restriction)
class RestrictionAdmin(ReadOnlyAdmin):
    """What cannot be withdrawn yet, those that clear first first."""

    list_display = ["clears_at", "owner", "uncleared_rao", "deposit", "released_at"]
    list_select_related = ["deposit"]
    search_fields = ["owner", "deposit__id", "source"]
    ordering = ["clears_at"]
    actions = ["release"]

    @admin.action(description="Let it be withdrawn now", permissions=["release"])
    def release(self, request: HttpRequest, chosen: QuerySet[Restriction]) -> None:
        """Release the chosen restrictions."""
        for row in chosen[:ACTED_ON_AT_ONCE]:
            operations.release_restriction(
                restriction_id=row.pk, operator=staff(request), now=timezone.now()
            )

    def has_release_permission(self, request: HttpRequest) -> bool:
        """Let those act who may change restrictions."""
        return request.user.has_perm("marketplace.change_restriction")


@admin.register(Chargeback)
class ChargebackAdmin(ReadOnlyAdmin):
    """Disputes of card payments, by when Stripe wants evidence; it is sent in Stripe's dashboard."""

    list_display = ["due_at", "status", "reason", "amount_cents", "deposit", "id"]
    list_select_related = ["deposit"]
    list_filter = ["status", "reason"]
    search_fields = ["id", "deposit__id", "deposit__owner"]
    ordering = ["-due_at"]


@admin.register(CardDifference)
class CardDifferenceAdmin(ReadOnlyAdmin):
    """Where the books and Stripe do not agree; what is resolved stays to be read."""

    list_display = [
        "found_at",
        "kind",
        "subject",
        "about",
        "stripe_cents",
        "booked_cents",
        "resolved_at",
    ]
    list_filter = [("resolved_at", admin.EmptyFieldListFilter), "kind"]
    search_fields = ["subject"]
    ordering = ["-found_at"]


@admin.register(CardFailure)
class CardFailureAdmin(ReadOnlyAdmin):
    """Cards that did not pay, the newest first."""

    list_display = ["failed_at", "owner", "reason", "deposit"]
    list_select_related = ["deposit"]
    list_filter = ["reason"]
    search_fields = ["owner", "deposit__id"]
    ordering = ["-failed_at"]


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin):
    """What Stripe told, and what came of it."""

    list_display = ["received_at", "type", "outcome", "processed_at", "id"]
    list_filter = ["type"]
    search_fields = ["id", "outcome"]
    ordering = ["-received_at"]
