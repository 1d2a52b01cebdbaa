"""Saved searches: kept, listed with how much is new, looked at, deleted."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from ledger.errors import DomainError
from marketplace import operations as marketplace
from marketplace import queries as market
from marketplace.catalogue import new_matches
from marketplace.pages import filters
from marketplace.pages.reader import reader
from marketplace.pages.refusals import answered, words

ADDRESS_MAX = 500


@login_required
@answered
def searches(request: HttpRequest) -> HttpResponse:
    """List what the reader keeps, each with how many subnets came up since they looked; keep another."""
    if request.method == "POST":
        return saved(request)
    kept = market.saved_searches(reader(request).id)
    lines = [(one, len(found)) for one, found in new_matches(kept, now=timezone.now())]
    return render(request, "pages/searches.html", {"lines": lines})


def saved(request: HttpRequest) -> HttpResponse:
    """Keep the filter of an address under a name."""
    form = filters.SubnetFilter(QueryDict(request.POST.get("address", "")[:ADDRESS_MAX]))
    form.is_valid()
    asked = form.cleaned_data
    try:
        marketplace.save_search(
            owner=reader(request).id,
            name=request.POST.get("name", "") or filters.spoken(asked)[:60],
            search=filters.search(asked),
            sort=asked.get("sort") or "",
            now=timezone.now(),
        )
    except DomainError as refusal:
        messages.error(request, words(refusal))
    else:
        messages.success(request, "The search is kept.")
    return redirect("searches")


@login_required
@require_POST
@answered
def look_at_search(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show what a search finds; what is new counts from now on."""
    found = marketplace.look_at_search(search_id=pk, owner=reader(request).id, now=timezone.now())
    return redirect(f"{reverse('subnets')}?{found.address}")


@login_required
@require_POST
@answered
def delete_search(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Keep a search no longer."""
    marketplace.delete_search(search_id=pk, owner=reader(request).id)
    messages.success(request, "The search is deleted.")
    return redirect("searches")
