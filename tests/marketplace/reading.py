"""Reading pages as a strict reader: every name in a template must exist, and nothing may need an inline script."""

import re

import pytest
from django.template import engines
from django.urls import reverse
from django.utils import timezone

from tests.marketplace import world

MISSING = "¿%s?"


@pytest.fixture(autouse=True)
def names_must_exist(settings):
    """A template that asks for what its view does not give shows it, instead of a gap."""
    engine = engines["django"].engine
    before, engine.string_if_invalid = engine.string_if_invalid, MISSING
    yield
    engine.string_if_invalid = before


def read(client, name, *args, status=200, **query):
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == status
    text = answer.content.decode()
    assert "¿" not in text
    assert not re.search(r"<[^>]+\sstyle=|<script(?![^>]+src=)|\son[a-z]+=", text), (
        "the CSP forbids it"
    )
    return text


def open_auction(**terms):
    return world.auction(now=timezone.now(), **terms)
