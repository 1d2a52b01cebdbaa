"""Who reads, what they can spend, and the key of what they send."""

from django.http import HttpRequest

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
