"""Pages of webhooks that go out: endpoints, their secrets, and what was delivered."""

import uuid
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
from marketplace import notices
from marketplace import operations as marketplace
from marketplace import queries as market
from marketplace.models import WebhookEndpoint
from marketplace.pages.reader import form_key, reader
from marketplace.pages.refusals import answered, words


class KindsForm(forms.Form):
    """Which notices go to an endpoint."""

    kinds = forms.MultipleChoiceField(
        label="Notices",
        required=False,
        choices=[(kind.word, kind.label) for kind in notices.KINDS.values()],
        widget=forms.CheckboxSelectMultiple,
    )


class EndpointForm(KindsForm):
    """Where notices are to go, and which."""

    url = forms.CharField(
        label="Address",
        max_length=500,
        help_text="A public https:// address of a program of yours that takes POST requests.",
    )


@login_required
@answered
def webhooks(request: HttpRequest) -> HttpResponse:
    """Show the reader's endpoints; make one and show its secret, once."""
    form = EndpointForm(request.POST or None)
    page: dict[str, Any] = {"form": form, "key": request.POST.get("key") or uuid.uuid4()}
    if request.method == "POST" and form.is_valid():
        made = added(request, form)
        if made:
            return secret_page(request, made)
    page["endpoints"] = market.endpoints_of(reader(request).id)
    return render(request, "webhooks/webhooks.html", page)


def added(request: HttpRequest, form: EndpointForm) -> marketplace.Registered | None:
    """Register the endpoint; None with the refusal on the form."""
    try:
        return marketplace.add_endpoint(
            owner=reader(request).id,
            url=form.cleaned_data["url"].strip(),
            kinds=form.cleaned_data["kinds"],
            key=form_key(request, "endpoint", request.POST.get("key", "")),
            now=timezone.now(),
        )
    except DomainError as refusal:
        form.add_error("url", words(refusal))
        return None


@login_required
@answered
def webhook(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show one endpoint and what was delivered to it."""
    row = market.endpoint(pk, owner=reader(request).id)
    deliveries = [
        {"row": one, "type": market.notice_line(one.notice).type if one.notice else "test"}
        for one in market.deliveries_of(pk)
    ]
    kinds = [notices.KINDS[kind].label for kind in row.kinds if kind in notices.KINDS]
    page = {"endpoint": row, "deliveries": deliveries, "kinds": kinds, "now": timezone.now()}
    page |= {"form": KindsForm(initial={"kinds": row.kinds}), "key": uuid.uuid4()}
    return render(request, "webhooks/webhook.html", page)


@login_required
@require_POST
@answered
def choose_webhook_kinds(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Choose which notices go to an endpoint; none chosen are all. What waits already still goes out."""
    form = KindsForm(request.POST)
    if not form.is_valid():
        messages.error(request, "One of the notices is not known here. Nothing was changed.")
        return redirect("webhook", pk=pk)
    kinds = form.cleaned_data["kinds"]
    marketplace.change_endpoint(endpoint_id=pk, owner=reader(request).id, kinds=kinds)
    messages.success(request, "Saved. From now on the notices you chose go there.")
    return redirect("webhook", pk=pk)


@login_required
@require_POST
@answered
def rotate_webhook(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Make a new secret and show it, once."""
    made = marketplace.rotate_secret(
        endpoint_id=pk,
        owner=reader(request).id,
        key=form_key(request, "rotate", request.POST.get("key", "")),
        now=timezone.now(),
    )
    return secret_page(request, made)


@login_required
@require_POST
@answered
def move_webhook(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Switch an endpoint on or off, or remove it."""
    asked = request.POST.get("state", "")
    if asked not in WebhookEndpoint.State.values:
        return redirect("webhook", pk=pk)
    state = WebhookEndpoint.State(asked)
    marketplace.change_endpoint(endpoint_id=pk, owner=reader(request).id, state=state)
    messages.success(request, f"The endpoint is {state.label.lower()}.")
    return (
        redirect("webhooks")
        if state == WebhookEndpoint.State.REMOVED
        else redirect("webhook", pk=pk)
    )


@login_required
@require_POST
@answered
def test_webhook(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send an event that says nothing."""
    marketplace.test_endpoint(
        endpoint_id=pk,
        owner=reader(request).id,
        key=form_key(request, "test", request.POST.get("key", "")),
        now=timezone.now(),
    )
    messages.success(request, "A test event is on its way. Load this page again to see the answer.")
    return redirect("webhook", pk=pk)


@login_required
@require_POST
@answered
def resend_webhook(request: HttpRequest, pk: UUID, delivery: UUID) -> HttpResponse:
    """Send a delivery again."""
    marketplace.resend(
        endpoint_id=pk, delivery_id=delivery, owner=reader(request).id, now=timezone.now()
    )
    messages.success(request, "It is on its way again. Load this page again to see the answer.")
    return redirect("webhook", pk=pk)


def secret_page(request: HttpRequest, made: marketplace.Registered) -> HttpResponse:
    """Show a secret. It is on no other page, and nobody keeps this one."""
    page = {"endpoint": made.endpoint, "secret": made.secret}
    return render(request, "webhooks/secret.html", page)
