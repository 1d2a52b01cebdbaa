"""The second factor, asked for where money or power over it moves.

`second_factor_required` guards a view: who has no second factor is told why one is needed and where to set it up; who
has one proves it, unless it was proven in this session within SECOND_FACTOR_MINUTES, and goes on with what they did.
`proven_at(request)` is the instant of that proof, for operations that take it as an argument.

    @second_factor_required
    @answered
    def withdraw(request): ...

What proves: a code of an authenticator app, or a passkey. Not a password, and not a recovery code: that one leads back
into an account and to a new factor, after which withdrawals wait (docs/decisions/0041).

A form that is sent when the proof has grown old is kept in the session, and its view is called with it once the factor is
proven: nothing is typed twice, and its idempotency key keeps it from acting twice. Such a page is answered at another
address, so forms of guarded pages name their `action`. What was kept is forgotten once any guarded page is opened anew.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import wraps

from allauth.account.authentication import get_authentication_records
from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone

from marketplace import queries
from marketplace.pages.reader import reader, way_back

View = Callable[..., HttpResponseBase]
# Where whoever was sent to set up a factor came from: the pages of factors lead back there.
CAME_FROM = "second_factor_came_from"


class Standing(Enum):
    """How somebody stands before a guarded page."""

    PROVEN = "proven"
    OLD = "old"
    MISSING = "missing"
    RECOVERED = "recovered"


def second_factor_required(view: View) -> View:
    """Let in who is signed in and proved a second factor a moment ago; lead everybody else to where they do."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        forget_kept_form(request)
        match standing(request, now=timezone.now()):
            case Standing.PROVEN:
                request.session.pop(CAME_FROM, None)
                return view(request, *args, **kwargs)
            case Standing.OLD:
                raise ReauthenticationRequired
            case refused:
                return explained(request, refused)

    return guarded


def confirmation_required(view: View) -> View:
    """Let in who confirmed a moment ago that it is them: by their second factor where one is set up, else by password."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        forget_kept_form(request)
        has_factor = bool(queries.factors_of(reader(request).id))
        guard = second_factor_required if has_factor else reauthentication_required
        answer: HttpResponseBase = guard(view)(request, *args, **kwargs)
        return answer

    return guarded


def proven_at(request: HttpRequest) -> datetime | None:
    """Return when this session last proved a second factor that the reader still has; None if it never did."""
    if not request.user.is_authenticated:
        return None
    factors = queries.factors_of(reader(request).id)
    return _newest([record for record in proofs(request) if record.get("id") in factors])


def standing(request: HttpRequest, *, now: datetime) -> Standing:
    """Tell whether the reader has a second factor, and has proved it within SECOND_FACTOR_MINUTES."""
    factors = queries.factors_of(reader(request).id)
    if not factors:
        return Standing.MISSING
    since = now - timedelta(minutes=settings.SECOND_FACTOR_MINUTES)
    fresh = [record for record in proofs(request) if _at(record) > since]
    if any(record.get("id") in factors for record in fresh):
        return Standing.PROVEN
    # Who just typed a recovery code has no factor at hand: asking for it again would lead them in a circle.
    return Standing.RECOVERED if _ends_in_recovery(fresh) else Standing.OLD


def proofs(request: HttpRequest) -> list[dict[str, object]]:
    """Return this session's records of second steps, the oldest first; those of sign-in are among them."""
    records = get_authentication_records(request, request.user)
    return [record for record in records if record["method"] == "mfa"]


def forget_kept_form(request: HttpRequest) -> None:
    """Drop a form that was kept until the factor is proven and never was: a page opened anew must not send it later."""
    if request.method != "POST":
        request.session.pop(STATE_SESSION_KEY, None)


def explained(request: HttpRequest, refused: Standing) -> HttpResponse:
    """Say why the page asks for a second factor, and where to set one up; remember the way back."""
    request.session[CAME_FROM] = way_back(request)
    page = {"is_recovered": refused is Standing.RECOVERED, "came_from": way_back(request)}
    return render(request, "pages/second_factor.html", page, status=403)


def _ends_in_recovery(records: list[dict[str, object]]) -> bool:
    return bool(records) and records[-1].get("type") == "recovery_codes"


def _newest(records: list[dict[str, object]]) -> datetime | None:
    return max(map(_at, records), default=None)


def _at(record: dict[str, object]) -> datetime:
    at = record["at"]
    assert isinstance(at, float)
    return datetime.fromtimestamp(at, UTC)
