"""The books for staff: to be read. Corrections are entries, made by operations."""

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from ledger.models import Account, Entry, Hold, Transfer


class ReadOnlyAdmin(admin.ModelAdmin):
    """Show rows and change none."""

    list_per_page = 50
    show_full_result_count = False  # counting every transfer would read them all

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: rows come from postings."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Refuse: facts do not change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Refuse: facts do not go away."""
        return False


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    """Accounts with their counters."""

    list_display = ["code", "kind", "asset", "credits_posted", "debits_posted", "debits_held"]
    list_filter = ["kind", "asset"]
    search_fields = ["code", "owner"]
    ordering = ["code"]


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    """Entries, latest first."""

    list_display = ["id", "key", "code", "at", "note"]
    search_fields = ["key", "code"]
    ordering = ["-id"]


@admin.register(Transfer)
class TransferAdmin(ReadOnlyAdmin):
    """Transfers, latest first."""

    list_display = ["id", "entry", "debit", "credit", "amount_rao"]
    list_select_related = ["entry", "debit", "credit"]
    search_fields = ["entry__key", "debit__code", "credit__code"]
    ordering = ["-id"]


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    """Holds, latest first."""

    list_display = ["id", "account", "amount_rao", "state", "posted_rao", "expires_at", "placed_by"]
    list_select_related = ["account", "placed_by"]
    list_filter = ["state"]
    search_fields = ["account__code", "placed_by__key"]
    ordering = ["-placed_by_id"]
