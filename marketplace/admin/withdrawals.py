"""The desk of withdrawals: staff lets them go, or refuses them with a reason. Rows are read; acts are operations."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone

from ledger import spoken
from ledger.admin import ReadOnlyAdmin
from ledger.errors import DomainError
from marketplace import operations
from marketplace.admin.auctions import staff
from marketplace.models import (
    PayoutAccount,
    RehearsedBroadcast,
    Withdrawal,
    WithdrawalAddress,
    WithdrawalApproval,
)
from marketplace.models.withdrawals import REASON_LENGTH_MAX
from marketplace.queries import withdrawals as outgoing

ACTED_ON_AT_ONCE = 20  # a person answers for each


class RefusalForm(forms.Form):
    """Why a withdrawal is refused, or given up."""

    reason = forms.CharField(max_length=REASON_LENGTH_MAX, help_text="The owner reads it.")


class ApprovalInline(admin.TabularInline):
    """Who let it go, below the withdrawal."""

    model = WithdrawalApproval
    fields = readonly_fields = ("operator", "approved_at")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Withdrawal | None = None) -> bool:
        """Refuse: approving is an act of its own."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Withdrawal | None = None) -> bool:
        """Refuse: facts do not change."""
        return False


@admin.register(Withdrawal)
class WithdrawalAdmin(ReadOnlyAdmin):
    """Withdrawals, the oldest that waits first once filtered. Above a limit two people have to approve."""

    list_display = [
        "requested_at", "state", "amount", "rail", "approvals_so_far", "owner", "destination", "waits_for", "bank_fault",
    ]  # fmt: skip
    list_filter = ["state", "rail"]
    search_fields = ["id", "owner", "destination", "reference"]
    ordering = ["-requested_at"]
    exclude = ["key"]
    readonly_fields = ["destination_known_since"]
    actions = ["approve"]
    inlines = [ApprovalInline]
    change_form_template = "admin/withdrawal_change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Withdrawal]:
        """Count approvals along with the list."""
        rows: QuerySet[Withdrawal] = super().get_queryset(request)
        return rows.annotate(approval_count=Count("approvals"))

    @admin.display(description="TAO", ordering="held_rao")
    def amount(self, row: Withdrawal) -> str:
        """Show what leaves as people speak of it."""
        return spoken.tao(row.held_rao)

    @admin.display(description="Approvals")
    def approvals_so_far(self, row: Withdrawal) -> str:
        """Show how many of how many people let it go."""
        return f"{row.approval_count} of {row.approvals_needed}"  # type: ignore[attr-defined]  # annotated above

    @admin.display(description="Destination known since")
    def destination_known_since(self, row: Withdrawal) -> datetime | None:
        """Show when the owner named the address, or the account's bank last changed: a thief's is young."""
        return outgoing.destination_known_since(row)

    @admin.action(description="Let them go (approve)", permissions=["decide"])
    def approve(self, request: HttpRequest, chosen: QuerySet[Withdrawal]) -> None:
        """Approve the chosen withdrawals, each as far as this person may."""
        for row in chosen[:ACTED_ON_AT_ONCE]:
            self.approve_one(request, row.pk)

    def approve_one(self, request: HttpRequest, pk: UUID) -> None:
        """Approve one withdrawal, and say what came of it."""
        try:
            row = operations.approve_withdrawal(
                withdrawal_id=pk, operator=staff(request), now=timezone.now()
            )
        except DomainError as refusal:
            messages.error(request, f"{pk}: {refusal}")
        else:
            waits = row.state == Withdrawal.State.REQUESTED
            said = "another person has to approve it too" if waits else row.get_state_display()
            messages.success(request, f"{pk}: {said}")

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Let those act who may decide about withdrawals; the rows themselves stay read-only."""
        return request.user.has_perm("marketplace.decide_withdrawal")

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of the acts that ask for a reason."""
        return [
            path(f"<uuid:pk>/{name}/", self.admin_site.admin_view(view), name=f"withdrawal_{name}")
            for name, view in (("refuse", self.refuse_view), ("return", self.return_view))
        ] + super().get_urls()

    def refuse_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Ask why a withdrawal is refused, and refuse it."""
        return self.act(request, pk, "Refuse", operations.refuse_withdrawal)

    def return_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Ask why a withdrawal that its rail does not take is given up, and give it up."""
        return self.act(request, pk, "Give up", operations.return_withdrawal)

    def act(
        self, request: HttpRequest, pk: UUID, title: str, operation: Callable[..., Withdrawal]
    ) -> HttpResponse:
        """Show the form, or do what it says and lead back; what is refused stands in the form."""
        if not self.has_decide_permission(request):
            raise PermissionDenied
        row, form = get_object_or_404(Withdrawal, pk=pk), RefusalForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            asked = {**form.cleaned_data, "operator": staff(request), "now": timezone.now()}
            try:
                operation(withdrawal_id=pk, **asked)
            except DomainError as refusal:
                form.add_error(None, spoken.sentence(str(refusal)))
            else:
                self.message_user(request, "Done. It is on record.", messages.SUCCESS)
                return redirect("admin:marketplace_withdrawal_change", pk)
        page = {**self.admin_site.each_context(request), "original": row, "form": form}
        return render(request, "admin/withdrawal_act.html", page | {"title": title})


@admin.register(WithdrawalAddress)
class WithdrawalAddressAdmin(ReadOnlyAdmin):
    """Address books, the newest first."""

    list_display = ["added_at", "owner", "label", "ss58", "removed_at"]
    search_fields = ["owner", "ss58"]
    ordering = ["-added_at"]


@admin.register(PayoutAccount)
class PayoutAccountAdmin(ReadOnlyAdmin):
    """Accounts at Stripe, the newest first."""

    list_display = [
        "created_at", "owner", "account_id", "state", "stopped_at", "changed_at", "seen_at",
    ]  # fmt: skip
    list_filter = ["state"]
    search_fields = ["owner", "account_id"]
    ordering = ["-created_at"]


@admin.register(RehearsedBroadcast)
class RehearsedBroadcastAdmin(ReadOnlyAdmin):
    """What the rehearsed chain was asked to send: nothing moved anywhere."""

    list_display = ["sent_at", "request", "address", "amount_rao", "fate", "extrinsic"]
    list_filter = ["fate"]
    search_fields = ["request", "address", "extrinsic"]
    ordering = ["-sent_at"]
