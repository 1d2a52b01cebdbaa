"""Who reads, what they can spend, the key of what they send, and the page they sent it from."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from ledger import chart
from ledger import queries as books
from marketplace.models import User

KEY_LENGTH_MAX = 64  # a UUID, with room; the operation's own key has 200


def reader(request: HttpRequest) -> User:
    """Return the signed-in reader; the view behind login_required has one."""
    assert isinstance(request.user, User)
    return request.user


def form_key(request: HttpRequest, operation: str, key: str) -> str:
    """Return the idempotency key of a form: made when it was shown, so that sending it twice acts once."""
    return f"page:{operation}:{reader(request).id}:{key[:KEY_LENGTH_MAX]}"


def available_rao(request: HttpRequest) -> int | None:
    """Return what the reader can spend; None for a visitor."""
    if not request.user.is_authenticated:
        return None
    return books.balance(chart.wallet(request.user.id)).available_rao


def way_back(request: HttpRequest) -> str:
    """Return the page to come back to: this one, or of a form the page it stood on."""
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    sent_from = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(sent_from, allowed_hosts={request.get_host()}):
        return resolve_url(settings.LOGIN_REDIRECT_URL)
    page = urlsplit(sent_from)
    return f"{page.path}?{page.query}" if page.query else page.path
