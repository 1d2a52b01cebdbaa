"""The page API keys: behind the password typed a moment ago, and a key is shown once."""

import pytest
from django.urls import reverse

from ledger.scopes import Scope
from marketplace import tokens
from marketplace.models import ApiKey
from tests.marketplace import world
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
