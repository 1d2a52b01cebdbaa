"""An owner's rules: drafts are edited, tried and published; what is published is read, copied and restored."""
# ruff: noqa: ANN401  the signatures are Django's own

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.forms import ModelChoiceField, ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from ledger.errors import DomainError
from subnets import operations, queries, rule_trial
from subnets.admin import rule_reference
from subnets.admin.forms import RuleForm, pretty, said
from subnets.admin.owned import OwnedAdmin, owner_of
from subnets.admin.site import owner_site
from subnets.models import IncentiveRule, Subnet
from subnets.rule_trial import Finding


@admin.register(IncentiveRule, site=owner_site)
class OwnRuleAdmin(OwnedAdmin):
    """Rules: drafts are edited, tried and published; what is published is read, copied and restored."""

    form = RuleForm
    change_form_template = "owner/rule_change_form.html"
    change_list_template = "owner/rule_change_list.html"
    list_display = ["subnet", "version", "state", "from_epoch", "short_digest", "published_at"]
    list_display_links = ["subnet", "version"]
    list_filter = ["state"]
    list_select_related = ["subnet"]
    actions = ["publish_drafts", "discard_drafts"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let who owns a subnet draft a rule for it."""
        return bool(queries.subnets_of(owner_of(request)))

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Let owners change their own drafts."""
        if obj is None:
            return True
        assert isinstance(obj, IncentiveRule)
        return obj.state == IncentiveRule.State.DRAFT and self.is_own(request, obj)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return what is typed in a new rule and a draft, and what is read in a published one."""
        if obj is None:
            return ["subnet", "document"]
        if self.has_change_permission(request, obj):
            return ["subnet_shown", "version", "digest", "document"]
        told = ["subnet_shown", "version", "state", "from_epoch", "published_at", "digest"]
        return [*told, *(["restores"] if obj.restores else []), "text"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Everything but a draft's document is decided elsewhere."""
        return [
            name for name in self.get_fields(request, obj) if name not in {"subnet", "document"}
        ]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Start a new draft from the newest rule of the asked-for subnet, or of the only one."""
        own = {subnet.pk: subnet for subnet in queries.subnets_of(owner_of(request))}
        asked = request.GET.get("subnet", "")
        netuid = int(asked) if asked.isdecimal() and len(asked) < 6 else next(iter(own), None)
        if netuid not in own:
            return {}
        return {"subnet": netuid, "document": queries.rules_of(netuid)[0].document}

    def formfield_for_foreignkey(
        self,
        db_field: Any,
        request: HttpRequest,
        **kwargs: Any,
    ) -> ModelChoiceField | None:
        """Offer the owner's subnets only."""
        kwargs["queryset"] = Subnet.objects.filter(owner=owner_of(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Say what the draft's trial found and what it changes. A subnet has one draft: no "add another"."""
        context["show_save_and_add_another"] = False
        rule = context.get("original")
        if isinstance(rule, IncentiveRule):
            context |= told(rule, is_tried_again="again" in request.GET)
        if self.has_change_permission(request, rule):
            context["reference"] = rule_reference.reference()
        return super().render_change_form(request, context, *args, **kwargs)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Say above the list which subnet's rule could not be applied."""
        found = {
            subnet: queries.rule_fault(subnet.pk)
            for subnet in queries.subnets_of(owner_of(request))
        }
        faults = [(subnet, fault) for subnet, fault in found.items() if fault]
        return super().changelist_view(request, {"rule_faults": faults} | (extra_context or {}))

    @admin.display(description="subnet")
    def subnet_shown(self, obj: IncentiveRule) -> str:
        """Name the subnet, which a draft keeps."""
        return str(obj.subnet)

    @admin.display(description="digest")
    def short_digest(self, obj: IncentiveRule) -> str:
        """Show the beginning of the digest."""
        return obj.digest[:12]

    @admin.display(description="document")
    def text(self, obj: IncentiveRule) -> SafeString:
        """Show a published document as it was typed."""
        return format_html("<pre>{}</pre>", pretty(obj.document))

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:  # noqa: FBT001
        """Save the draft and, when asked, publish it, once its warnings have been read.

        `warned` is the digest of the rule whose warnings the page showed.
        """
        owner, now = owner_of(request), timezone.now()
        obj.document = form.cleaned_data["document"]
        # Saving locks the subnet until the page is answered, so what may take seconds comes first.
        warnings = warnings_of(obj) if "_publish" in request.POST else ()
        draft = operations.save_draft(
            netuid=obj.subnet_id, owner=owner, document=obj.document, now=now
        )
        obj.pk, obj.version, obj.state = draft.pk, draft.version, draft.state
        if "_publish" not in request.POST:
            return
        if warnings and request.POST.get("warned") != draft.digest:
            self.message_user(request, UNREAD, messages.WARNING)
            return
        rule = operations.publish_rule(
            netuid=obj.subnet_id,
            owner=owner,
            version=draft.version,
            digest=draft.digest,
            now=now,
        )
        obj.state = rule.state
        self.message_user(request, published(rule), messages.SUCCESS)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Lead from publishing to the list, where the new version stands on top, or back to its warnings."""
        if "_publish" not in request.POST:
            return super().response_change(request, obj)
        if obj.state == IncentiveRule.State.DRAFT:
            where = reverse("owner:subnets_incentiverule_change", args=[obj.pk])
            return HttpResponseRedirect(where)
        return HttpResponseRedirect(reverse("owner:subnets_incentiverule_changelist"))

    def response_add(
        self,
        request: HttpRequest,
        obj: Any,
        post_url_continue: str | None = None,
    ) -> HttpResponse:
        """Lead from publishing to the list."""
        if "_publish" in request.POST:
            return self.response_change(request, obj)
        return super().response_add(request, obj, post_url_continue)

    @admin.action(description="Publish the selected drafts", permissions=["change"])
    def publish_drafts(self, request: HttpRequest, queryset: QuerySet[IncentiveRule]) -> None:
        """Publish each draft; one that is refused, or has warnings to be read, stops no other."""
        for draft in queryset.filter(state=IncentiveRule.State.DRAFT):
            with self.refusals_told(request):
                if warnings_of(draft):
                    line = f"The draft of subnet {draft.subnet_id}: {UNREAD}"
                    self.message_user(request, line, messages.WARNING)
                    continue
                rule = operations.publish_rule(
                    netuid=draft.subnet_id,
                    owner=owner_of(request),
                    version=draft.version,
                    digest=draft.digest,
                    now=timezone.now(),
                )
                self.message_user(request, published(rule), messages.SUCCESS)

    @admin.action(description="Discard the selected drafts", permissions=["change"])
    def discard_drafts(self, request: HttpRequest, queryset: QuerySet[IncentiveRule]) -> None:
        """Drop drafts; published versions stay."""
        for draft in queryset.filter(state=IncentiveRule.State.DRAFT):
            operations.discard_draft(
                netuid=draft.subnet_id, owner=owner_of(request), version=draft.version
            )
            self.message_user(request, f"The draft of subnet {draft.subnet_id} is gone.")

    def get_urls(self) -> list[URLPattern]:
        """Add the copy of a published version into a draft, and its return as a new version."""
        copy = require_POST(self.admin_site.admin_view(self.copy_view))
        restore = require_POST(self.admin_site.admin_view(self.restore_view))
        return [
            path("<int:rule_id>/copy/", copy, name="subnets_incentiverule_copy"),
            path("<int:rule_id>/restore/", restore, name="subnets_incentiverule_restore"),
            *super().get_urls(),
        ]

    def copy_view(self, request: HttpRequest, rule_id: int) -> HttpResponse:
        """Make a draft of a version; a draft that is there already is shown and not replaced."""
        rule = self.get_queryset(request).filter(pk=rule_id).first()
        if rule is None:
            raise PermissionDenied
        draft = rule.subnet.rules.filter(state=IncentiveRule.State.DRAFT).first()
        if draft is None:
            draft = operations.save_draft(
                netuid=rule.subnet_id,
                owner=owner_of(request),
                document=rule.document,
                now=timezone.now(),
            )
        else:
            self.message_user(request, "This is the subnet’s draft; nothing was copied over it.")
        return HttpResponseRedirect(reverse("owner:subnets_incentiverule_change", args=[draft.pk]))

    def restore_view(self, request: HttpRequest, rule_id: int) -> HttpResponse:
        """Publish an earlier version again, once its warnings have been read."""
        rule = self.get_queryset(request).filter(pk=rule_id).first()
        if rule is None:
            raise PermissionDenied
        now = timezone.now()
        with self.refusals_told(request):
            is_read = request.POST.get("warned") == rule.digest
            if is_restorable(rule) and not is_read and warnings_of(rule):
                self.message_user(request, UNREAD, messages.WARNING)
                where = reverse("owner:subnets_incentiverule_change", args=[rule.pk])
                return HttpResponseRedirect(f"{where}?again=1")
            restored = operations.restore_rule(
                netuid=rule.subnet_id, owner=owner_of(request), version=rule.version, now=now
            )
            if restored.published_at == now:
                self.message_user(request, published(restored), messages.SUCCESS)
            else:
                self.message_user(request, unchanged(rule, restored))
        return HttpResponseRedirect(reverse("owner:subnets_incentiverule_changelist"))

    @contextmanager
    def refusals_told(self, request: HttpRequest) -> Iterator[None]:
        """Say a refusal on the next page instead of passing it on."""
        try:
            yield
        except DomainError as refusal:
            self.message_user(request, " ".join(said(refusal)), messages.ERROR)


UNREAD = "It was not published yet. Read the warnings below its document, then publish it."


def told(rule: IncentiveRule, *, is_tried_again: bool) -> dict[str, Any]:
    """Return what a page says of a version: its warnings, what it changes, and what goes wrong now.

    is_tried_again: whether an earlier version's warnings are shown too, for it is to be published again.
    """
    is_draft = rule.state == IncentiveRule.State.DRAFT
    is_shown_again = is_restorable(rule)
    earlier = queries.published_rules(rule.subnet_id, limit=1, before=rule.version)
    fault = queries.rule_fault(rule.subnet_id)
    return {
        "rule_warnings": warnings_of(rule)
        if is_draft or (is_tried_again and is_shown_again)
        else (),
        "rule_change": queries.changed(rule, earlier[0]) if earlier else None,
        "rule_faults": [(rule.subnet, fault)] if fault else [],
        "is_restorable": is_shown_again,
    }


def is_restorable(rule: IncentiveRule) -> bool:
    """Say whether publishing a version again would change anything: not the newest one, nor what it copied."""
    if rule.state == IncentiveRule.State.DRAFT:
        return False
    newest = queries.published_rules(rule.subnet_id, limit=1)[0]
    return rule.version not in {newest.version, newest.restores}


def warnings_of(rule: IncentiveRule) -> tuple[Finding, ...]:
    """Return what the owner should know before publishing a draft, or an earlier version again."""
    return rule_trial.opinion(rule.document, queries.last_miners(rule.subnet_id)).trial.warnings


def published(rule: IncentiveRule) -> str:
    """Say when a published rule begins to pay."""
    return (
        f"Version {rule.version} of subnet {rule.subnet_id} is published, SHA-256 {rule.digest}. "
        f"It pays from epoch {rule.from_epoch} on; until then the earlier version does."
    )


def unchanged(rule: IncentiveRule, newest: IncentiveRule) -> str:
    """Say that a version was not published again: the newest one is that version or its copy."""
    copy = "" if newest.version == rule.version else f", a copy of version {rule.version},"
    return (
        f"Nothing changes: version {newest.version}{copy} is the newest published version of subnet "
        f"{rule.subnet_id} already. It pays from epoch {newest.from_epoch} on."
    )
