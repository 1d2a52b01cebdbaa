"""Before an owner publishes a draft: what it would have paid, and what posing as several would earn."""
# ruff: noqa: ANN401  the signatures are Django's own

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from ledger.errors import DomainError
from subnets import operations, queries, rules, sybil
from subnets.admin.forms import said
from subnets.admin.owned import OwnedAdmin, owner_of
from subnets.admin.site import owner_site
from subnets.backtest import EPOCHS_MAX
from subnets.models import Backtest, IncentiveRule

POSES_KEPT_S = 3_600  # an epoch closes about as often, and then it is tried anew
EPOCHS_ASKED = 100  # unless the form says otherwise
DRAWN_MAX = 12  # winners, and as many losers: what a screen of a phone holds; the table has all
CHART_HALF = 100  # from the middle of the chart to either side


@dataclass(frozen=True, slots=True)
class Change:
    """A line of the table and the chart. x, width: the bar, from the middle at CHART_HALF."""

    hotkey: str
    account: str
    was_rao: int
    would_rao: int
    change_rao: int
    x: int
    width: int

    @property
    def kind(self) -> str:
        """Say which way it goes."""
        if self.change_rao == 0:
            return "same"
        return "gain" if self.change_rao > 0 else "loss"


@admin.register(Backtest, site=owner_site)
class OwnBacktestAdmin(OwnedAdmin):
    """Backtests of one's own subnets: listed, asked for from a draft, watched, read."""

    list_display = ["asked_at", "subnet", "state", "epoch_count", "short_digest"]
    list_select_related = ["subnet"]
    ordering = ["-asked_at"]

    @admin.display(description="rule")
    def short_digest(self, obj: Backtest) -> str:
        """Show the beginning of the rule's digest."""
        return obj.digest[:12]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave the answers where they are: a list has no use for them."""
        return super().get_queryset(request).defer("answer")

    def get_urls(self) -> list[URLPattern]:
        """Add what a draft's page links to, and the part of a page that is asked for anew."""
        view = self.admin_site.admin_view
        return [
            path(
                "ask/<int:rule_id>/",
                require_POST(view(self.ask_view)),
                name="subnets_backtest_ask",
            ),
            path(
                "poses/<int:rule_id>/",
                require_GET(view(self.poses_view)),
                name="subnets_backtest_poses",
            ),
            path(
                "<uuid:backtest_id>/state/",
                require_GET(view(self.state_view)),
                name="subnets_backtest_state",
            ),
            *super().get_urls(),
        ]

    def ask_view(self, request: HttpRequest, rule_id: int) -> HttpResponse:
        """Ask for a backtest of a saved version and lead to its page."""
        rule = own_rule(request, rule_id)
        where = reverse("owner:subnets_incentiverule_change", args=[rule.pk])
        asked = request.POST.get("epoch_count", str(EPOCHS_ASKED)).strip()
        count = int(asked) if asked.isdecimal() and len(asked) < 5 else 0
        if not 1 <= count <= EPOCHS_MAX:
            line = (
                f"Epochs must be a whole number from 1 to {EPOCHS_MAX}; no backtest was asked for."
            )
            self.message_user(request, line, messages.ERROR)
            return HttpResponseRedirect(where)
        try:
            found = operations.ask_backtest(
                netuid=rule.subnet_id,
                owner=owner_of(request),
                version=rule.version,
                epoch_count=count,
                now=timezone.now(),
            )
        except DomainError as refusal:
            self.message_user(request, " ".join(said(refusal)), messages.ERROR)
            return HttpResponseRedirect(where)
        return HttpResponseRedirect(reverse("owner:subnets_backtest_change", args=[found.pk]))

    def poses_view(self, request: HttpRequest, rule_id: int) -> HttpResponse:
        """Say what splitting and copying would earn under a saved version."""
        rule = own_rule(request, rule_id)
        context: dict[str, Any] = {"rule": rule, "title": "Posing as several"}
        try:
            report = poses_report(rule, now=timezone.now())
            context["report"] = report
            context["verdicts"] = [
                ("Splitting one miner’s capacity", report.verdict(sybil.Way.SPLIT)),
                ("Copying a miner", report.verdict(sybil.Way.COPY)),
            ]
        except DomainError as refusal:
            context["refusal"] = " ".join(said(refusal))
        return self.part(request, "owner/poses.html", context)

    def state_view(self, request: HttpRequest, backtest_id: Any) -> HttpResponse:
        """Return how far a backtest is, or its answer: the part of its page that changes."""
        return self.part(
            request, "owner/backtest_state.html", shown(own_backtest(request, backtest_id))
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a backtest; a stranger's is not there."""
        del form_url, extra_context
        found = own_backtest(request, object_id)
        context = shown(found) | {"part": "owner/backtest_state.html", "title": "Backtest"}
        context |= self.admin_site.each_context(request)
        return TemplateResponse(request, "owner/backtest.html", context)

    def part(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        """Answer with a part of a page when a script asks for one, and with a page when a person does."""
        if request.headers.get("X-Part"):
            return TemplateResponse(request, template, context)
        whole = {"part": template} | context | self.admin_site.each_context(request)
        return TemplateResponse(request, "owner/backtest.html", whole)


def poses_report(rule: IncentiveRule, *, now: datetime) -> sybil.Report:
    """Return what posing as several would earn, computed once a rule and epoch while it is kept.

    It settles the epoch some twenty times; what a registration costs is as of the first time.
    Raises: RuleInvalid, RuleTooCostly, RuleEvaluatorUnavailable.
    """
    parsed = rules.parse(rule.document)
    last = next(iter(queries.epochs(rule.subnet_id, limit=1)), None)
    key = f"poses:{rule.subnet_id}:{rules.digest(parsed)}:{last.pk if last else None}"
    kept: sybil.Report | None = cache.get(key)
    if kept is None:
        kept = sybil.report(
            parsed,
            queries.last_evidence(rule.subnet_id),
            burn_rao=queries.burn_cost(rule.subnet_id, now),
        )
        cache.set(key, kept, POSES_KEPT_S)
    return kept


def own_rule(request: HttpRequest, rule_id: int) -> IncentiveRule:
    """Return a version of one's own subnet. Raises: Http404."""
    own = IncentiveRule.objects.filter(pk=rule_id, subnet__owner=owner_of(request))
    found = own.select_related("subnet").first()
    if found is None:
        raise Http404
    return found


def own_backtest(request: HttpRequest, backtest_id: Any) -> Backtest:
    """Return a backtest of one's own subnet. Raises: Http404."""
    own = Backtest.objects.filter(subnet__owner=owner_of(request)).select_related("subnet")
    try:
        found = own.filter(pk=backtest_id).first()
    except (ValidationError, ValueError):
        found = None
    if found is None:
        raise Http404
    return found


def shown(found: Backtest) -> dict[str, Any]:
    """Return what a backtest's page shows."""
    unfinished = found.state in {Backtest.State.ASKED, Backtest.State.RUNNING}
    context: dict[str, Any] = {"backtest": found, "is_unfinished": unfinished}
    if found.answer is None:
        return context
    rows = changes(found.answer)
    gains = [row for row in rows if row.change_rao > 0]
    losses = [row for row in rows if row.change_rao < 0]
    return context | {
        "answer": {
            name: int(found.answer[name])
            for name in ("first_epoch", "last_epoch", "emission_rao", "moved_rao")
        },
        "is_same": found.answer["is_same"],
        "faults": found.answer["faults"],
        "parts": [
            (name, int(found.answer["was"][key]), int(found.answer["would"][key]))
            for name, key in (
                ("The owner", "owner_rao"),
                ("Miners", "miners_rao"),
                ("Validators and who stakes on them", "validators_rao"),
                ("Burned", "burned_rao"),
            )
        ],
        "rows": rows,
        "accounts": [
            (item["account"], *(int(item[key]) for key in ("was_rao", "would_rao", "change_rao")))
            for item in found.answer["accounts"]
        ],
        "gain_count": len(gains),
        "loss_count": len(losses),
        "drawn": [*gains[:DRAWN_MAX], *losses[-DRAWN_MAX:]],
        "is_cut": len(gains) > DRAWN_MAX or len(losses) > DRAWN_MAX,
    }


def changes(answer: dict[str, Any]) -> list[Change]:
    """Return a line a hotkey, the greatest gain first, with its bar."""
    greatest = max((abs(int(item["change_rao"])) for item in answer["hotkeys"]), default=0) or 1
    lines = []
    for item in answer["hotkeys"]:
        change_rao = int(item["change_rao"])
        width = -(-abs(change_rao) * CHART_HALF // greatest)
        lines.append(
            Change(
                hotkey=item["hotkey"],
                account=item["owner"],
                was_rao=int(item["was_miner_rao"]) + int(item["was_validator_rao"]),
                would_rao=int(item["would_miner_rao"]) + int(item["would_validator_rao"]),
                change_rao=change_rao,
                x=CHART_HALF if change_rao > 0 else CHART_HALF - width,
                width=width,
            )
        )
    return lines
