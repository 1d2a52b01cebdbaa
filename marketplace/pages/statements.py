"""The statement of a wallet between two days, as a page and as files, and the receipt of each of its entries."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from ledger import booked, chart, history, receipts
from ledger.errors import EntryNotSealed
from ledger.history import Clock, DatedLine
from ledger.money import format_tao
from marketplace.models import User
from marketplace.pages import wording
from marketplace.pages.exports import csv_pieces, paced, streamed
from marketplace.pages.reader import reader
from marketplace.pages.refusals import answered

DAYS_SHOWN = 30  # until the reader chooses: a month is what a statement of a bank has
FIRST_DAY = date(2000, 1, 1)  # no books were kept before, and arithmetic on dates ends at year 1
HEADER = (
    "at", "recorded_at", "reason", "code", "counterpart", "note", "in_tao", "out_tao", "balance_tao",
    "change_rao", "balance_rao", "entry", "transfer",
)  # fmt: skip


class SpanForm(forms.Form):
    """From when to when. Days are UTC, and both are within."""

    begin = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    end = forms.DateField(label="To", widget=forms.DateInput(attrs={"type": "date"}))

    def clean(self) -> dict[str, Any]:
        """Refuse an end before its beginning, and days of no calendar of ours."""
        given = super().clean() or {}
        begin, end = given.get("begin"), given.get("end")
        if begin and end and end < begin:
            self.add_error("end", "The last day lies before the first.")
        if begin and begin < FIRST_DAY:
            self.add_error("begin", f"Choose a day from {FIRST_DAY.year} on.")
        if end and end.year >= date.max.year:
            self.add_error("end", "Choose an earlier day.")
        return given


class FileForm(SpanForm):
    """From when to when, and by which clock: a file is summed up anew, so it can be had by either."""

    by = forms.ChoiceField(
        choices=[
            (Clock.HAPPENED.value, "when it happened"),
            (Clock.RECORDED.value, "when it was booked"),
        ]
    )


@dataclass(frozen=True, slots=True)
class Span:
    """What a statement is of. end is the first instant that is not in it."""

    begin: datetime
    end: datetime
    by: Clock

    @property
    def words(self) -> dict[str, Any]:
        """Return it as the queries take it."""
        return {"begin": self.begin, "end": self.end, "by": self.by}


@login_required
@answered
def statement(request: HttpRequest) -> HttpResponse:
    """Show what was booked in the reader's wallet in some days, in the order of the books."""
    form, span = asked(request, SpanForm, now=timezone.now())
    page: dict[str, Any] = {"form": form}
    if span is not None:
        account, before = chart.wallet(reader(request).id), last_shown(request)
        told = booked.stretch(account, begin=span.begin, end=span.end)
        page |= {
            "told": told,
            "page": booked.page(account, told, before=before),
            "is_first": before is None,
            "span": urlencode({name: form.data[name] for name in form.fields}),
        }
    return render(request, "pages/statement.html", page)


@login_required
@paced
@answered
def csv_statement(request: HttpRequest) -> HttpResponseBase:
    """Hand out the reader's statement as CSV, the earliest line first."""
    _, span = asked(request, FileForm, now=timezone.now())
    if span is None:
        return statement(request)
    found = history.all_lines(chart.wallet(reader(request).id), **span.words)
    return streamed("statement.csv", "text/csv", csv_pieces(HEADER, map(csv_row, found)))


@login_required
@paced
@answered
def json_statement(request: HttpRequest) -> HttpResponseBase:
    """Hand out the reader's statement as JSON."""
    _, span = asked(request, FileForm, now=timezone.now())
    if span is None:
        return statement(request)
    return streamed("statement.json", "application/json", json_pieces(reader(request), span))


@login_required
@answered
def entry_page(request: HttpRequest, entry: int) -> HttpResponse:
    """Show what an entry did to the reader's accounts, and what seals it."""
    owner = reader(request).id
    parts = [
        part.value for part, is_shown in receipts.parts_for(entry=entry, owner=owner) if is_shown
    ]
    try:
        seal = receipts.receipt(entry=entry, owner=owner)["seal"]
    except EntryNotSealed:
        seal = None
    happened = dict(parts[0])
    times = {name: instant(happened[name]) for name in ("at", "recorded_at")}
    page = {
        "entry": entry,
        "happened": {**happened, **times},
        "effects": effects(parts),
        "seal": seal,
    }
    return render(request, "pages/entry.html", page)


