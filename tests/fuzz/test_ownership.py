"""What is Ada's stays Ada's: every address with an id in it, by every method, asked by somebody else and by nobody.

The addresses are read from the URL configuration, so that a new one is asked too. Where it shall be open to
others, tests/fuzz/ownership.py says why.
"""

import json
import re
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.admin import ModelAdmin
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.test.client import encode_multipart
from django.urls import get_resolver, reverse
from django.urls.resolvers import URLPattern

from subnets.api.authentication import HotkeyAuthentication
from tests.compute.wire import session, signed_headers
from tests.fuzz import ownership
from tests.fuzz.ownership import MEANT_FOR_OTHERS, OPEN_TO_READ, Route
from tests.fuzz.town import PDF

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
FORM = "multipart/form-data; boundary=x"
# Where a console leads whom it does not let in, or who asks for what it does not find.
HOME = re.compile(r"/(admin|owner)/(\?.*)?|/(admin|owner|accounts)/login/.*")
# What asking itself writes: sessions, and when a key was last used.
# Sessions and readings are counted as they come; a refusal is kept under the asker's own key.
UNWATCHED = {
    "django_session",
    "ledger_refusedkey",
    "marketplace_apikey",
    "marketplace_documentreading",
}


def routes(resolver=None, before="", spaces=()):
    """Yield every route whose path has a parameter."""
    for one in (resolver or get_resolver()).url_patterns:
        path = before + str(one.pattern)
        if not isinstance(one, URLPattern):
            yield from routes(one, path, (*spaces, one.namespace) if one.namespace else spaces)
        elif one.pattern.converters or one.pattern.regex.groupindex:
            names = tuple(one.pattern.converters or one.pattern.regex.groupindex)
            view = getattr(one.callback, "view_class", None) or getattr(one.callback, "cls", None)
            yield Route(
                path=path, name=one.name, space=":".join(spaces), names=names, view=view,
                is_api=path.startswith("api/"), admin=admin_of(one.callback),
            )  # fmt: skip


def admin_of(callback):
    """Return the model's admin behind a view of an admin site."""
    inner = callback
    while inner is not None:
        owner = getattr(inner, "model_admin", None) or getattr(inner, "__self__", None)
        if isinstance(owner, ModelAdmin):
            return owner
        inner = getattr(inner, "__wrapped__", None)
    return None


