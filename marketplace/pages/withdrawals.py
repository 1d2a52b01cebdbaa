"""Pages of money that leaves: the form, what is held and what arrives, and each withdrawal on its way."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from ledger import spoken
from ledger.errors import DomainError
from ledger.money import RAO_PER_TAO
from marketplace import operations as marketplace
from marketplace import queries as market
from marketplace.bankpayouts import fault_words
from marketplace.models import User, Withdrawal, WithdrawalAddress
from marketplace.operations.rehearsal import rehearse
from marketplace.operations.withdrawals import Asked, is_open, rules
from marketplace.pages import kept
from marketplace.pages.forms import TaoField
from marketplace.pages.proving import proven_at, second_factor_required
from marketplace.pages.reader import form_key, reader
from marketplace.pages.refusals import answered, words
from marketplace.queries import withdrawals as outgoing
from marketplace.withdrawing import Quote, Rail

State = Withdrawal.State


class ChainForm(forms.Form):
    """How many TAO go to which address."""

    amount_rao = TaoField(label="Amount", help_text="The fee is taken of it.")
    address = forms.UUIDField(
        label="To",
        widget=forms.Select,
        error_messages={"required": "Choose an address of your book."},
    )


class DollarsForm(forms.Form):
    """How many TAO are sold for dollars."""

    amount_rao = TaoField(label="Amount", help_text="It is sold to the house at its rate.")


FORMS: dict[Rail, type[forms.Form]] = {Rail.CHAIN: ChainForm, Rail.STRIPE: DollarsForm}


@dataclass(frozen=True, slots=True)
class Line:
    """A withdrawal as its owner reads it."""

    row: Withdrawal
    arrives: str
    where: str


def line(row: Withdrawal) -> Line:
    """Read a row for the page."""
    if row.arrives_cents is not None:
        return Line(row, f"{spoken.dollars(row.arrives_cents)} USD", "Your account at Stripe")
    return Line(row, f"{spoken.tao(row.arrives_rao)} TAO", row.destination)


@login_required
@answered
def withdraw(request: HttpRequest) -> HttpResponse:
    """Show what may leave, by which ways, with what was refused of a form; take a form to its review."""
    if request.method == "POST":
        return reviewed(request, rail_of(request.POST))
    page = ways_out(reader(request), now=timezone.now())
    for rail in Rail:
        form = kept.kept_form(request, refused_name(rail), FORMS[rail]) or FORMS[rail]()
        kept.forget(request, refused_name(rail))
        page[f"{rail.value}_form"] = offering(form, page["book"])
    return render(request, "pages/withdraw.html", page)


def reviewed(request: HttpRequest, rail: Rail) -> HttpResponse:
    """Lead to the review of what was sent, or back to the form with what would be refused."""
    form = FORMS[rail](request.POST)
    if form.is_valid() and rehearsed(reader(request), form, rail, now=timezone.now()):
        kept.keep(request, reviewed_name(rail), form, key=str(uuid.uuid4()))
        return redirect(reverse("withdraw_review") + f"?rail={rail.value}")
    kept.keep(request, refused_name(rail), form)
    return redirect("withdraw")


@login_required
@answered
def withdraw_review(request: HttpRequest) -> HttpResponse:
    """Show what is set aside, what arrives, where and when; nothing is written yet."""
    rail, owner = rail_of(request.GET), reader(request)
    form = kept.kept_form(request, reviewed_name(rail), FORMS[rail])
    asked = rehearsed(owner, form, rail, now=timezone.now()) if form and form.is_valid() else None
    if asked is None:
        return redirect("withdraw")
    page = told_of(rules().quote(rail, asked.amount_rao), asked, owner)
    page |= {"key": kept.kept_key(request, reviewed_name(rail)), "asked": asked}
    return render(request, "pages/withdraw_confirm.html", page)


@require_POST
@second_factor_required
@answered
def withdraw_confirm(request: HttpRequest) -> HttpResponse:
    """Ask for the withdrawal, and lead to it; what is refused leads back to the form."""
    sent = request.POST
    try:
        row = marketplace.request_withdrawal(
            owner=reader(request).id,
            asked=asked_in(sent),
            key=form_key(request, "withdraw", sent.get("key", "")),
            proven_at=proven_at(request),
            now=timezone.now(),
        )
    except DomainError as refusal:
        messages.error(request, words(refusal))
        return redirect("withdraw")
    return redirect("withdrawal", pk=row.pk)


@login_required
@answered
def withdrawal_list(request: HttpRequest) -> HttpResponse:
    """List the reader's withdrawals."""
    rows = outgoing.withdrawals_of(reader(request).id)
    return render(request, "pages/withdrawals.html", {"lines": [line(row) for row in rows]})


