"""What pages of the consoles start from: forms that show refusals, and rows of whoever is signed in."""
# ruff: noqa: ANN401  the signatures are Django's own

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.paginator import Paginator
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from ledger.errors import DomainError

HISTORY_MAX = 100  # actions shown of one row


def owner_of(request: HttpRequest) -> UUID:
    """Return the account of whoever is signed in."""
    owner = request.user.pk
    assert isinstance(owner, UUID)
    return owner


class RefusableAdmin(admin.ModelAdmin):
    """Forms whose writes are operations: what one refuses is shown in the form, with all that was typed."""

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> Any:
        """Return the form; in the second run of a refused write it carries the refusal."""
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"refusal": getattr(request, "refusal", None)})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Run the view, and once more where an operation refuses."""
        try:
            # Rolled back as a whole: half of a form's changes would be a surprise.
            with transaction.atomic():
                return super().changeform_view(request, object_id, form_url, extra_context)
        except DomainError as refusal:
            # get_form reads it; HttpRequest declares no place for it.
            request.refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra_context)


class OwnedAdmin(RefusableAdmin):
    """Rows of the signed-in owner, and no others: every view of Django's admin starts from get_queryset."""

    owner_path: ClassVar[str] = "subnet__owner"
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the owner's rows."""
        return super().get_queryset(request).filter(**{self.owner_path: owner_of(request)})

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the section to everybody; it may be empty."""
        return True

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Let owners see their own rows."""
        return obj is None or self.is_own(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse unless a subclass allows it."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Refuse unless a subclass allows it."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Refuse: nothing is deleted here."""
        return False

    def is_own(self, request: HttpRequest, obj: models.Model) -> bool:
        """Say whether a row belongs to who asks."""
        return bool(self.get_queryset(request).filter(pk=obj.pk).exists())

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what this owner did; what a former owner did before the sale names that person."""
        own = LogEntry.objects.filter(
            user=owner_of(request),
            object_id=object_id,
            content_type=ContentType.objects.get_for_model(self.model),
        ).order_by("-action_time")[:HISTORY_MAX]
        page = Paginator(own, HISTORY_MAX).get_page(1)
        shown = {"action_list": page, "page_range": [1], "pagination_required": False}
        return super().history_view(request, object_id, shown | (extra_context or {}))
