"""The page API keys: behind the password typed a moment ago, and a key is shown once."""

from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from compute import operations as operate
from ledger.money import RAO_PER_TAO as TAO
from ledger.scopes import Scope
from marketplace import operations, tokens
from marketplace.models import ApiKey
from tests.marketplace import world
from tests.marketplace.conftest import NOW
from tests.marketplace.reading import names_must_exist, read  # noqa: F401

pytestmark = pytest.mark.django_db
ASKED = {"name": "my bot", "scopes": ["read", "bid"], "days": "30", "networks": "192.0.2.0/24"}


@pytest.fixture
def ada(client):
    ada = world.person()
    client.force_login(ada, backend="allauth.account.auth_backends.AuthenticationBackend")
    return ada


def confirm(client):
    page = client.get(reverse("api_keys"))
    assert page.status_code == 302
    assert "Confirm that it is you" in client.get(page.url).content.decode()
    return client.post(page.url, {"password": "a long password"})


def test_the_page_asks_for_the_password_first(client, ada):
    answer = confirm(client)

    assert (answer.status_code, answer.url) == (302, reverse("api_keys"))
    assert "You have no API key" in read(client, "api_keys")


def test_nobody_makes_a_key_without_the_password(client, ada):
    answer = client.post(reverse("api_keys"), ASKED)

    assert answer.status_code == 302
    assert "reauthenticate" in answer.url
    assert ApiKey.objects.count() == 0


def test_a_key_is_shown_once(client, ada):
    confirm(client)

    said = client.post(reverse("api_keys"), ASKED).content.decode()

    row = ApiKey.objects.get()
    shown = said[said.index("snm_live_") :].split("<")[0]
    assert tokens.digest(tokens.read_token(shown).secret) == row.secret_digest
    assert (row.owner, row.scopes, row.networks) == (ada, ["read", "bid"], ["192.0.2.0/24"])
    again = read(client, "api_keys")
    assert shown not in again
    assert f"snm_live_{row.id}_…" in again


def test_a_key_without_scopes_or_from_nowhere_is_not_made(client, ada):
    confirm(client)

    said = client.post(reverse("api_keys"), {"name": "bot", "days": "30", "networks": "here"})

    assert ApiKey.objects.count() == 0
    assert "Choose at least one thing it may do." in said.content.decode()
    assert "Type addresses or networks" in said.content.decode()


def test_a_key_is_not_named_by_what_cannot_be_seen(client, ada):
    confirm(client)

    said = client.post(reverse("api_keys"), ASKED | {"name": "bot\u202e"}).content.decode()

    assert "The name cannot be taken: it holds a character that cannot be seen (U+202E" in said
    assert ApiKey.objects.count() == 0


def test_a_key_is_revoked_from_the_list(client, ada):
    confirm(client)
    client.post(reverse("api_keys"), ASKED)

    client.post(reverse("revoke_api_key", args=[ApiKey.objects.get().id]))

    assert ApiKey.objects.get().revoked_at is not None
    assert "revoked" in read(client, "api_keys")


def test_every_scope_is_offered_in_words(client, ada):
    confirm(client)

    said = read(client, "api_keys")

    assert all(scope.words in said for scope in Scope)


def test_a_key_is_limited_when_it_is_made_and_later(client, ada):
    confirm(client)
    client.post(reverse("api_keys"), ASKED | {"spend_limit_rao": "2.5"})
    key = ApiKey.objects.get()
    assert key.spend_limit_rao == 25 * TAO // 10
    assert "of 2.5 TAO" in read(client, "api_keys")

    for typed, limit_rao in (("4", 4 * TAO), ("", None)):
        client.post(reverse("limit_api_key", args=[key.id]), {"spend_limit_rao": typed})
        key.refresh_from_db()
        assert key.spend_limit_rao == limit_rao

    answer = client.post(reverse("limit_api_key", args=[key.id]), {"spend_limit_rao": "-1"})
    assert "is not an amount of TAO" in client.get(answer.url).content.decode()


def test_the_page_says_what_models_cost_a_key_this_month(client, ada):
    operations.grant_test_tao(owner=ada.id, amount_rao=10 * TAO, key="more", now=NOW)
    confirm(client)
    client.post(reverse("api_keys"), ASKED)
    operate.open_tab(
        tab_id=uuid4(),
        owner=ada.id,
        payer=ApiKey.objects.get().id,
        need_rao=TAO // 100,
        limit_rao=None,
        now=timezone.now(),
    )

    assert "0.5 TAO" in read(client, "api_keys")
