"""How one signs in: the page Account security, and where one is signed in."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from marketplace import operations, queries
from marketplace.pages.notices import number
from marketplace.pages.proving import CAME_FROM
from marketplace.pages.reader import reader
from marketplace.pages.refusals import answered

CHANGES_SHOWN = 10  # the last weeks of a careful person; more stand among the notices


@login_required
@answered
def security(request: HttpRequest) -> HttpResponse:
    """Show how the reader signs in, what changed of it lately, and where to change it."""
    person, now = reader(request).id, timezone.now()
    page = {
        "factors": queries.set_up(person),
        "session_count": len(queries.sessions_of(person, now=now)),
        "changes": queries.security_changes(person, limit=CHANGES_SHOWN),
        "came_from": request.session.get(CAME_FROM),
    }
    return render(request, "account/security.html", page)


def to_security(request: HttpRequest) -> HttpResponse:
    """Lead from allauth's own lists of factors to the page that shows them all."""
    del request
    return redirect("security")


@login_required
@answered
def sessions(request: HttpRequest) -> HttpResponse:
    """List where the reader is signed in."""
    page = {
        "sessions": queries.sessions_of(reader(request).id, now=timezone.now()),
        "own_key": request.session.session_key,
    }
    return render(request, "account/sessions.html", page)


@login_required
@require_POST
@answered
def end_sessions(request: HttpRequest) -> HttpResponse:
    """End one session of the reader, or all others."""
    one = number(request, "session")
    count = operations.end_sessions(
        person=reader(request).id, session_id=one, but_key=request.session.session_key
    )
    messages.success(request, ended_words(count))
    return redirect("sessions")


def ended_words(count: int) -> str:
    """Say how many sessions ended."""
    if not count:
        return "That session had ended already."
    return "One session was ended." if count == 1 else f"{count} sessions were ended."
