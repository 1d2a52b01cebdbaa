"""The seller's desk: putting a subnet up for sale in steps, what became of it, and files to take along."""

import uuid
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from ledger.errors import DomainError
from ledger.keyset import Window
from marketplace import fees
from marketplace import operations as marketplace
from marketplace import queries as market
from marketplace.browsing import Ask
from marketplace.errors import AuctionAlreadyOpen
from marketplace.offering import Format, Offering
from marketplace.operations.rehearsal import rehearsed
from marketplace.pages import kept
from marketplace.pages.exports import Table, csv_file, paced
from marketplace.pages.reader import form_key, reader
from marketplace.pages.refusals import answered, words
from marketplace.pages.sale_forms import (
    FORMATS,
    AgreeForm,
    FormatForm,
    PriceForm,
    TermsForm,
    WordsForm,
    offering_of,
)
from subnets import queries as subnets
from subnets.errors import NotTheOwner
from subnets.models import Subnet

STEPS: dict[str, type[forms.Form]] = {
    "format": FormatForm,
    "prices": PriceForm,
    "terms": TermsForm,
    "words": WordsForm,
}
TITLES = {
    "format": "Format",
    "prices": "Prices",
    "terms": "Time",
    "words": "Words",
    "review": "Review",
}
EXPORTED_MAX = 10_000  # rows of a file that a spreadsheet still opens


@login_required
@answered
def desk(request: HttpRequest) -> HttpResponse:
    """Show what the reader owns and sells, and what was sold."""
    owner = reader(request).id
    page = {
        "lines": market.desk_lines(owner),
        "ended": [one for one in market.auctions_of_seller(owner) if one.ended_at][:20],
        "sales": market.sales_of_person(owner, limit=20),
        "owner": owner,
        "reputation": market.reputation(owner),
    }
    return render(request, "desk/desk.html", page)


@login_required
@answered
def sell_subnet(request: HttpRequest, netuid: int) -> HttpResponse:
    """Lead an owner through the steps of a sale; what was typed is kept from one to the next."""
    subnet = subnets.subnet(netuid)
    # A form that is sent goes on to the operation: the key of a repeated one finds the auction it opened.
    ask = market.ask_of(netuid) if request.method == "GET" else None
    if ask or subnet.owner != reader(request).id:
        return not_to_sell(request, subnet, ask)
    step = request.GET.get("step", "format")
    if step == "review":
        return review(request, subnet)
    if step not in STEPS or (step != "format" and kept_step(request, netuid, "format") is None):
        return redirect("sell_subnet", netuid=netuid)
    if request.method == "POST":
        return taken(request, netuid, step)
    form = kept_step(request, netuid, step)
    page = step_page(subnet, step, fitting(request, netuid, step, form))
    return render(request, "desk/sell.html", page)


def not_to_sell(request: HttpRequest, subnet: Subnet, ask: Ask | None) -> HttpResponse:
    """Say, before anything is typed, why a subnet cannot be put up for sale, and lead to what there is of it."""
    is_owner = subnet.owner == reader(request).id
    page = {"subnet": subnet, "ask": ask, "is_owner": is_owner}
    refusal = AuctionAlreadyOpen if is_owner else NotTheOwner
    return render(request, "desk/not_to_sell.html", page, status=refusal.http_status)


def taken(request: HttpRequest, netuid: int, step: str) -> HttpResponse:
    """Keep a step and lead to the next one, or back to it with what was refused."""
    form = STEPS[step](request.POST)
    is_valid = form.is_valid()
    kept.keep(request, step_name(netuid, step), form, key=str(uuid.uuid4()))
    names = [*STEPS, "review"]
    return to_step(netuid, names[names.index(step) + 1] if is_valid else step)


def review(request: HttpRequest, subnet: Subnet) -> HttpResponse:
    """Show an offer as buyers will see it, with its fees, and open it once it is agreed to."""
    netuid = subnet.netuid
    steps = {
        step: fitting(request, netuid, step, kept_step(request, netuid, step)) for step in STEPS
    }
    for step, form in steps.items():
        if not form.is_bound or not form.is_valid():
            return to_step(netuid, step)
    asked = offering_of(steps)
    form = AgreeForm(request.POST if request.method == "POST" else None)
    try:
        if request.method == "POST" and form.is_valid():
            return opened(request, netuid, asked)
        seen = rehearsed(preview, marketplace.open_auction, **opening(request, netuid, asked))
    except DomainError as refusal:
        page = step_page(subnet, "review", form) | {"refusal": words(refusal)}
        return render(request, "desk/sell_review.html", page)
    page = step_page(subnet, "review", form) | {
        "auction": seen,
        "asked": asked,
        "fees": fee_table(asked, seen),
    }
    return render(request, "desk/sell_review.html", page)


def opened(request: HttpRequest, netuid: int, asked: Offering) -> HttpResponse:
    """Open the auction and lead to it. Raises: what open_auction raises."""
    auction = marketplace.open_auction(**opening(request, netuid, asked))
    for step in STEPS:
        kept.forget(request, step_name(netuid, step))
    messages.success(
        request, "The auction is open." if asked.opens_at is None else "The auction is scheduled."
    )
    return redirect("auction", pk=auction.id)


