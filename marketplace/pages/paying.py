"""Pages after the hammer, where a deposit backed the bid: paying, and saying no to a second chance."""

import uuid
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from ledger import spoken
from ledger.errors import DomainError
from marketplace import hammer
from marketplace import operations as marketplace
from marketplace import queries as market
from marketplace.models import Auction
from marketplace.offering import Backing
from marketplace.pages.reader import form_key, reader
from marketplace.pages.refusals import answered, words


@require_POST
@login_required
@answered
def pay_auction(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Pay as the winner, or by a second chance, and lead to the auction, which says what comes next."""
    key = form_key(request, "pay", request.POST.get("key", ""))
    try:
        sale = marketplace.pay_auction(
            auction_id=pk, buyer=reader(request).id, key=key, now=timezone.now()
        )
    except DomainError as refusal:
        messages.error(request, words(refusal))
        return redirect("auction", pk=pk)
    if sale is None:
        messages.error(
            request,
            "The seller no longer owns this subnet. You paid nothing; your deposit is free.",
        )
    else:
        paid = spoken.tao(sale.price_rao)
        messages.success(request, f"Subnet {sale.netuid} is yours, for {paid} TAO.")
    return redirect("auction", pk=pk)


@require_POST
@login_required
@answered
def decline_chance(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Say no to the reader's second chance."""
    marketplace.decline_second_chance(auction_id=pk, bidder=reader(request).id, now=timezone.now())
    messages.success(request, "You declined. Nothing was taken; the next bidder is asked.")
    return redirect("auction", pk=pk)


def paying_part(viewer: UUID | None, seen: market.AuctionView) -> dict[str, Any]:
    """Return what a page shows of a payment that is waited for, or was not made. A default is told its own parties."""
    if seen.backing != Backing.DEPOSIT:
        return {}
    strike = market.strike_of(seen.id)
    awaits = seen.state == Auction.State.AWAITING
    return {
        "pay_key": str(uuid.uuid4()),
        "is_second_chance": awaits and market.open_second_chance(seen.id) is not None,
        "strike": strike,
        "is_defaulter": strike is not None and strike.owner == viewer,
        "is_seller": viewer == seen.seller,
        "to_seller_rao": strike and strike.forfeited_rao - strike.fee_rao,
    }


def backed_rao(seen: market.AuctionView, max_rao: int | None) -> int | None:
    """Return what is set aside while a maximum leads: all of it, or the deposit on it."""
    if max_rao is None or seen.deposit_bps is None:
        return max_rao
    return hammer.deposit_rao(max_rao, deposit_bps=seen.deposit_bps)
