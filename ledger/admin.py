"""The books for staff: to be read. Corrections are entries, made by operations."""

from django.contrib import admin
from django.db import models
from django.db.models import Max, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from ledger.models import Account, Entry, Hold, Seal, Transfer, Verification


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


@admin.register(Seal)
class SealAdmin(ReadOnlyAdmin):
    """Seals, latest first, each with the last pass that found nothing wrong up to it."""

    # A narrow screen shows the first columns: what is looked for comes first.
    list_display = ["number", "verified_at", "entry_count", "sealed_at", "head"]
    fields = [
        "number", "verified_at", "entry_count", "first_entry", "last_entry", "sealed_at",
        "whole_hash", "hash_before", "merkle_root",
    ]  # fmt: skip
    readonly_fields = ["verified_at", "whole_hash", "hash_before", "merkle_root"]
    ordering = ["-number"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Seal]:
        """Add when each was last recomputed by a pass without a fault."""
        passes = Verification.objects.filter(next_seal__gt=OuterRef("number"), fault_count=0)
        last = passes.order_by().values("fault_count").annotate(last=Max("looked_at"))
        seals: QuerySet[Seal] = super().get_queryset(request)
        return seals.annotate(last_verified_at=Subquery(last.values("last")))

    @admin.display(description="Hash")
    def head(self, seal: Seal) -> str:
        """Write the beginning of the hash, as it is compared by eye."""
        return bytes(seal.hash).hex()[:16]

    @admin.display(description="Hash")
    def whole_hash(self, seal: Seal) -> str:
        """Write the hash, as a receipt names it."""
        return bytes(seal.hash).hex()

    @admin.display(description="Hash of the seal before")
    def hash_before(self, seal: Seal) -> str:
        """Write what the seal follows."""
        return bytes(seal.previous).hex()

    @admin.display(description="Root")
    def merkle_root(self, seal: Seal) -> str:
        """Write what binds the entries."""
        return bytes(seal.root).hex()

    @admin.display(description="Last verified", empty_value="not yet")
    def verified_at(self, seal: Seal) -> object:
        """Return when it was."""
        return getattr(seal, "last_verified_at", None)


@admin.register(Verification)
class VerificationAdmin(ReadOnlyAdmin):
    """Passes over all seals, latest first, with what they found."""

    list_display = ["begun_at", "fault_count", "looked_at", "ended_at", "next_seal", "entry_count"]
    fields = [
        "begun_at",
        "looked_at",
        "ended_at",
        "next_seal",
        "entry_count",
        "fault_count",
        "found",
    ]
    readonly_fields = ["found"]
    ordering = ["-begun_at"]

    @admin.display(description="Faults", empty_value="none")
    def found(self, verification: Verification) -> str | None:
        """List what was found, a sentence a line; the log has all of it where that is more than is kept here."""
        lines = format_html_join("", "<li>{}</li>", ((fault,) for fault in verification.faults))
        return format_html("<ul>{}</ul>", lines) if lines else None
