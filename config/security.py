"""Headers that keep a page to its own scripts, styles and connections (OWASP ASVS 5.0, 3.4)."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class SecurityHeadersMiddleware:
    """Add the content security policy and permissions policy to every answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", policy(request))
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()"
        )
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            # Pages that show money are not for a shared computer's disk. Asked of the cookie, not of
            # request.user: that would look into the database again, which may be what just failed.
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def policy(request: HttpRequest) -> str:
    """Return the policy for one answer; the event streams' own port is the only foreign origin."""
    connect = "'self'"
    if settings.EVENTS_PORT:
        host = request.get_host().rsplit(":", 1)[0]
        connect += f" {request.scheme}://{host}:{settings.EVENTS_PORT}"
    return "; ".join(
        [
            "default-src 'self'",
            f"connect-src {connect}",
            "img-src 'self' data:",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self' https://checkout.stripe.com",
        ]
    )
