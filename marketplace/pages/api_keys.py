"""API keys: made, shown once, listed and revoked; behind the second factor, or without one the password, proven a moment ago."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from ledger.errors import DomainError
from ledger.scopes import Scope
from marketplace import operations, queries, tokens
from marketplace.models.api_keys import NAME_LENGTH_MAX
from marketplace.operations.api_keys import API_KEYS_MAX
from marketplace.pages.forms import TaoField
from marketplace.pages.proving import confirmation_required
from marketplace.pages.reader import reader
from marketplace.pages.refusals import answered, words

LIFETIMES = ((7, "1 week"), (30, "30 days"), (90, "90 days"), (180, "180 days"), (365, "1 year"))


class ApiKeyForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=NAME_LENGTH_MAX,
        help_text="Which program it is for, so that you know what stops when you revoke it.",
    )
    scopes = forms.MultipleChoiceField(
        label="What it may do",
        choices=[(scope.value, scope.words) for scope in Scope],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one thing it may do."},
    )
    days = forms.TypedChoiceField(label="Works for", coerce=int, choices=LIFETIMES, initial=90)
    spend_limit_rao = TaoField(
        label="Spend on models at most, a month",
        required=False,
        help_text="By calendar month, UTC. Empty: as much as your wallet has. You can change it later.",
    )
    networks = forms.CharField(
        label="Only from these addresses",
        required=False,
        max_length=800,
        help_text="Addresses or networks, such as 192.0.2.0/24, with blanks between. Empty: from anywhere.",
    )

    def clean_networks(self) -> list[str]:
        """Read the networks in their one form."""
        try:
            return [tokens.read_network(word) for word in self.cleaned_data["networks"].split()]
        except ValueError:
            raise ValidationError(
                "Type addresses or networks, such as 192.0.2.7 or 2001:db8::/32."
            ) from None


class LimitForm(forms.Form):
    spend_limit_rao = TaoField(label="Spend on models at most, a month", required=False)


@confirmation_required
@answered
def api_keys(request: HttpRequest) -> HttpResponse:
    """List the reader's API keys; make one, and show it this once."""
    form = ApiKeyForm(request.POST or None)
    page: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        page["made"] = made_key(request, form)
    if page.get("made"):
        form = ApiKeyForm()
    page |= {"form": form, "now": timezone.now(), "keys_max": API_KEYS_MAX}
    page["keys"] = queries.key_lines(reader(request).id, now=page["now"])
    return render(request, "pages/api_keys.html", page)


def made_key(request: HttpRequest, form: ApiKeyForm) -> operations.NewApiKey | None:
    """Make the key; None with the refusal on the form."""
    asked, now = form.cleaned_data, timezone.now()
    try:
        return operations.create_api_key(
            owner=reader(request).id,
            name=asked["name"],
            scopes=[Scope(scope) for scope in asked["scopes"]],
            networks=asked["networks"],
            spend_limit_rao=asked["spend_limit_rao"],
            expires_at=now + timedelta(days=asked["days"]),
            now=now,
        )
    except DomainError as refusal:
        form.add_error(None, words(refusal))
        return None


@confirmation_required
@require_POST
@answered
def revoke_api_key(request: HttpRequest, key_id: str) -> HttpResponse:
    """Stop a key of the reader's for good."""
    operations.revoke_api_key(key_id=key_id, owner=reader(request).id, now=timezone.now())
    return redirect("api_keys")


@confirmation_required
@require_POST
@answered
def limit_api_key(request: HttpRequest, key_id: str) -> HttpResponse:
    """Set what a key of the reader's may spend on models in a month."""
    form = LimitForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(map(str, form.errors["spend_limit_rao"])))
        return redirect("api_keys")
    limit_rao = form.cleaned_data["spend_limit_rao"]
    operations.limit_api_key(key_id=key_id, owner=reader(request).id, spend_limit_rao=limit_rao)
    return redirect("api_keys")
