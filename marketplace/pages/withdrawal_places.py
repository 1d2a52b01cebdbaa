"""Pages of where money may go: the address book, and the account at Stripe."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from ledger.errors import DomainError
from marketplace import operations as marketplace
from marketplace.models import PayoutAccount, User, WithdrawalAddress
from marketplace.operations.withdrawal_places import ADDRESSES_MAX, LABEL_LENGTH_MAX
from marketplace.operations.withdrawals import is_open, rules
from marketplace.pages import kept
from marketplace.pages.proving import proven_at, second_factor_required
from marketplace.pages.reader import reader
from marketplace.pages.refusals import answered, words
from marketplace.queries import withdrawals as outgoing
from marketplace.withdrawing import Changed, Rail

REFUSED = "refused-address"  # the name of a kept form


class AddressForm(forms.Form):
    """A new address of the book."""

    ss58 = forms.CharField(
        label="Address",
        max_length=64,
        help_text="An ss58 address of yours. Copy it; one wrong letter is found, another address is not.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    label = forms.CharField(
        label="Name",
        max_length=LABEL_LENGTH_MAX,
        help_text="How you know it, such as “Cold wallet”.",
    )


@dataclass(frozen=True, slots=True)
class Place:
    """An address, and from when on TAO goes there."""

    row: WithdrawalAddress
    usable_at: datetime
    waits: bool


@login_required
@answered
def places(request: HttpRequest) -> HttpResponse:
    """Show the reader's address book and account at Stripe, with what was refused of a new address."""
    page = places_of(reader(request), now=timezone.now())
    page["form"] = kept.kept_form(request, REFUSED, AddressForm) or AddressForm()
    kept.forget(request, REFUSED)
    return render(request, "pages/withdrawal_places.html", page)


@require_POST
@second_factor_required
@answered
def add_address(request: HttpRequest) -> HttpResponse:
    """Put an address into the reader's book; what is refused stands on the form."""
    form = AddressForm(request.POST)
    if form.is_valid() and added(request, form):
        messages.success(
            request, "Added. It waits before anything goes there, and we tell you of it."
        )
    else:
        kept.keep(request, REFUSED, form)
    return redirect("withdrawal_places")


def added(request: HttpRequest, form: AddressForm) -> bool:
    """Add an address; a refusal stands on the form."""
    try:
        marketplace.add_withdrawal_address(
            owner=reader(request).id,
            **form.cleaned_data,
            proven_at=proven_at(request),
            now=timezone.now(),
        )
    except DomainError as refusal:
        field = refusal.fields.get("field")
        form.add_error(str(field) if field in form.fields else None, words(refusal))
        return False
    return True


@login_required
@require_POST
@answered
def remove_address(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take an address out of the reader's book."""
    marketplace.remove_withdrawal_address(
        owner=reader(request).id, address_id=pk, now=timezone.now()
    )
    messages.success(request, "Removed. Adding it again makes it wait again.")
    return redirect("withdrawal_places")


@require_POST
@second_factor_required
@answered
def connect(request: HttpRequest) -> HttpResponse:
    """Lead to Stripe's page, where the reader says who they are and to which bank dollars go."""
    owner = reader(request)
    page_url = marketplace.connect_payouts(
        owner=owner.id, email=owner.email, proven_at=proven_at(request), now=timezone.now()
    )
    return redirect(page_url)


@login_required
@require_POST
@answered
def look(request: HttpRequest) -> HttpResponse:
    """Ask Stripe whether it takes money for the reader by now."""
    marketplace.look_at_payouts(owner=reader(request).id, now=timezone.now())
    return redirect("withdrawal_places")


def places_of(owner: User, *, now: datetime) -> dict[str, Any]:
    """Return where the reader's money may go, and how long each waits."""
    waits, account = rules().waits, outgoing.payout_account(owner.id)
    book = [
        Place(
            row, row.added_at + waits[Changed.ADDRESS], row.added_at + waits[Changed.ADDRESS] > now
        )
        for row in outgoing.withdrawal_addresses(owner.id)
    ]
    usable_at = account.changed_at + waits[Changed.ACCOUNT] if account else None
    return {
        "book": book,
        "addresses_max": ADDRESSES_MAX,
        "wait": waits[Changed.ADDRESS],
        "account": account,
        "is_active": bool(account and account.state == PayoutAccount.State.ACTIVE),
        "pays_out": bool(account and account.pays_out),
        "account_waits_until": usable_at if usable_at and usable_at > now else None,
        "stripe_is_on": is_open(Rail.STRIPE),
    }
