"""What was sent when nobody was signed in any more: a session ends while its pages stay open."""

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from marketplace.pages.reader import way_back

SENTENCE = "You are not signed in, so nothing was done. Sign in, then send it again."
SAFE = {"GET", "HEAD", "OPTIONS"}
ENTRANCES = ("account_login", "owner:login", "admin:login")


class SignedOutMiddleware:
    """Say of every form that is led to an entrance that nothing was done, and lead back to the page it stood on.

    Without it the entrance would lead to the address that the form was sent to, which may take forms alone. It stands
    behind all pages, so that none can forget it: the site's own, allauth's, the consoles.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.method in SAFE or not leads_to_entrance(response):
            return response
        messages.warning(request, SENTENCE)
        return redirect_to_login(way_back(request), reverse("account_login"))


def leads_to_entrance(response: HttpResponse) -> bool:
    """Tell whether an answer sends its reader to sign in and come back; allauth's own steps come back to nothing."""
    if response.status_code != HTTPStatus.FOUND:
        return False
    place = urlsplit(response.headers["Location"])
    return REDIRECT_FIELD_NAME in parse_qs(place.query) and place.path in map(reverse, ENTRANCES)
