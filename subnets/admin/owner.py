"""What an owner sees and changes: their subnets, and what epochs and neurons of these did."""
# ruff: noqa: ANN401  the signatures are Django's own

from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ledger import spoken
from subnets import operations, queries
from subnets.admin.forms import OPERATORS, OWNERS, SubnetForm, WordsForm
from subnets.admin.owned import OwnedAdmin, owner_of
from subnets.admin.site import owner_site
from subnets.models import Epoch, HyperparameterChange, Neuron, Subnet


@admin.register(Subnet, site=owner_site)
class OwnSubnetAdmin(OwnedAdmin):
    """Words and hyperparameters of a subnet."""

    owner_path = "owner"
    form = SubnetForm
    list_display = ["netuid", "name", "blueprint", "emission_enabled", "next_epoch_block"]
    list_display_links = ["netuid", "name"]
    readonly_fields = [
        "netuid",
        "blueprint",
        "registered_at",
        "last_epoch_block",
        "next_epoch_block",
        "emission_enabled",
        "pending",
        "set_by_operator",
        "changes",
    ]
    fieldsets = [
        (None, {"fields": ["name", "summary", "description", "repository_url"]}),
        (
            "Facts",
            {
                "fields": [
                    "netuid",
                    "blueprint",
                    "registered_at",
                    ("last_epoch_block", "next_epoch_block"),
                    "emission_enabled",
                    "pending",
                ]
            },
        ),
        (
            "Hyperparameters",
            {
                "fields": ["changes", *(row.name for row in OWNERS)],
                "description": "Frozen in the last ten blocks before an epoch. Each may be changed once in two "
                "tempos, tempo itself once in 360 blocks, owner_cut_enabled at any time. What acts on an "
                "epoch acts from the running one on.",
            },
        ),
        ("Set by the operator", {"fields": ["set_by_operator"]}),
    ]

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Let owners change their own subnets."""
        return obj is None or self.is_own(request, obj)

    @admin.display(description="waiting for the next epoch")
    def pending(self, obj: Subnet) -> str:
        """Show the emission that has accrued."""
        return f"{spoken.tao(queries.waiting_rao(obj.netuid, now=timezone.now()))} TAO"

    @admin.display(description="values")
    def set_by_operator(self, obj: Subnet) -> SafeString:
        """Show what only the operator of the network may change."""
        lines = [(row.name, obj.hyperparameters[row.name], row.unit, row.doc) for row in OPERATORS]
        return format_html_join("", "<p><b>{}</b> {} {}<br>{}</p>", lines)

    @admin.display(description="changes")
    def changes(self, obj: Subnet) -> SafeString:
        """Link to the log of this subnet."""
        where = reverse("owner:subnets_hyperparameterchange_changelist")
        return format_html(
            '<a href="{}?subnet__netuid__exact={}">What was changed, when, and by whom</a>',
            where,
            obj.pk,
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        """Change words and hyperparameters by their operations."""
        assert isinstance(form, WordsForm)
        owner = owner_of(request)
        words = {name: form.cleaned_data[name] for name in WordsForm.Meta.fields}
        if set(words) & set(form.changed_data):
            operations.describe_subnet(netuid=obj.pk, owner=owner, **words)
        if values := form.changed_hyperparameters():
            operations.set_hyperparameters(
                netuid=obj.pk, account=owner, values=values, now=timezone.now()
            )


@admin.register(Epoch, site=owner_site)
class OwnEpochAdmin(OwnedAdmin):
    """What the epochs of a subnet paid, and what its rule did wrong."""

    list_display = ["subnet", "number", "emission", "closed_at", "rule", "rule_fault"]
    list_display_links = ["subnet", "number"]
    list_select_related = ["subnet", "rule"]
    ordering = ["-closed_at"]
    fields = [
        "subnet",
        "number",
        ("start_block", "end_block"),
        "closed_at",
        "rule",
        "rule_fault",
        "emission",
        "parts",
        "digest",
        "bundle_link",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Leave the bundles where they are: a page of them would be megabytes."""
        return super().get_queryset(request).defer("bundle", "handed_on")

    @admin.display(description="emission")
    def emission(self, obj: Epoch) -> str:
        """Show the emission in TAO."""
        return f"{spoken.tao(obj.emission_rao)} TAO"

    @admin.display(description="paid to")
    def parts(self, obj: Epoch) -> str:
        """Show who got what."""
        return (
            f"owner {spoken.tao(obj.owner_rao)}, miners {spoken.tao(obj.miners_rao)}, "
            f"validators {spoken.tao(obj.validators_rao)}, burned {spoken.tao(obj.burned_rao)} TAO"
        )

    @admin.display(description="public record")
    def bundle_link(self, obj: Epoch) -> SafeString:
        """Link to the bundle that anybody can recompute."""
        where = reverse("api-bundle", args=[obj.subnet_id, obj.number])
        return format_html('<a href="{}">bundle.json</a>', where)


@admin.register(Neuron, site=owner_site)
class OwnNeuronAdmin(OwnedAdmin):
    """Who works on a subnet."""

    list_display = ["subnet", "uid", "hotkey_id", "has_permit", "earned", "registered_at"]
    list_display_links = ["subnet", "uid"]
    list_select_related = ["subnet"]
    fields = [
        "subnet",
        "uid",
        "hotkey_id",
        "has_permit",
        "earned",
        "registered_at",
        "registered_block",
    ]
    ordering = ["subnet_id", "uid"]

    @admin.display(description="last epoch")
    def earned(self, obj: Neuron) -> str:
        """Show what the last epoch paid."""
        return f"{spoken.tao(obj.emission_rao)} TAO"


@admin.register(HyperparameterChange, site=owner_site)
class OwnChangeAdmin(OwnedAdmin):
    """Who changed which hyperparameter when, from what to what."""

    list_display = ["subnet", "name", "old_value", "new_value", "authority", "at", "block"]
    list_display_links = ["subnet", "name"]
    list_filter = ["name", "authority", ("subnet", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["subnet"]
    fields = ["subnet", "name", "old_value", "new_value", "authority", "account", "at", "block"]
    ordering = ["-id"]
