"""Pages of what one follows and is told: watchlist, notices, and by what ways they come."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from marketplace import operations as marketplace
from marketplace import queries as market
from marketplace import unsubscribing
from marketplace.models import Auction
from marketplace.pages.accounts import before_id
from marketplace.pages.reader import reader
from marketplace.pages.refusals import answered
from subnets import queries as subnets

NOTICES_SHOWN = 30  # about three screens of a phone


@login_required
@answered
def notices(request: HttpRequest) -> HttpResponse:
    """Show what the reader was told, the newest first."""
    lines = market.notices_of(reader(request).id, limit=NOTICES_SHOWN, before_id=before_id(request))
    page = {
        "notices": lines,
        "older_id": lines[-1].id if len(lines) == NOTICES_SHOWN else None,
        "newest_id": lines[0].id if lines else None,
        "is_first": before_id(request) is None,
    }
    return render(request, "notices/notices.html", page)


@login_required
@require_POST
@answered
def read_notices(request: HttpRequest) -> HttpResponse:
    """Mark one notice as read and lead where it leads, or all that the page showed."""
    person, now = reader(request).id, timezone.now()
    one, until = number(request, "notice"), number(request, "until")
    if one is not None:
        marketplace.read_notices(person=person, ids=[one], now=now)
    elif until is not None:
        marketplace.read_notices(person=person, until_id=until, now=now)
    return redirect(own_address(request, otherwise="/notices/"))


@login_required
@answered
def notice_settings(request: HttpRequest) -> HttpResponse:
    """Show by what ways each kind of notice comes; keep the reader's choice."""
    person = reader(request).id
    choices = market.choices_of(person)
    if request.method == "POST":
        ways = {
            choice.kind: (
                f"mail:{choice.kind}" in request.POST,
                f"hook:{choice.kind}" in request.POST,
            )
            for choice in choices
        }
        marketplace.choose_ways(person=person, ways=ways)
        messages.success(request, "Your choice is kept.")
        return redirect("notice_settings")
    return render(request, "notices/settings.html", {"choices": choices})


@csrf_exempt
@answered
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Stop mail of some kinds for whoever the link was sent to, with one click and without signing in (RFC 8058).

    Only a POST acts: programs that look into mail follow its links.
    """
    asked = unsubscribing.read(token, secret=settings.SECRET_KEY)
    if request.method == "POST":
        marketplace.stop_mail(person=asked.person, kinds=asked.kinds)
    page = {"labels": asked.labels, "is_done": request.method == "POST"}
    return render(request, "notices/unsubscribe.html", page)


@login_required
@answered
def watchlist(request: HttpRequest) -> HttpResponse:
    """Show the subnets the reader watches, and the auctions they stand in."""
    watched = set(market.watched_by(reader(request).id))
    live = {one.netuid: one for one in market.auctions(state=Auction.State.OPEN)}
    lines = [
        {"subnet": row, "auction": live.get(row.netuid)}
        for row in subnets.subnet_rows()
        if row.netuid in watched
    ]
    return render(request, "notices/watchlist.html", {"lines": lines})


@login_required
@require_POST
@answered
def watch(request: HttpRequest, netuid: int) -> HttpResponse:
    """Watch a subnet, or watch it no longer, and lead back to where the button stood."""
    person = reader(request).id
    if request.POST.get("act") == "unwatch":
        marketplace.unwatch(person=person, netuid=netuid)
        messages.success(request, "You no longer watch this subnet.")
    else:
        marketplace.watch(person=person, netuid=netuid, now=timezone.now())
        messages.success(
            request, "You watch this subnet. Sales, auctions and new rules of it are told to you."
        )
    return redirect(own_address(request, otherwise=f"/subnets/{netuid}/"))


def own_address(request: HttpRequest, *, otherwise: str) -> str:
    """Return where a form asks to be led: an address of this site, or `otherwise`."""
    asked = request.POST.get("next", "")
    is_own = asked.startswith("/") and url_has_allowed_host_and_scheme(asked, allowed_hosts=None)
    return asked if is_own else otherwise


def number(request: HttpRequest, name: str) -> int | None:
    """Read a number of a form; anything else is none."""
    sent: Any = request.POST.get(name, "")
    return int(sent) if sent.isascii() and sent.isdecimal() and len(sent) <= 18 else None
