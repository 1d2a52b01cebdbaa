"""Forms on their way: what was sent is kept in the session until the page that shows it is asked for.

Every answer to a sent form is a redirect to a page of its own. Money is on these pages, so no browser may store them;
a page that answered a POST itself could not be shown again when somebody goes back.
"""

from typing import TypeVar

from django import forms
from django.http import HttpRequest

SLOT = "kept_forms"
KEPT_MAX = 12  # forms under way in the tabs of one reader, four to a sale; the oldest gives way

SomeForm = TypeVar("SomeForm", bound=forms.Form)


def keep(request: HttpRequest, name: str, form: forms.Form, *, key: str = "") -> None:
    """Keep what a form was sent with, what was refused of it, and the key it will act under."""
    kept = request.session.get(SLOT, {})
    kept.pop(name, None)
    kept[name] = {
        "fields": {field: str(form.data.get(field, "")) for field in form.fields},
        "refusals": {field: list(map(str, sentences)) for field, sentences in form.errors.items()},
        "key": key,
    }
    for oldest in list(kept)[:-KEPT_MAX]:
        del kept[oldest]
    request.session[SLOT] = kept


def kept_form(request: HttpRequest, name: str, form_class: type[SomeForm]) -> SomeForm | None:
    """Return a kept form with its refusals; None when nothing was kept under the name."""
    found = request.session.get(SLOT, {}).get(name)
    if found is None:
        return None
    form = form_class(found["fields"])
    form.full_clean()
    for field, sentences in found["refusals"].items():
        for sentence in sentences:
            if sentence not in form.errors.get(field, []):
                form.add_error(field if field in form.fields else None, sentence)
    return form


def kept_key(request: HttpRequest, name: str) -> str:
    """Return the key that a kept form will act under."""
    return str(request.session.get(SLOT, {}).get(name, {}).get("key", ""))


def forget(request: HttpRequest, name: str) -> None:
    """Forget a form: it was shown with its refusals, or has acted."""
    if name in request.session.get(SLOT, {}):
        del request.session[SLOT][name]
        request.session.modified = True
