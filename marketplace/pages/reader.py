"""Who reads, and the key of what they send."""

from django.http import HttpRequest

from marketplace.models import User

KEY_LENGTH_MAX = 64  # a UUID, with room; the operation's own key has 200


def reader(request: HttpRequest) -> User:
    """Return the signed-in reader; the view behind login_required has one."""
    assert isinstance(request.user, User)
    return request.user


def form_key(request: HttpRequest, operation: str) -> str:
    """Return the idempotency key of a form: made when it was shown, so that sending it twice acts once."""
    sent = request.POST.get("key", "")[:KEY_LENGTH_MAX]
    return f"page:{operation}:{reader(request).id}:{sent}"
