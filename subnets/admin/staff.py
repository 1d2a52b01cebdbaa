"""What staff reads of subnets. Owners change them; staff does not."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from ledger.admin import ReadOnlyAdmin
from subnets.models import Epoch, EpochTerm, Hotkey, IncentiveRule, Neuron, Ownership, Subnet


@admin.register(Subnet)
class SubnetAdmin(ReadOnlyAdmin):
    """Slots and who holds them."""

    list_display = ["netuid", "name", "blueprint", "owner", "pending_rao", "next_epoch_block"]
    list_filter = ["blueprint", "emission_enabled"]
    search_fields = ["name", "owner"]
    ordering = ["netuid"]


@admin.register(Ownership)
class OwnershipAdmin(ReadOnlyAdmin):
    """Who held a slot from when until when."""

    list_display = ["subnet", "owner", "starts_at", "ends_at", "price_rao", "reason"]
    list_filter = ["reason"]
    list_select_related = ["subnet"]
    search_fields = ["owner", "subnet__name"]
    ordering = ["-starts_at"]


@admin.register(Hotkey)
class HotkeyAdmin(ReadOnlyAdmin):
    """Keys and the accounts that answer for them."""

    list_display = ["ss58", "name", "owner", "linked_at"]
    search_fields = ["ss58", "owner", "name"]
    ordering = ["-linked_at"]


@admin.register(Neuron)
class NeuronAdmin(ReadOnlyAdmin):
    """Uids and their keys."""

    list_display = ["subnet", "uid", "hotkey", "has_permit", "emission_rao", "registered_at"]
    list_filter = ["has_permit"]
    list_select_related = ["subnet", "hotkey"]
    search_fields = ["hotkey__ss58", "subnet__name"]
    ordering = ["subnet_id", "uid"]


@admin.register(IncentiveRule)
class RuleAdmin(ReadOnlyAdmin):
    """Every version of every rule."""

    list_display = ["subnet", "version", "state", "from_epoch", "digest", "published_at"]
    list_filter = ["state"]
    list_select_related = ["subnet"]
    search_fields = ["digest", "subnet__name"]
    ordering = ["-created_at"]


@admin.register(Epoch)
class EpochAdmin(ReadOnlyAdmin):
    """Epochs, latest first; the bundle is public and stands at its own address."""

    list_display = ["subnet", "number", "closed_at", "emission_rao", "burned_rao", "rule_fault"]
    list_filter = ["closed_at"]
    list_select_related = ["subnet"]
    search_fields = ["digest", "subnet__name"]
    ordering = ["-closed_at"]
    exclude = ["bundle", "handed_on"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Leave the bundles where they are: a page of them would be megabytes."""
        return super().get_queryset(request).defer("bundle", "handed_on")


@admin.register(EpochTerm)
class EpochTermAdmin(ReadOnlyAdmin):
    """What consensus said of each uid, and what it was paid."""

    list_display = [
        "epoch",
        "uid",
        "hotkey",
        "stake_rao",
        "incentive_u16",
        "dividends_u16",
        "miner_rao",
        "validator_rao",
    ]
    list_filter = ["has_permit"]
    list_select_related = ["epoch"]
    search_fields = ["hotkey", "owner"]
    ordering = ["-epoch__closed_at", "uid"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Leave the bundles of the epochs where they are."""
        return super().get_queryset(request).defer("epoch__bundle", "epoch__handed_on")
