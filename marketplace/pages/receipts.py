"""Pages of somebody's own bids: the list, and the receipt of each."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from marketplace import queries as market
from marketplace.pages.reader import reader
from marketplace.pages.refusals import answered


@login_required
def bids(request: HttpRequest) -> HttpResponse:
    """List the reader's newest maximum in each auction."""
    owner = reader(request).id
    page = {"bids": market.bids_of(owner), "sealed_bids": market.sealed_bids_of(owner)}
    return render(request, "pages/bids.html", page)


@login_required
@answered
def receipt(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show the facts of one bid of the reader's, to be printed or kept."""
    page = {"receipt": market.receipt(pk, bidder=reader(request).id)}
    return render(request, "pages/receipt.html", page)