def opening(request: HttpRequest, netuid: int, asked: Offering) -> dict[str, Any]:
    """Return what is asked of `open_auction`, on rehearsal as in earnest."""
    key = kept.kept_key(request, step_name(netuid, "words"))
    return {
        "netuid": netuid,
        "seller": reader(request).id,
        "asked": asked,
        "key": form_key(request, "auction", key),
        "now": timezone.now(),
    }


def preview(auction: Any) -> market.AuctionView:  # noqa: ANN401  what a rehearsal made
    """Return an auction as anybody would see it."""
    return market.auction(auction.id)


def fee_table(asked: Offering, seen: market.AuctionView) -> list[tuple[str, int, fees.Split]]:
    """Return what the seller keeps at each price that the terms name."""
    named = {
        "at its price" if asked.format is Format.FIXED else "at the start price": asked.start_rao,
        "at the reserve": asked.reserve_rao,
        "at the lowest price": asked.floor_rao,
        "at the buy-now price": asked.buy_now_rao,
    }
    return [
        (said, price_rao, fees.split(price_rao, fee_bps=seen.fee_bps, royalty_bps=seen.royalty_bps))
        for said, price_rao in named.items()
        if price_rao is not None
    ]


def step_name(netuid: int, step: str) -> str:
    """Name a kept step."""
    return f"sell:{netuid}:{step}"


def kept_step(request: HttpRequest, netuid: int, step: str) -> forms.Form | None:
    """Return a step as it was sent; None when it was not yet."""
    return kept.kept_form(request, step_name(netuid, step), STEPS[step])


def fitting(request: HttpRequest, netuid: int, step: str, form: forms.Form | None) -> forms.Form:
    """Return a step's form for the format that was chosen, filled where it was sent for that format."""
    chosen = kept_step(request, netuid, "format")
    value = chosen.data.get("format") if chosen else None
    if form is not None and form.data.get("format", value) == value:
        return form
    return STEPS[step](initial={"format": value} if value else None)


def to_step(netuid: int, step: str) -> HttpResponse:
    """Lead to a step."""
    return redirect(f"{reverse('sell_subnet', args=[netuid])}?step={step}")


def step_page(subnet: Subnet, step: str, form: forms.Form) -> dict[str, Any]:
    """Return what every step shows."""
    return {
        "subnet": subnet,
        "step": step,
        "titles": TITLES.items(),
        "place": list(TITLES).index(step) + 1,
        "form": form,
        "formats": FORMATS,
        "house": {
            "fee_bps": settings.AUCTION_FEE_BPS,
            "royalty_bps": settings.AUCTION_ROYALTY_BPS,
            "soft_close_s": settings.AUCTION_SOFT_CLOSE_S,
            "soft_close_cap_s": settings.AUCTION_SOFT_CLOSE_CAP_S,
        },
    }


@login_required
@paced
def sales_file(request: HttpRequest) -> HttpResponse:
    """Hand out the reader's sales and purchases as CSV."""
    owner = reader(request).id
    rows = [
        (
            sale.sold_at.isoformat(), sale.kind, sale.netuid, sale.subnet_name,
            "sold" if sale.seller == owner else "bought",
            sale.price_rao, sale.fee_rao, sale.royalty_rao, sale.id,
        )
        for sale in market.sales_of_person(owner, limit=EXPORTED_MAX)
    ]  # fmt: skip
    header = (
        "sold_at", "kind", "netuid", "subnet", "you", "price_rao", "fee_rao", "royalty_rao", "sale",
    )  # fmt: skip
    return csv_file("sales", header, rows)


@login_required
@paced
@answered
def bids_file(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Hand out the bids of the reader's own auction as CSV, under aliases as everybody sees them."""
    seen = market.auction(pk)
    if seen.seller != reader(request).id:
        raise NotTheOwner(netuid=seen.netuid)
    header, rows = sealed_table(pk) if seen.format == Format.SEALED else bid_table(pk)
    return csv_file(f"bids-{seen.netuid}", header, rows)


def bid_table(pk: uuid.UUID) -> Table:
    """Return an auction's bids, the newest first; those of a bidder whom an operator took out say so."""
    window = Window(by=("-sequence",), limit=EXPORTED_MAX)
    rows = [
        (bid.sequence, bid.alias, bid.price_rao, bid.placed_at.isoformat(), bid.is_void)
        for bid in market.bid_history(pk, window=window)
    ]
    return ("sequence", "bidder", "price_rao", "placed_at", "is_void"), rows


def sealed_table(pk: uuid.UUID) -> Table:
    """Return an auction's sealed bids in order: before the end their commitments, then also what each hid."""
    window = Window(by=("sequence",), limit=EXPORTED_MAX)
    rows = [
        (bid.sequence, bid.alias, bid.max_rao, bid.placed_at.isoformat(), bid.commitment, bid.nonce)
        for bid in market.sealed_lines(pk, window=window)
    ]
    return ("sequence", "bidder", "max_rao", "placed_at", "commitment", "nonce"), rows