@login_required
@paced
@answered
def receipt_file(request: HttpRequest, entry: int) -> HttpResponseBase:
    """Hand out the receipt of an entry, for `python -m ledger.prove`."""
    found = receipts.receipt(entry=entry, owner=reader(request).id)
    return streamed(f"receipt-{entry}.json", "application/json", [json.dumps(found, indent=1)])


def asked(
    request: HttpRequest, kind: type[SpanForm], *, now: datetime
) -> tuple[SpanForm, Span | None]:
    """Read the days from the address; without any, the last thirty. None when they cannot be read."""
    today = now.astimezone(UTC).date()
    usual = {
        "begin": (today - timedelta(days=DAYS_SHOWN)).isoformat(),
        "end": today.isoformat(),
        "by": Clock.HAPPENED.value,
    }
    form = kind({name: request.GET.get(name) or said for name, said in usual.items()})
    if not form.is_valid():
        return form, None
    day = timedelta(days=1)
    begin, end = form.cleaned_data["begin"], form.cleaned_data["end"] + day
    by = Clock(form.cleaned_data.get("by", Clock.RECORDED))
    return form, Span(midnight(begin), midnight(end), by)


def last_shown(request: HttpRequest) -> int | None:
    """Read which line the page before ended with; anything but a number begins at the newest."""
    sent = request.GET.get("before", "")
    return int(sent) if sent.isascii() and sent.isdecimal() and len(sent) <= 18 else None


def midnight(day: date) -> datetime:
    """Return when a day begins."""
    return datetime.combine(day, time(), tzinfo=UTC)


def instant(text: str | None) -> datetime:
    """Read an instant of a part."""
    assert text is not None, "an entry has both of its instants"
    return datetime.fromisoformat(text)


def csv_row(line: DatedLine) -> tuple[object, ...]:
    """Write a line in the order of HEADER; what is taken stands in a column of its own, without a sign."""
    in_rao, out_rao = max(line.change_rao, 0), max(-line.change_rao, 0)
    return (
        line.at.isoformat(), line.recorded_at.isoformat(), wording.because(line.code), line.code, line.counterpart,
        line.note, format_tao(in_rao), format_tao(out_rao), format_tao(line.balance_rao), line.change_rao,
        line.balance_rao, line.entry, line.transfer,
    )  # fmt: skip


def json_pieces(owner: User, span: Span) -> Iterator[str]:
    """Yield a statement as one JSON object, line by line; rao are decimal strings, as everywhere."""
    account = chart.wallet(owner.id)
    told = history.summary(account, **span.words)
    head = {
        "account": account.code,
        "begin": span.begin.isoformat(),
        "end": span.end.isoformat(),
        "dated_by": span.by.value,
        "opening_rao": str(told.opening_rao),
        "in_rao": str(told.in_rao),
        "out_rao": str(told.out_rao),
        "closing_rao": str(told.closing_rao),
    }
    yield json.dumps(head)[:-1] + ', "lines": ['
    for place, line in enumerate(history.all_lines(account, **span.words)):
        yield (",\n" if place else "\n") + json.dumps(json_line(line))
    yield "\n]}\n"


def json_line(line: DatedLine) -> dict[str, object]:
    """Write a line."""
    return {
        "at": line.at.isoformat(),
        "recorded_at": line.recorded_at.isoformat(),
        "reason": wording.because(line.code),
        "code": line.code,
        "counterpart": line.counterpart,
        "note": line.note,
        "change_rao": str(line.change_rao),
        "balance_rao": str(line.balance_rao),
        "entry": line.entry,
        "transfer": line.transfer,
    }


@dataclass(frozen=True, slots=True)
class Effect:
    """What an entry did to one account of the reader's. balance_rao: right after it, none for a hold."""

    account: str
    words: str
    change_rao: int
    balance_rao: int | None = None


def effects(parts: list[Mapping[str, str | None]]) -> list[Effect]:
    """Read what the shown parts did, in their order."""
    moved = {
        part["transfer"]: int(part["amount_rao"] or 0)
        for part in parts
        if part["part"] == "transfer"
    }
    found = []
    for part in parts:
        code = part.get("account") or ""
        account = "Your wallet" if code.startswith("wallet:") else chart.spoken(code)
        match part["part"]:
            case "debit" | "credit" as side:
                sign, words = (-1, "paid") if side == "debit" else (1, "received")
                amount_rao = sign * moved[part["transfer"]]
                found.append(Effect(account, words, amount_rao, int(part["balance_rao"] or 0)))
            case "hold placed":
                found.append(Effect(account, "set aside", int(part["amount_rao"] or 0)))
            case "hold ended":
                words = f"what was set aside was {part['state']}"
                found.append(Effect(account, words, int(part["posted_rao"] or 0)))
    return found
