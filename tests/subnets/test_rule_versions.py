"""Rules are drafted, published, and act from an epoch that has not begun."""

import pytest
from django.db import ProgrammingError, transaction

from subnets import operations, queries
from subnets.default_rules import DEFAULT_RULES
from subnets.errors import RuleInvalid, RuleNotDraft, RuleUnknown
from subnets.models import IncentiveRule
from tests import make
from tests.subnets import town, worlds
from tests.subnets.rule_builders import document
from tests.subnets.town import NOW, at_block

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick_cel():
    with worlds.quick_cel():
        yield


@pytest.fixture
def place():
    return town.founded(miner_count=2)


def draft(place, **changes):
    return operations.save_draft(
        netuid=place.netuid, owner=place.owner, document=document(**changes), now=NOW
    )


def publish(place, version, *, now=NOW):
    return operations.publish_rule(netuid=place.netuid, owner=place.owner, version=version, now=now)


def test_a_subnet_has_one_draft_and_saving_changes_it(place):
    first = draft(place, title="One")
    second = draft(place, title="Two")

    assert first.pk == second.pk
    assert (second.version, second.state) == (2, IncentiveRule.State.DRAFT)
    assert queries.rules_of(place.netuid)[0].document["title"] == "Two"
    assert queries.rule_in_force(place.netuid, 5).version == 1


def test_a_document_with_problems_is_not_saved(place):
    with pytest.raises(RuleInvalid) as caught:
        draft(place, score="speed * 2.0", burn_bps=-1)

    assert {item["pointer"] for item in caught.value.fields["problems"]} == {"/score", "/burn_bps"}
    assert len(queries.rules_of(place.netuid)) == 1


def test_a_published_rule_pays_from_the_next_epoch_and_never_the_running_one(place):
    draft(place, burn_bps=5_000)
    rule = publish(place, 2, now=at_block(358))
    assert rule.from_epoch == 2

    first = town.closed(place, rows=[(5, 5)] * 2)
    second = town.closed(place, rows=[(5, 5)] * 2)

    assert (first.rule.version, second.rule.version) == (1, 2)
    assert second.burned_rao > 0


def test_a_rule_published_while_an_epoch_waits_to_be_closed_leaves_that_and_the_running_one_alone(
    place,
):
    draft(place)
    assert publish(place, 2, now=at_block(360)).from_epoch == 3

    versions = [town.closed(place, rows=[(5, 5)] * 2).rule.version for _ in range(3)]

    assert versions == [1, 1, 2]


def test_after_an_outage_every_epoch_that_began_keeps_its_rule(place):
    draft(place)

    rule = publish(place, 2, now=at_block(5 * 360 + 100))

    assert queries.running_epoch_number(place.row, now=at_block(5 * 360 + 100)) == 6
    assert rule.from_epoch == 7
    assert queries.rule_in_force(place.netuid, 6).version == 1
    assert queries.rule_in_force(place.netuid, 7).version == 2


def test_of_two_rules_published_in_one_epoch_the_later_pays_and_the_other_stands_behind_it(place):
    draft(place, title="Two")
    publish(place, 2)
    draft(place, title="Three")
    publish(place, 3)

    assert [rule.version for rule in queries.rules_by_force(place.netuid, 2)] == [3, 2, 1]
    assert [rule.version for rule in queries.rules_by_force(place.netuid, 1)] == [1]


def test_publishing_again_returns_the_rule_and_its_epoch_stays(place):
    draft(place)
    first = publish(place, 2)

    again = publish(place, 2, now=at_block(1_000))

    assert (again.pk, again.from_epoch, again.published_at) == (first.pk, 2, NOW)


def test_a_draft_is_discarded_and_a_published_version_is_not(place):
    draft(place)
    operations.discard_draft(netuid=place.netuid, owner=place.owner, version=2)
    assert len(queries.rules_of(place.netuid)) == 1

    with pytest.raises(RuleNotDraft):
        operations.discard_draft(netuid=place.netuid, owner=place.owner, version=1)
    with pytest.raises(RuleUnknown):
        operations.discard_draft(netuid=place.netuid, owner=place.owner, version=2)
    with pytest.raises(RuleUnknown):
        publish(place, 9)


def test_a_published_rule_never_changes(place):
    published = IncentiveRule.objects.filter(subnet=place.netuid, version=1)

    with pytest.raises(ProgrammingError, match="Cannot update"), transaction.atomic():
        published.update(document=document())
    with pytest.raises(ProgrammingError, match="Cannot"), transaction.atomic():
        published.delete()


@pytest.mark.parametrize("blueprint", DEFAULT_RULES)
def test_a_subnet_of_each_blueprint_opens_with_a_rule_that_pays(blueprint):
    netuid = make.subnet(blueprint=blueprint)

    assert queries.rule_in_force(netuid, 1).document == dict(DEFAULT_RULES[blueprint])
    with pytest.raises(RuleUnknown):
        queries.rule_in_force(netuid, 0)
