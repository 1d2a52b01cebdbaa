"""Cards for staff: deposits, what became of their payments, and what Stripe told. All of it is read."""

from django.contrib import admin

from ledger.admin import ReadOnlyAdmin
from marketplace.models import CardFailure, Chargeback, Deposit, WebhookEvent


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


@admin.register(Chargeback)
class ChargebackAdmin(ReadOnlyAdmin):
    """Disputes of card payments, by when Stripe wants evidence; it is sent in Stripe's dashboard."""

    list_display = ["due_at", "status", "reason", "amount_cents", "deposit", "id"]
    list_select_related = ["deposit"]
    list_filter = ["status", "reason"]
    search_fields = ["id", "deposit__id", "deposit__owner"]
    ordering = ["-due_at"]


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
