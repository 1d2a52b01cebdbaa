"""What a reader's programs used of served models: by day, by model, request by request, and a word on a bad answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from compute import operations as operate
from compute import queries as compute
from compute.models import Usage
from compute.queries import UsageSum
from compute.reporting import REASON_LENGTH_MAX, Standing
from ledger import spoken
from marketplace.pages.exports import csv_file, paced
from marketplace.pages.reader import reader
from marketplace.pages.refusals import answered


class ReportForm(forms.Form):
    reason = forms.CharField(label="What is wrong with the answer", max_length=REASON_LENGTH_MAX)
    shows_chat = forms.BooleanField(label="Show the conversation to validators", required=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a report, in words; tone: of the chip."""

    word: str
    tone: str
    detail: str


TOLD = {
    Standing.TOLD: Told("reported", "wait", "Validators read your words."),
    Standing.AWAITED: Told("reported", "wait", "The conversation is being fetched."),
    Standing.GONE: Told(
        "reported", "wait", "The conversation was not kept any more. Validators read your words."
    ),
    Standing.SHOWN: Told(
        "shown", "wait", "Validators read it. An answer of this kind cannot be repeated."
    ),
    Standing.CHECKING: Told("being checked", "wait", "Validators ask their own models the same."),
    Standing.UPHELD: Told(
        "upheld", "good", "Validators found it wrong. It counts against the miner."
    ),
    Standing.NOT_UPHELD: Told(
        "not upheld", "bad", "The model says just that: the miner passed it on as it is."
    ),
    Standing.UNJUDGED: Told("not judged", "wait", "No validator looked at it in time."),
}


@dataclass(frozen=True, slots=True)
class ModelSum:
    """What one model came to over all days shown."""

    model: str
    requests_count: int
    failed_count: int
    prompt_tokens: int
    completion_tokens: int
    price_rao: int


@login_required
def usage(request: HttpRequest) -> HttpResponse:
    """Show what the reader's keys used of models in the last days."""
    owner, now = reader(request).id, timezone.now()
    sums = compute.usage_sums(owner, now=now)
    page = {
        "sums": sums,
        "days": by_day(sums, now=now),
        "models": by_model(sums),
        "rows": [(row, told(row)) for row in compute.latest_usages(owner)],
        "spent_rao": sum(line.price_rao for line in sums),
        "days_shown": compute.DAYS_SHOWN,
        "base_url": f"{settings.GATEWAY_URLS[0]}/v1" if settings.GATEWAY_URLS else "",
    }
    return render(request, "models/usage.html", page)


def told(row: Usage) -> Told | None:
    """Return what is said of a request's report; None where there is none."""
    report = getattr(row, "report", None)
    return None if report is None else TOLD[compute.standing_of(report)]


def by_day(sums: Sequence[UsageSum], *, now: datetime) -> list[tuple[str, int]]:
    """Return (day, rao) for every day shown, oldest first; days without requests are zero."""
    spent: dict[date, int] = {}
    for line in sums:
        spent[line.day] = spent.get(line.day, 0) + line.price_rao
    days = [now.date() - timedelta(days=back) for back in reversed(range(compute.DAYS_SHOWN))]
    return [(spoken.day(day), spent.get(day, 0)) for day in days]


def by_model(sums: Sequence[UsageSum]) -> list[ModelSum]:
    """Sum the days of each model, the dearest first."""
    models: dict[str, list[UsageSum]] = {}
    for line in sums:
        models.setdefault(line.model, []).append(line)
    whole = [
        ModelSum(
            model=model,
            requests_count=sum(line.requests_count for line in lines),
            failed_count=sum(line.failed_count for line in lines),
            prompt_tokens=sum(line.prompt_tokens for line in lines),
            completion_tokens=sum(line.completion_tokens for line in lines),
            price_rao=sum(line.price_rao for line in lines),
        )
        for model, lines in models.items()
    ]
    return sorted(whole, key=lambda line: (-line.price_rao, line.model))


@login_required
@paced
def usage_file(request: HttpRequest) -> HttpResponse:
    """Hand out the reader's requests as CSV, newest first."""
    rows = [
        (
            row.began_at.isoformat(), row.id, row.payer, row.model, row.netuid, row.hotkey, row.outcome,
            row.prompt_tokens, row.completion_tokens, row.price_rao, row.is_free, row.first_token_ms,
            row.duration_ms,
        )
        for row in compute.usages_to_export(reader(request).id)
    ]  # fmt: skip
    header = (
        "began_at", "request", "key", "model", "netuid", "hotkey", "outcome", "prompt_tokens",
        "completion_tokens", "price_rao", "is_free", "first_token_ms", "duration_ms",
    )  # fmt: skip
    return csv_file("usage", header, rows)


@login_required
@require_POST
@answered
def report_answer(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Tell the validators of a subnet that an answer was bad."""
    form = ReportForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say in a few words what is wrong with the answer.")
        return redirect("usage")
    operate.report_answer(
        usage_id=pk, owner=reader(request).id, now=timezone.now(), **form.cleaned_data
    )
    messages.success(request, "The validators of the subnet can read your report now.")
    return redirect("usage")
