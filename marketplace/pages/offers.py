"""Pages of offers: making one in two steps, the lists of both sides, and a negotiation with its answers."""

import uuid
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from ledger import spoken
from ledger.errors import DomainError
from marketplace import operations as marketplace
from marketplace import queries as market
from marketplace.errors import OfferUnknown, OwnerCannotOffer
from marketplace.models import Offer
from marketplace.negotiating import Side
from marketplace.operations.proceeds import proceeds_of
from marketplace.operations.rehearsal import rehearse, rehearsed
from marketplace.pages import kept
from marketplace.pages.offer_forms import AcceptForm, AskForm, FigureForm, OfferForm
from marketplace.pages.reader import available_rao, form_key, reader
from marketplace.pages.refusals import answered, words
from subnets import queries as subnets

FORMS: dict[str, type[FigureForm]] = {Side.BUYER.value: OfferForm, Side.OWNER.value: AskForm}


@dataclass(frozen=True, slots=True)
class OfferLine:
    """A row of a list: an offer, where it stands in words, and whether the reader is to answer."""

    offer: market.OfferView
    words: str
    is_asked: bool


@login_required
@answered
def offers(request: HttpRequest) -> HttpResponse:
    """List the offers for the reader's subnets, and those they made; what waits for an answer comes first."""
    lines = [line_of(seen) for seen in market.offers_of(reader(request).id)]
    lines.sort(key=lambda line: (not line.is_asked, not line.offer.acts))
    page = {
        "received": [line for line in lines if line.offer.side == Side.OWNER],
        "made": [line for line in lines if line.offer.side == Side.BUYER],
        "is_cut": len(lines) == market.ROWS_MAX,
    }
    return render(request, "pages/offers.html", page)


@login_required
@answered
def make_offer(request: HttpRequest, netuid: int) -> HttpResponse:
    """Show the form of an offer, with what was refused of it; take its two steps."""
    if request.method == "POST":
        return offered(request, netuid)
    subnet, who = subnets.subnet(netuid), reader(request).id
    if own := market.open_offer_of(who, netuid=netuid):
        return redirect("offer", pk=own.id)
    if subnet.owner == who:
        raise OwnerCannotOffer(netuid=netuid)
    form = kept.kept_form(request, refused_offer(netuid), OfferForm) or OfferForm()
    kept.forget(request, refused_offer(netuid))
    page = {"subnet": subnet, "form": form, "available_rao": available_rao(request)}
    page |= {"sales": market.sales_of(netuid), "ask": market.ask_of(netuid)}
    return render(request, "pages/make_offer.html", page)


def offered(request: HttpRequest, netuid: int) -> HttpResponse:
    """Lead from the form to the review of an offer, or make it once it was reviewed."""
    form = OfferForm(request.POST)
    if not form.is_valid():
        return refused(request, netuid, form)
    if request.POST.get("step") == "place":
        return placed(request, netuid, form)
    key = str(uuid.uuid4())
    try:
        rehearse(marketplace.make_offer, **offer_of(request, netuid, form, key=key))
    except DomainError as refusal:
        return refused(request, netuid, form, refusal)
    kept.keep(request, reviewed_offer(netuid), form, key=key)
    return redirect("offer_review", netuid=netuid)


@login_required
@answered
def offer_review(request: HttpRequest, netuid: int) -> HttpResponse:
    """Show what an offer would mean before it is made. Without one under way there is only the form."""
    form = kept.kept_form(request, reviewed_offer(netuid), OfferForm)
    if form is None or not form.is_valid():
        return redirect("make_offer", netuid=netuid)
    key = kept.kept_key(request, reviewed_offer(netuid))
    try:
        seen = rehearsed(
            lambda made: made, marketplace.make_offer, **offer_of(request, netuid, form, key=key)
        )
    except DomainError as refusal:
        return refused(request, netuid, form, refusal)
    page = {"subnet": subnets.subnet(netuid), "form": form, "key": key, "offer": seen}
    page["left_rao"] = (available_rao(request) or 0) - seen.promised_rao
    return render(request, "pages/offer_confirm.html", page)


def refused(
    request: HttpRequest, netuid: int, form: OfferForm, refusal: DomainError | None = None
) -> HttpResponse:
    """Lead back to the form, which says what was refused, at the field that it is about."""
    if refusal is not None:
        form.add_error(field_of(refusal), words(refusal))
    kept.forget(request, reviewed_offer(netuid))
    kept.keep(request, refused_offer(netuid), form)
    return redirect(reverse("make_offer", args=[netuid]) + "#terms")


def placed(request: HttpRequest, netuid: int, form: OfferForm) -> HttpResponse:
    """Make the reviewed offer and lead to it."""
    asked = offer_of(request, netuid, form, key=request.POST.get("key", ""))
    try:
        made = marketplace.make_offer(**asked)
    except DomainError as refusal:
        return refused(request, netuid, form, refusal)
    kept.forget(request, reviewed_offer(netuid))
    messages.success(request, f"Your offer stands. {promise_of(made)}")
    return redirect("offer", pk=made.id)


