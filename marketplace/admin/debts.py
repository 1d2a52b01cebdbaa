"""Debts for staff: one asks that a debt is forgiven, from its deposit's page; above a limit another agrees here."""

from collections.abc import Callable
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from ledger import spoken
from ledger.admin import ReadOnlyAdmin
from ledger.errors import DomainError
from marketplace import operations, queries
from marketplace.admin.auctions import staff
from marketplace.models import Deposit, Forgiveness, ForgivenessApproval
from marketplace.models.debts import REASON_LENGTH_MAX

ACTED_ON_AT_ONCE = 20  # a person answers for each
PERMISSION = "marketplace.forgive_debt"


class ForgiveForm(forms.Form):
    """Why a debt is to be forgiven."""

    reason = forms.CharField(
        max_length=REASON_LENGTH_MAX, help_text="Kept with the entry in the books, for good."
    )


def forgive_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask why a deposit's debt is to be forgiven, and ask for it; what is refused stands in the form."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    deposit, form = get_object_or_404(Deposit, pk=pk), ForgiveForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        asked = {**form.cleaned_data, "operator": staff(request), "now": timezone.now()}
        try:
            row = operations.forgive_debt(deposit_id=pk, **asked)
        except DomainError as refusal:
            form.add_error(None, spoken.sentence(str(refusal)))
        else:
            messages.success(request, sentence(row))
            return redirect("admin:marketplace_forgiveness_change", row.pk)
    owed = spoken.tao(queries.owed_rao(deposit.owner))
    page = {**admin.site.each_context(request), "original": deposit, "form": form, "owed": owed}
    return render(request, "admin/forgive_act.html", page | {"title": "Forgive the debt"})


def sentence(row: Forgiveness) -> str:
    """Say how far it is."""
    if row.state == Forgiveness.State.REQUESTED:
        return f"{row.pk}: another person has to agree too."
    return f"{row.pk}: {row.get_state_display().lower()}. It is on record."


class ApprovalInline(admin.TabularInline):
    """Who agreed, below it."""

    model = ForgivenessApproval
    fields = readonly_fields = ("operator", "approved_at")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Forgiveness | None = None) -> bool:
        """Refuse: agreeing is an act of its own."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Forgiveness | None = None) -> bool:
        """Refuse: facts do not change."""
        return False


@admin.register(Forgiveness)
class ForgivenessAdmin(ReadOnlyAdmin):
    """Debts that are to be given up, the newest first."""

    list_display = [
        "requested_at", "state", "most", "approvals_so_far", "owner", "reason", "requested_by", "deposit",
    ]  # fmt: skip
    list_select_related = ["deposit"]
    list_filter = ["state"]
    search_fields = ["id", "owner", "deposit__id", "requested_by"]
    ordering = ["-requested_at"]
    actions = ["approve", "refuse"]
    inlines = [ApprovalInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Forgiveness]:
        """Count approvals along with the list."""
        rows: QuerySet[Forgiveness] = super().get_queryset(request)
        return rows.annotate(approval_count=Count("approvals"))

    @admin.display(description="TAO", ordering="most_rao")
    def most(self, row: Forgiveness) -> str:
        """Show what is given up as people speak of it."""
        return spoken.tao(row.forgiven_rao or row.most_rao)

    @admin.display(description="Agreed")
    def approvals_so_far(self, row: Forgiveness) -> str:
        """Show how many of how many people agree."""
        return f"{row.approval_count} of {row.approvals_needed}"  # type: ignore[attr-defined]  # annotated above

    @admin.action(description="Agree that they are forgiven", permissions=["forgive"])
    def approve(self, request: HttpRequest, chosen: QuerySet[Forgiveness]) -> None:
        """Agree to the chosen ones, each as far as this person may."""
        self._each(request, chosen, operations.approve_forgiveness)

    @admin.action(description="Refuse", permissions=["forgive"])
    def refuse(self, request: HttpRequest, chosen: QuerySet[Forgiveness]) -> None:
        """Let the chosen debts stand."""
        self._each(request, chosen, operations.refuse_forgiveness)

    def has_forgive_permission(self, request: HttpRequest) -> bool:
        """Let those act who may forgive debts; the rows themselves stay read-only."""
        return request.user.has_perm(PERMISSION)

    def _each(
        self,
        request: HttpRequest,
        chosen: QuerySet[Forgiveness],
        act: Callable[..., Forgiveness],
    ) -> None:
        for row in chosen[:ACTED_ON_AT_ONCE]:
            try:
                done = act(forgiveness_id=row.pk, operator=staff(request), now=timezone.now())
            except DomainError as refusal:
                messages.error(request, f"{row.pk}: {refusal}")
            else:
                messages.success(request, sentence(done))
