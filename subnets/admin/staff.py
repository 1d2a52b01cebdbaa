"""What staff reads of subnets, and the one thing it changes: hyperparameters, as root."""
# ruff: noqa: ANN401  the signatures are Django's own

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from ledger.admin import ReadOnlyAdmin
from subnets import operations, queries
from subnets.admin.forms import RootChangeForm
from subnets.admin.owned import RefusableAdmin, owner_of
from subnets.hyperparameters import Authority
from subnets.models import (
    Epoch,
    EpochTerm,
    Hotkey,
    HyperparameterChange,
    IncentiveRule,
    Neuron,
    Ownership,
    Subnet,
)


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


@admin.register(HyperparameterChange)
class HyperparameterChangeAdmin(RefusableAdmin, ReadOnlyAdmin):
    """The log of every subnet. Adding to it is how root sets a hyperparameter."""

    form = RootChangeForm
    list_display = ["subnet", "name", "old_value", "new_value", "authority", "account", "at"]
    list_filter = ["authority", "name"]
    list_select_related = ["subnet"]
    search_fields = ["subnet__name", "account"]
    ordering = ["-id"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let in who may change subnets; to read the log is not to write it."""
        return request.user.has_perm("subnets.change_subnet")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return what is typed, or all of a change that was made."""
        if obj is None:
            return ["subnet", "name", "new_value", "is_confirmed"]
        return ["subnet", "name", "old_value", "new_value", "authority", "account", "at", "block"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        """Set the hyperparameter by its operation; the row that this writes is the one that was added."""
        operations.set_hyperparameters(
            netuid=obj.subnet_id,
            account=owner_of(request),
            values={obj.name: obj.new_value},
            now=timezone.now(),
            authority=Authority.ROOT,
        )
        (written,) = queries.hyperparameter_changes(obj.subnet_id, name=obj.name, limit=1)
        obj.pk = written.pk
