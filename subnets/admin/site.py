"""The owners' console: open to everybody who signs in, empty for who owns nothing."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib.admin import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, resolve_url
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from subnets import queries, rule_trial
from subnets.errors import RuleEvaluatorUnavailable, RuleInvalid
from subnets.limits import RuleCheckThrottle
from subnets.rule_document import DOCUMENT_BYTES_MAX

# A document in a form body: percent-encoding makes three bytes of one, and the field has a name.
CHECK_BODY_BYTES_MAX = 3 * DOCUMENT_BYTES_MAX + 1_024


class OwnerSite(AdminSite):
    site_header = site_title = "Owner’s console"
    index_title = "Your subnets"
    site_url = "/"
    index_template = "owner/index.html"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        """Let in who is signed in; what they see is theirs alone."""
        return request.user.is_active and request.user.is_authenticated

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send people to the market's own sign-in, and from there to where they wanted to go."""
        index = reverse("admin:index", current_app=self.name)
        wanted = request.GET.get(REDIRECT_FIELD_NAME, index)
        if not url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure()):
            wanted = index
        if self.has_permission(request):
            return HttpResponseRedirect(wanted)
        return redirect_to_login(wanted, resolve_url("account_login"))

    def password_change(  # type: ignore[override]  # leads elsewhere, and shows no template
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the market's own form, which writes down the change and tells of it."""
        return redirect("account_change_password")

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Show the console; to who owns nothing, how to own a subnet."""
        owner = request.user.pk
        assert isinstance(owner, UUID)
        has_subnet = bool(queries.subnets_of(owner))
        return super().index(request, {"has_subnet": has_subnet} | (extra_context or {}))

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Add the live check of a rule."""
        check = path("rules/check/", require_POST(self.check_rule), name="rule_check")
        return [check, *super().get_urls()]

    def check_rule(self, request: HttpRequest) -> JsonResponse:
        """Say what is wrong with the rule in the field `document`, and what to beware of; nothing is saved.

        The rule is tried on the last miners of the subnet in the field `subnet`, too.
        """
        if not self.has_permission(request):
            return _answer([_problem("Your session has ended. Sign in again.")], status=401)
        if int(request.headers.get("Content-Length") or 0) > CHECK_BODY_BYTES_MAX:
            detail = f"The rule is too long; at most {DOCUMENT_BYTES_MAX} bytes are allowed."
            return _answer([_problem(detail)], status=413)
        if wait_s := RuleCheckThrottle().wait_s(request):
            answer = _answer([_problem(f"Too many checks; wait {wait_s} s.")], status=429)
            answer.headers["Retry-After"] = str(wait_s)
            return answer
        asked = request.POST.get("subnet", "")
        netuid = int(asked) if asked.isdecimal() and len(asked) < 6 else 0
        try:
            said = rule_trial.opinion(request.POST.get("document", ""), queries.last_miners(netuid))
        except RuleEvaluatorUnavailable as refusal:
            return _answer([_problem(str(refusal))], status=503)
        problems, warnings = (
            [{"pointer": item.pointer, "message": item.detail} for item in found]
            for found in (said.trial.problems, said.trial.warnings)
        )
        return _answer(problems, warnings, digest=said.digest)


def rule_problems(refusal: RuleInvalid) -> list[dict[str, str]]:
    """Return every problem of a rule as {pointer, message}."""
    problems = refusal.fields["problems"]
    assert isinstance(problems, list)
    return [{"pointer": item["pointer"], "message": item["detail"]} for item in problems]


def _problem(message: str) -> dict[str, str]:
    return {"pointer": "", "message": message}


def _answer(
    problems: list[dict[str, str]],
    warnings: Sequence[dict[str, str]] = (),
    *,
    digest: str = "",
    status: int = 200,
) -> JsonResponse:
    body = {"problems": problems, "warnings": list(warnings), "digest": digest}
    answer = JsonResponse(body, status=status)
    answer.headers["Cache-Control"] = "no-store"
    return answer


owner_site = OwnerSite(name="owner")
