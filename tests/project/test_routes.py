"""Every route of the API: what an API key needs for it, what makes its writes count once, how it is limited."""

import pytest
from django.contrib.auth.models import AnonymousUser
from drf_spectacular.generators import SchemaGenerator
from rest_framework.views import APIView

from ledger.rest.limits import Throttle
from ledger.scopes import Scope
from marketplace.api.authentication import ApiKeyAuthentication
from marketplace.api.views import BidsView
from marketplace.models import User
from subnets.api.authentication import HotkeyAuthentication

SAFE = {"get", "head", "options"}
# An offer alone tells whose side a key takes, and so which scope it needs.
BY_SIDE = {"AcceptView", "CounterView", "DeclineView", "WithdrawView"}
# Writes without an Idempotency-Key, and why a second one does nothing.
ONCE_ANYWAY = {
    "DELETE /api/v1/api-keys/{key_id}/": "a revoked key stays revoked",
    "POST /api/v1/auctions/{auction_id}/cancel/": "a withdrawn auction stays withdrawn",
    "POST /api/v1/auctions/{auction_id}/decline/": "a declined second chance stays declined",
    "POST /api/v1/hotkeys/": "the code works once",
    "POST /api/v1/hotkeys/challenges/": "moves nothing; a second code is another code",
    "POST /api/v1/jobs/{job_id}/cancel/": "a cancelled job stays cancelled",
    "POST /api/v1/leases/{lease_id}/result/": "the lease is the key",
    "POST /api/v1/machines/": "says again that a machine lives",
    "POST /api/v1/machines/{machine_id}/lease/": "returns the job that is under way",
    "POST /api/v1/machines/{machine_id}/leases/": "returns what was taken and is not held",
    "POST /api/v1/results/": "each result's lease is its key",
    "DELETE /api/v1/watchlist/{netuid}/": "not watched stays not watched",
    "POST /api/v1/searches/": "the same name is the same search",
    "POST /api/v1/searches/{search_id}/look/": "looked at is looked at",
    "DELETE /api/v1/searches/{search_id}/": "a deleted search stays deleted",
    "PATCH /api/v1/notices/preferences/": "says what shall hold",
    "PUT /api/v1/watchlist/{netuid}/": "watched stays watched",
    "POST /api/v1/documents/{document_id}/withdraw/": "a withdrawn document stays withdrawn",
    "POST /api/v1/notices/read/": "what was read stays read",
    "POST /api/v1/sales/{sale_id}/dispute/": "a sale has one dispute",
    "POST /api/v1/subnets/{netuid}/documents/": "moves no money; a second file is another file",
    "POST /api/v1/offers/{offer_id}/decline/": "a declined offer stays declined",
    "POST /api/v1/offers/{offer_id}/withdraw/": "a withdrawn offer stays withdrawn",
    "POST /api/v1/scores/": "the result and the validator are the key",
    "PUT /api/v1/subnets/{netuid}/models/": "says what shall hold",
    "POST /api/v1/usage/{usage_id}/report/": "an answer is reported once",
    "POST /api/v1/subnets/{netuid}/neurons/": "a hotkey is registered once",
    "POST /api/v1/subnets/{netuid}/rules/check/": "saves nothing",
    "DELETE /api/v1/webhook-endpoints/{endpoint_id}/": "a removed endpoint stays removed",
    "PATCH /api/v1/webhook-endpoints/{endpoint_id}/": "says what shall hold",
    "POST /api/v1/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/send-again/": "what waits waits",
    "POST /api/v1/webhooks/stripe/": "Stripe's event is the key",
    "POST /api/v1/webhooks/stripe/connect/": "Stripe's event is the key",
}
# Its operation keeps what it refuses, with the decision: see tests/ledger/test_once.py.
KEPT_BY_THE_OPERATION = {("post", BidsView)}


def routes():
    """Return (address, method, view class) of every operation of the API."""
    generator = SchemaGenerator()
    generator._initialise_endpoints()
    for path, _, method, callback in generator.endpoints:
        yield path, method.lower(), callback.cls


def taking_keys():
    return [
        pytest.param(method, view, id=f"{method} {path}")
        for path, method, view in routes()
        if ApiKeyAuthentication in view.authentication_classes and "openapi" not in path
    ]


@pytest.mark.parametrize(("method", "view"), taking_keys())
def test_every_call_of_a_person_says_which_scope_a_key_needs(method, view):
    assert method.upper() in view.scopes
    scope = view.scopes[method.upper()]
    assert isinstance(scope, Scope) or (
        scope is None and (method in SAFE or view.__name__ in BY_SIDE)
    )


def test_every_scope_opens_something():
    opened = {
        view.scopes.get(method.upper()) for _, method, view in routes() if hasattr(view, "scopes")
    }

    assert set(Scope) <= opened


def test_every_write_counts_once():
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    unnamed = {
        f"{method.upper()} {path}"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if method not in SAFE
        and not any(
            one["name"] == "Idempotency-Key" and one["required"]
            for one in operation.get("parameters", [])
        )
    }

    assert unnamed == set(ONCE_ANYWAY)


def test_what_was_refused_under_a_key_stays_refused_everywhere():
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    for path, method, view in routes():
        if path not in paths:
            continue  # the schema itself
        named = {one["name"] for one in paths[path][method].get("parameters", [])}
        is_once = getattr(getattr(view, method), "__wrapped__", None) is not None
        is_once |= (method, view) in KEPT_BY_THE_OPERATION
        assert is_once == ("Idempotency-Key" in named), f"{method} {path}"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("auctions/", {"netuid": 1, "start_rao": "1", "duration_s": 600}),
        ("auctions/00000000-0000-0000-0000-000000000007/bids/", {"max_rao": "1"}),
        ("slots/", {"name": "a", "summary": "b", "blueprint": "matmul", "max_cost_rao": "1"}),
        ("deposits/", {"amount_cents": 1_000}),
        ("jobs/", {"netuid": 1, "payload": {}, "max_price_rao": "1"}),
    ],
)
def test_a_write_of_money_without_its_key_is_refused(client, settings, path, body):
    settings.STRIPE_SECRET_KEY = settings.STRIPE_WEBHOOK_SECRET = "sk_test_none"
    client.force_login(
        User.objects.create_user("ada@example.com"),
        backend="allauth.account.auth_backends.AuthenticationBackend",
    )

    answer = client.post(f"/api/v1/{path}", body, content_type="application/json")

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")


def is_open(asked: APIView, method: str) -> bool:
    """Tell whether anybody may call, without saying who they are."""
    visitor = type("Asked", (), {"method": method.upper(), "user": AnonymousUser()})()
    return all(one.has_permission(visitor, asked) for one in asked.get_permissions())


def test_every_call_of_the_marketplace_and_whatever_anybody_may_read_is_limited():
    for path, method, view in routes():
        asked: APIView = view()
        asked.request = type("Asked", (), {"method": method.upper()})()
        of_market = view.__module__.startswith("marketplace.api")
        if not of_market and not (method in SAFE and is_open(asked, method)):
            continue
        throttles = asked.get_throttles()
        assert throttles, path
        assert all(isinstance(throttle, Throttle) for throttle in throttles)


def test_what_neurons_sign_is_not_counted_by_their_address():
    for path, _, view in routes():
        if HotkeyAuthentication in view.authentication_classes:
            assert not view.throttle_classes, path