def digests():
    """Return a digest of each table: what was there is there, and nothing else."""
    tables = sorted(
        model._meta.db_table for model in apps.get_models() if model._meta.db_table not in UNWATCHED
    )
    union = " UNION ALL ".join(
        f"SELECT '{table}', count(*), md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM \"{table}\" t"
        for table in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(union)
        return {table: (count, digest) for table, count, digest in cursor.fetchall()}


def body_of(route, method):
    """Return what a call carries, and its type: such as the owner would send."""
    if route.is_api and route.name == "api-documents":
        return encode_multipart(
            "x", {"name": "Plan", "file": SimpleUploadedFile("p.pdf", PDF)}
        ), FORM
    if route.is_api:
        sent = {} if method == "GET" else ownership.BODIES.get(f"{method} {route.name}", {})
        return json.dumps(sent).encode(), "application/json"
    form = ownership.FORMS.get(route.name, {}) if method == "POST" else {}
    return encode_multipart("x", form), FORM


def ask(route, method, who, town):
    """Ask a route for what is Ada's, as somebody."""
    kwargs = {name: ownership.parameter(name, route, town.places) for name in route.names}
    path = reverse(route.name, kwargs=kwargs)
    content, kind = body_of(route, method)
    headers, client = {"Idempotency-Key": uuid4().hex}, town.browsers[""]
    if not route.is_api:
        client = town.browsers[who]
    elif who and HotkeyAuthentication in route.view.authentication_classes:
        key = town.bob.hotkey if who == "bob" else town.miner.key
        headers |= signed_headers(key, method, path.removeprefix("/api/v1/"), content)
    elif who:
        headers["Authorization"] = f"Bearer {getattr(town, who).token}"
    return client.generic(method, path, content, content_type=kind, headers=headers)


def wrong_answer(route, method, who, town):
    """Say what is wrong with how a route answers somebody who has no business there."""
    label = f"{method} {route.name}"
    answer = ask(route, method, who, town)
    # A page that is open shows itself by any method. A form leads to a page that says what was wrong.
    is_open = route.name in OPEN_TO_READ and (method == "GET" or not route.is_api)
    is_page_form = method != "GET" and not route.is_api and answer.status_code in (302, 409)
    if is_open or is_page_form or ownership.refused(answer):
        return ""
    return f"{label} as {who or 'nobody'} answers {answer.status_code}: {answer.content[:160]!r}"


def intrusions(route, who, town):
    """Yield what is wrong with a route as somebody else meets it, or nobody, by every method."""
    with transaction.atomic():
        for method in METHODS:
            if not (who and f"{method} {route.name}" in MEANT_FOR_OTHERS):
                yield wrong_answer(route, method, who, town)
        changed = [table for table, is_now in digests().items() if town.before[table] != is_now]
        transaction.set_rollback(True)
    if changed:
        yield f"{route.name} as {who or 'nobody'} changed {changed}"


def shut_out(route, town):
    """Yield the calls of a route that its owner is refused: then the refusals above prove nothing."""
    who = ownership.OWNERS.get(route.name, "ada")
    for method in METHODS:
        if not hasattr(route.view, method.lower()) or f"{method} {route.name}" in MEANT_FOR_OTHERS:
            continue
        with transaction.atomic():
            answer = ask(route, method, who, town)
            transaction.set_rollback(True)
        if answer.status_code in (400, 401, 403, 404, 405, 415) or answer.status_code >= 500:
            yield f"{method} {route.name} as {who}: {answer.status_code} {answer.content[:200]!r}"


def console_routes(space):
    return [one for one in routes() if one.space == space and one.admin and one.name]


def shown(space, town):
    """Yield what a console shows Bob of Ada's. Staff's is shut to people; in an owner's, what is another's is not found."""
    for route in console_routes(space):
        for row in adas(route.admin.model, town):
            path = reverse(f"{space}:{route.name}", args=[row.pk])
            for method in ("get", "post"):
                answer = getattr(town.browsers["bob"], method)(path)
                is_led_home = answer.status_code == 302 and HOME.fullmatch(
                    answer.headers["Location"]
                )
                if not (ownership.refused(answer) or is_led_home):
                    yield f"{method} {path}: {answer.status_code} {answer.headers.get('Location')}"


def adas(model, town):
    """Return a row of a model that is Ada's, or anybody's where rows have no owner; none where there is none."""
    rows = model._default_manager.all()
    names = {field.name for field in model._meta.get_fields()}
    if model._meta.label == "subnets.Subnet":
        rows = rows.filter(netuid=town.places["netuid"][0])
    elif "subnet" in names:
        rows = rows.filter(subnet_id=town.places["netuid"][0])
    return rows[:1]


@pytest.mark.django_db(transaction=True)
def test_what_is_adas_is_refused_to_everybody_else(town):
    town.browsers = {"bob": session(town.bob.user), "": Client()}
    town.before = digests()
    asked = [one for one in routes() if not one.space and one.name not in ownership.BY_SECRET]

    found = [wrong for one in asked for who in ("bob", "") for wrong in intrusions(one, who, town)]
    found += [wrong for space in ("admin", "owner") for wrong in shown(space, town)]
    # Success and refusal share their set-up: the same calls are answered to whose the things are.
    found += [wrong for one in asked if one.is_api for wrong in shut_out(one, town)]

    assert not any(found), "\n".join(filter(None, found))
    assert len(asked) > 70
    assert len(console_routes("owner")) > 20
    assert digests() == town.before
