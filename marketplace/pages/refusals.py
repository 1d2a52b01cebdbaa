"""How a page says no: domain errors in a person's words, and the pages for what is not there or broke."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string

from ledger import spoken
from ledger.errors import DomainError, IdempotencyConflict
from marketplace.pages.reader import way_back


def words(refusal: DomainError) -> str:
    """Say a refusal as people talk of money: TAO, not rao. They know nothing of keys."""
    if isinstance(refusal, IdempotencyConflict):
        return "This form was sent before, with other words or figures, and that stands. Open its page anew to send another."
    return spoken.sentence(str(refusal))


def answered(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Answer a domain error that a view lets pass with its sentence and its status."""

    @wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except DomainError as refusal:
            if refusal.http_status == HTTPStatus.NOT_FOUND:
                return not_found(request, refusal)
            # What was sent from a page that has grown old: it shows how things stand, once it is opened anew.
            is_sent = request.method == "POST" and "Referer" in request.headers
            page = {"sentence": words(refusal), "back": way_back(request) if is_sent else ""}
            return render(request, "refusal.html", page, status=refusal.http_status)

    return answer


def unreadable(request: HttpRequest, detail: str, *, status: int) -> HttpResponse:
    """Answer a request that no view got to see; its host may be a lie, so nothing asks for it."""
    del request
    page = {"sentence": detail}
    return HttpResponse(render_to_string("refusal.html", page), status=status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404 without touching the database."""
    del request, exception
    return HttpResponse(render_to_string("404.html"), status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """Answer 500 without touching the database, which may be what broke."""
    del request
    return HttpResponse(render_to_string("500.html"), status=500)


def unavailable(request: HttpRequest, detail: str) -> HttpResponse:
    """Answer 503 without touching the database, which may be what is away."""
    del request
    return HttpResponse(render_to_string("503.html", {"sentence": detail}), status=503)
