"""A subnet's page shows its hyperparameters, how far each goes, and who changed what."""

import html

import pytest
from django.utils import timezone

from subnets import operations
from subnets.hyperparameters import HYPERPARAMETERS, Authority
from tests import make
from tests.marketplace import world
from tests.marketplace.reading import names_must_exist, read  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(db):
    return world.person(tao=100)


@pytest.fixture
def netuid(owner):
    return world.subnet(owner)


def section(client, netuid):
    page = html.unescape(read(client, "subnet", netuid)).replace("\u202f", " ").replace("\xa0", " ")
    return page[page.index("Hyperparameters") :]


def test_every_value_is_shown_in_its_unit_with_its_bounds(client, netuid):
    page = section(client, netuid)

    assert all(f"<code>{row.name}</code>" in page for row in HYPERPARAMETERS)
    assert "0.0005 TAO" in page
    assert "on or off" in page
    assert "Nothing was changed" in page


def test_a_change_shows_what_was_what_is_and_by_whom(client, netuid, owner):
    operations.set_hyperparameters(
        netuid=netuid, account=owner.pk, now=make.NOW,
        values={"immunity_period": 100, "liquid_alpha_enabled": 1},
    )  # fmt: skip
    operations.set_hyperparameters(
        netuid=netuid, account=make.user(staff=True).pk, values={"kappa": 1}, now=timezone.now(),
        authority=Authority.ROOT,
    )  # fmt: skip

    page = section(client, netuid)

    assert "<del>5 000 blocks</del> → <ins>100 blocks</ins>" in page
    assert "<del>off</del> → <ins>on</ins>" in page
    assert "the operator" in page
    assert "the whole log" not in page


def test_of_a_long_log_the_page_shows_the_newest_and_leads_to_the_rest(client, netuid):
    root = make.user(staff=True).pk
    for value in range(1, 23):
        operations.set_hyperparameters(
            netuid=netuid, account=root, values={"kappa": value}, now=timezone.now(),
            authority=Authority.ROOT,
        )  # fmt: skip

    page = section(client, netuid)

    assert page.count("<del>") == 20
    assert f"/api/v1/subnets/{netuid}/hyperparameters/changes/" in page
