"""The staff's admin site: behind the site's own sign-in and, unless STAFF_SECOND_FACTOR is off, a second factor."""

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from marketplace.pages.proving import proven_at, second_factor_required


class StaffSite(AdminSite):
    site_header = site_title = "Marketplace staff"
    index_title = "Operate the marketplace"

    def has_permission(self, request: HttpRequest) -> bool:
        """Let in staff whose session proved a second factor, at its sign-in or since."""
        if not super().has_permission(request):
            return False
        return not settings.STAFF_SECOND_FACTOR or proven_at(request) is not None

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send staff to the site's own sign-in and second factor, and from there to where they wanted to go.

        Django's own form takes a password alone, so it is not shown.
        """
        if settings.STAFF_SECOND_FACTOR:
            answer = second_factor_required(self._let_in)(request)
        elif request.user.is_authenticated:
            answer = self._let_in(request)
        else:
            answer = redirect(f"{reverse('account_login')}?next={request.get_full_path()}")
        assert isinstance(answer, HttpResponse)
        return answer

    def password_change(  # type: ignore[override]  # leads elsewhere, and shows no template
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the site's own form, which writes down the change and tells of it."""
        return redirect("account_change_password")

    def _let_in(self, request: HttpRequest) -> HttpResponseBase:
        if not self.has_permission(request):
            raise PermissionDenied
        index = reverse("admin:index", current_app=self.name)
        wanted = request.GET.get(REDIRECT_FIELD_NAME, index)
        is_own = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure())
        return HttpResponseRedirect(wanted if is_own else index)