@login_required
@answered
def offer(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a negotiation to its two people; take the reader's answer."""
    if request.method == "POST":
        return answer(request, pk)
    seen = market.offer(pk, viewer=reader(request).id)
    form = kept.kept_form(request, refused_counter(pk), FORMS[seen.side]) or FORMS[seen.side]()
    kept.forget(request, refused_counter(pk))
    page = {
        "line": line_of(seen),
        "offer": seen,
        "form": form,
        "key": uuid.uuid4(),
        "moves": market.moves_of(pk),
        **(gains(seen) if seen.side == Side.OWNER else {}),
        "in_auction": bool(seen.acts) and market.stands_in_auction(seen.netuid),
        "left_rao": (available_rao(request) or 0) + seen.held_rao - seen.amount_rao,
    }
    return render(request, "pages/offer.html", page)


def answer(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Do what the reader answers, say what came of it, and lead back to the negotiation."""
    act = ANSWERS.get(request.POST.get("act", ""))
    try:
        if act is not None:
            messages.success(request, act(request, pk))
    except OfferUnknown:
        raise
    except DomainError as refusal:
        messages.error(request, words(refusal))
    except Unreadable as fault:
        messages.error(request, str(fault))
    return redirect("offer", pk=pk)


class Unreadable(Exception):
    """What was sent is not an answer yet; says what is missing."""


def accept(request: HttpRequest, pk: UUID) -> str:
    """Accept the figure that the reader saw."""
    form = AcceptForm(request.POST)
    if not form.is_valid():
        raise Unreadable("Tick that you understand what follows, then accept.")
    sale = marketplace.accept_offer(
        offer_id=pk,
        who=reader(request).id,
        expected_rao=form.cleaned_data["expected_rao"],
        key=answer_key(request, "accept"),
        now=timezone.now(),
    )
    if sale.buyer == reader(request).id:
        return f"Subnet {sale.netuid} is yours, for {spoken.tao(sale.price_rao)} TAO."
    got_tao = spoken.tao(sale.price_rao - sale.fee_rao - sale.royalty_rao)
    return f"Sold. {got_tao} TAO is in your wallet, and subnet {sale.netuid} is the buyer’s."


def counter(request: HttpRequest, pk: UUID) -> str:
    """Put the reader's figure on the table; what cannot stand is kept for the form."""
    side = market.offer(pk, viewer=reader(request).id).side
    form = FORMS[side](request.POST)
    if not form.is_valid():
        kept.keep(request, refused_counter(pk), form)
        raise Unreadable("The counter was not sent; see the form below.")
    try:
        made = marketplace.counter_offer(
            offer_id=pk,
            who=reader(request).id,
            key=answer_key(request, "counter"),
            now=timezone.now(),
            **form.cleaned_data,
        )
    except DomainError:
        kept.keep(request, refused_counter(pk), form)
        raise
    if side == Side.BUYER:
        return f"You countered. {promise_of(made)}"
    return f"You asked for {spoken.tao(made.amount_rao)} TAO. {lapse_of(made)}"


def decline(request: HttpRequest, pk: UUID) -> str:
    """Say no."""
    marketplace.decline_offer(offer_id=pk, who=reader(request).id, now=timezone.now())
    return "Declined. What was set aside is free."


def withdraw(request: HttpRequest, pk: UUID) -> str:
    """Take the reader's offer back."""
    marketplace.withdraw_offer(offer_id=pk, who=reader(request).id, now=timezone.now())
    return "Withdrawn. Your money is free."


ANSWERS = {"accept": accept, "counter": counter, "decline": decline, "withdraw": withdraw}


def gains(seen: market.OfferView) -> dict[str, Any]:
    """Return what a sale for the figure on the table brings its owner, and what it costs them."""
    proceeds = proceeds_of(
        seen.amount_rao,
        netuid=seen.netuid,
        seller=seen.owner,
        buyer=seen.buyer,
        fee_bps=seen.fee_bps,
        royalty_bps=seen.royalty_bps,
    )
    seller_rao = seen.amount_rao - proceeds.fee_rao - proceeds.royalty_rao
    return {"proceeds": proceeds, "seller_rao": seller_rao}


def line_of(seen: market.OfferView) -> OfferLine:
    """Say where an offer stands, to its reader."""
    is_asked = "accept" in seen.acts
    said = "Waits for your answer" if is_asked else str(Offer.State(seen.state).label)
    return OfferLine(offer=seen, words=said, is_asked=is_asked)


def promise_of(made: Offer) -> str:
    """Say what is set aside, and until when."""
    promised_tao = spoken.tao(made.promised_rao)
    return (
        f"{promised_tao} TAO is set aside until {spoken.instant(made.promised_until)}, "
        "or until you withdraw."
    )


def lapse_of(made: Offer) -> str:
    """Say until when the other side may answer."""
    return f"The buyer may answer until {spoken.instant(made.expires_at)}."


def offer_of(request: HttpRequest, netuid: int, form: OfferForm, *, key: str) -> dict[str, Any]:
    """Return what is asked of `make_offer`, on rehearsal as in earnest."""
    return {
        **form.cleaned_data,
        "netuid": netuid,
        "buyer": reader(request).id,
        "key": form_key(request, "offer", key),
        "now": timezone.now(),
    }


def answer_key(request: HttpRequest, act: str) -> str:
    """Return the key of an answer's form."""
    return form_key(request, act, request.POST.get("key", ""))


def field_of(refusal: DomainError) -> str | None:
    """Name the field of a form that a refusal is about; None where it is about none."""
    if refusal.code == "text_refused":
        return "message"
    return "amount_rao" if refusal.code in {"insufficient_funds", "offer_terms_invalid"} else None


def refused_offer(netuid: int) -> str:
    """Name the offer that the form shows as refused."""
    return f"refused-offer:{netuid}"


def reviewed_offer(netuid: int) -> str:
    """Name the offer that is under review."""
    return f"offer:{netuid}"


def refused_counter(pk: UUID) -> str:
    """Name the counter that a negotiation shows as refused."""
    return f"refused-counter:{pk}"