@login_required
@answered
def withdrawal(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show how far a withdrawal is, and what comes next."""
    row = outgoing.withdrawal(pk, owner=reader(request).id)
    is_at_stripe = row.rail == Rail.STRIPE and row.state == State.SENT
    account = outgoing.payout_account(row.owner) if is_at_stripe else None
    page = {
        "line": line(row),
        "steps": steps_of(row),
        "is_rehearsed": row.rail == Rail.CHAIN and settings.CHAIN == "rehearsal",
        "is_cancellable": row.state == State.REQUESTED,
        "is_on_its_way": row.ended_at is None,
        "bank_said": fault_words(row.bank_fault) if is_at_stripe and row.bank_fault else "",
        "is_at_stripe": is_at_stripe,
        "is_stopped": bool(account and account.stopped_at),
    }
    return render(request, "pages/withdrawal.html", page)


@login_required
@require_POST
@answered
def cancel_withdrawal(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take a withdrawal back."""
    marketplace.cancel_withdrawal(withdrawal_id=pk, owner=reader(request).id, now=timezone.now())
    messages.success(request, "Cancelled. What was set aside is available again.")
    return redirect("withdrawal", pk=pk)


def ways_out(owner: User, *, now: datetime) -> dict[str, Any]:
    """Return what a page says of the ways out."""
    allowed, account = rules(), outgoing.payout_account(owner.id)
    used_rao = outgoing.withdrawn_today_rao(owner.id, now)
    return {
        "balance": market.purse(owner.id, now),
        "left_today_rao": max(0, allowed.a_day_rao - used_rao),
        "rules": allowed,
        "cents_per_tao": spoken.dollars(RAO_PER_TAO // allowed.rao_per_cent),
        "chain_is_on": is_open(Rail.CHAIN),
        "stripe_is_on": is_open(Rail.STRIPE),
        "is_rehearsed": settings.CHAIN == "rehearsal",
        "book": outgoing.withdrawal_addresses(owner.id),
        "account": account,
        "takes_dollars": bool(account and account.pays_out),
    }


def offering(form: forms.Form, book: Sequence[WithdrawalAddress]) -> forms.Form:
    """Let a form offer the addresses of a book, where it asks for one."""
    field = form.fields.get("address")
    if field:
        assert isinstance(field.widget, forms.Select)
        field.widget.choices = [(row.id, f"{row.label}: {row.ss58}") for row in book]
    return form


def rail_of(sent: QueryDict) -> Rail:
    """Read which way out is meant; anything unknown is the first."""
    return Rail.STRIPE if sent.get("rail") == Rail.STRIPE else Rail.CHAIN


def reviewed_name(rail: Rail) -> str:
    """Name the kept form that waits for its review."""
    return f"withdraw-{rail.value}"


def refused_name(rail: Rail) -> str:
    """Name the kept form that was refused."""
    return f"refused-withdraw-{rail.value}"


def rehearsed(owner: User, form: forms.Form, rail: Rail, *, now: datetime) -> Asked | None:
    """Return what is asked for, if it would not be refused; else the refusal stands on the form.

    Only the second factor is not asked for: it is, by the page that acts.
    """
    amount_rao = form.cleaned_data["amount_rao"]
    try:
        asked = Asked(
            rail,
            amount_rao=amount_rao,
            arrives=rules().quote(rail, amount_rao).arrives,
            address_id=form.cleaned_data.get("address"),
        )
        rehearse(
            marketplace.request_withdrawal,
            owner=owner.id,
            asked=asked,
            key=str(uuid.uuid4()),
            proven_at=now,
            now=now,
        )
    except DomainError as refusal:
        form.add_error(None, words(refusal))
        return None
    return asked


def asked_in(sent: QueryDict) -> Asked:
    """Read what the confirming page sent; figures that nobody was shown are refused by the operation."""
    try:
        address_id = UUID(sent.get("address", ""))
    except ValueError:
        address_id = None
    return Asked(
        rail_of(sent),
        amount_rao=number(sent.get("amount_rao", "")),
        arrives=number(sent.get("arrives", "")),
        address_id=address_id,
    )


def number(text: str) -> int:
    """Read a number of a hidden field; anything else is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0


def told_of(quote: Quote, asked: Asked, owner: User) -> dict[str, Any]:
    """Return what the confirming page says."""
    address = (
        outgoing.withdrawal_address(asked.address_id, owner=owner.id) if asked.address_id else None
    )
    in_dollars = f"{spoken.dollars(quote.arrives_cents)} USD"
    return {
        "quote": quote,
        "address": address,
        "arrives": f"{spoken.tao(quote.arrives_rao)} TAO" if address else in_dollars,
        "is_rehearsed": settings.CHAIN == "rehearsal",
        "approvals_needed": rules().approvals_needed(quote.held_rao),
    }


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a withdrawal. at: None while it has not happened."""

    words: str
    at: datetime | None


def steps_of(row: Withdrawal) -> list[Step]:
    """Return the steps of a withdrawal, as far as they happened, and those that come."""
    steps = [Step("Asked for, and set aside", row.requested_at)]
    if row.state in {State.CANCELLED, State.REFUSED} and not row.approved_at:
        return [*steps, Step(row.get_state_display(), row.ended_at)]
    people = "two people of our staff" if row.approvals_needed == 2 else "our staff"
    steps.append(Step(f"Approved by {people}", row.approved_at))
    if row.state == State.REFUSED:
        return [*steps, Step("Refused", row.ended_at)]
    steps.append(Step("Sent", row.sent_at))
    if row.bank_refused_at:
        steps.append(Step("Sent back to Stripe by the bank", row.bank_refused_at))
    if row.state == State.RETURNED:
        return [*steps, Step("Returned to your wallet", row.ended_at)]
    return [*steps, Step("Arrived", row.ended_at)]
