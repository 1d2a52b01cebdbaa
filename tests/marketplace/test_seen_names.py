"""Names that people give: wherever one is taken, what cannot be seen in it is refused in a plain sentence."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.urls import reverse

from ledger.scopes import Scope
from marketplace import operations
from marketplace.browsing import Search, Wanted
from marketplace.operations.withdrawal_places import add_withdrawal_address
from subnets import operations as subnets
from subnets.admin import owner_site
from subnets.errors import TextRefused
from tests.marketplace import factors, world
from tests.marketplace.conftest import NOW
from tests.marketplace.withdrawals import ss58

pytestmark = pytest.mark.django_db

# What turns the direction of all that follows, what has no width, what is a mark of direction, what says nothing.
UNSEEN = ["Prime\u202e", "Pri\u200bme", "\u2066Prime", "Pri\u00adme", "Prime\u3164"]


def subnet(ada, name):
    return world.slot(ada, name=name)


def renamed(ada, name):
    netuid = world.subnet(ada)
    subnets.describe_subnet(
        netuid=netuid, owner=ada.id, name=name, summary="Work.", description="", repository_url=""
    )


def statement(ada, name):
    return world.auction(seller=ada, statement=name)


def document(ada, name):
    netuid = world.subnet(ada)
    operations.add_document(
        netuid=netuid, owner=ada.id, name=name, content=b"%PDF-1.7 books", now=NOW
    )


def search(ada, name):
    operations.save_search(owner=ada.id, name=name, search=Search("", "", Wanted()), now=NOW)


def api_key(ada, name):
    operations.create_api_key(
        owner=ada.id,
        name=name,
        scopes=[Scope.READ],
        expires_at=NOW + timedelta(days=1),
        now=NOW,
    )


def address(ada, name):
    add_withdrawal_address(owner=ada.id, ss58=ss58(), label=name, proven_at=NOW, now=NOW)


DOORS = [subnet, renamed, statement, document, search, api_key, address]


@pytest.mark.parametrize("name", UNSEEN, ids=ascii)
@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_a_name_that_holds_what_cannot_be_seen_is_refused_wherever_it_is_given(door, name):
    ada = world.person(tao=10_000)
    door(ada, "Plain words")

    with pytest.raises(TextRefused) as refusal:
        door(world.person(tao=10_000), name)

    assert "a character that cannot be seen" in str(refusal.value)


def test_a_passkey_is_not_renamed_to_what_cannot_be_seen(client):
    ada = world.person()
    factors.sign_in(client, ada)
    kept = ada.authenticator_set.create(type="webauthn", data={"name": "Mine", "credential": {}})
    factors.prove(client, factors.recovery_codes(ada)[0])

    said = client.post(reverse("mfa_edit_webauthn", args=[kept.pk]), {"name": "Mi\u202ene"})

    assert "a character that cannot be seen" in said.content.decode()
    kept.refresh_from_db()
    assert kept.data["name"] == "Mine"


def test_the_lists_of_the_consoles_are_named_in_english():
    shown = [*admin.site._registry, *owner_site._registry]

    named = {str(model._meta.verbose_name_plural) for model in shown}

    assert "withdrawal addresses" in named
    assert [name for name in named if re.search(r"[^aeiou]ys$|([sx]|[^o]ch|sh)s$", name)] == []
