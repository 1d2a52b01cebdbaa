"""Rules are drafted, published, and act from an epoch that has not begun."""

from uuid import uuid4

import pytest
from django.db import ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext

from subnets import operations, queries, rule_trial
from subnets.default_rules import DEFAULT_RULES
from subnets.errors import (
    NotTheOwner,
    RuleChanged,
    RuleInvalid,
    RuleNotDraft,
    RuleNotPublished,
    RuleUnknown,
)
from subnets.hyperparameters import Authority
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


def publish(place, version, *, digest=None, now=NOW):
    """Publish a version as it is, or as it was read."""
    found = IncentiveRule.objects.filter(subnet=place.netuid, version=version).first()
    return operations.publish_rule(
        netuid=place.netuid, owner=place.owner, version=version, now=now,
        digest=digest or (found.digest if found else ""),
    )  # fmt: skip


def restore(place, version, *, now=NOW):
    return operations.restore_rule(netuid=place.netuid, owner=place.owner, version=version, now=now)


def noticed(place, epochs):
    operations.set_hyperparameters(
        netuid=place.netuid,
        account=place.owner,
        values={"rule_notice": epochs},
        now=NOW,
        authority=Authority.ROOT,
    )


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


def test_a_rule_that_can_pay_nobody_is_neither_saved_nor_published(place):
    with pytest.raises(RuleInvalid) as caught:
        draft(place, score="1.0 / 0.0")

    assert caught.value.fields["problems"][0]["pointer"] == "/score"
    unusable = draft(place)
    IncentiveRule.objects.filter(pk=unusable.pk).update(document=document(score="1.0 / 0.0"))
    with pytest.raises(RuleInvalid):
        publish(place, 2)
    assert queries.rule_in_force(place.netuid, 99).version == 1


def test_a_rule_that_fails_for_some_miners_is_published(place):
    draft(place, score="1.0 / double(failed_count)")

    assert publish(place, 2).state == IncentiveRule.State.PUBLISHED


@pytest.mark.parametrize("notice", [1, 2, 10])
def test_a_published_rule_waits_for_the_subnets_notice(place, notice):
    noticed(place, notice)
    draft(place)

    assert publish(place, 2, now=at_block(300)).from_epoch == 1 + notice


def test_a_later_rule_never_begins_before_one_that_was_announced_earlier(place):
    noticed(place, 10)
    draft(place, title="Two")
    publish(place, 2)
    noticed(place, 1)
    draft(place, title="Three")

    assert publish(place, 3).from_epoch == 11
    assert [rule.version for rule in queries.rules_by_force(place.netuid, 11)] == [3, 2, 1]


def test_the_digest_of_a_draft_is_that_of_the_published_version(place):
    before = draft(place).digest

    assert publish(place, 2).digest == before


def test_an_earlier_version_is_restored_as_a_new_one_with_notice(place):
    noticed(place, 2)
    draft(place, title="Two")
    publish(place, 2)

    restored = restore(place, 1, now=at_block(30))

    first = queries.rules_of(place.netuid)[-1]
    assert (restored.version, restored.restores, restored.from_epoch) == (3, 1, 3)
    assert (restored.document, restored.digest) == (first.document, first.digest)
    assert restored.state == IncentiveRule.State.PUBLISHED
    assert queries.rule_in_force(place.netuid, 3).version == 3


def test_restoring_what_is_newest_or_was_just_restored_publishes_nothing(place):
    assert restore(place, 1).version == 1
    draft(place)
    publish(place, 2)

    first, again = restore(place, 1), restore(place, 1, now=at_block(900))

    assert first.pk == again.pk
    assert len(queries.rules_of(place.netuid)) == 3


def test_a_draft_stays_the_newest_version_when_an_earlier_one_is_restored(place):
    draft(place, title="Two")
    publish(place, 2)
    waiting = draft(place, title="Waiting")

    restored = restore(place, 1)

    waiting.refresh_from_db()
    assert (restored.version, waiting.version, waiting.state) == (3, 4, "draft")
    publish(place, 4)
    assert queries.rule_in_force(place.netuid, 99).document["title"] == "Waiting"


def test_a_draft_whose_number_went_to_a_restored_copy_is_not_taken_for_it(place):
    draft(place, title="Two")
    publish(place, 2)
    waiting = draft(place, title="Waiting")
    restored = restore(place, 1)
    assert restored.version == waiting.version

    with pytest.raises(RuleChanged) as caught:
        publish(place, waiting.version, digest=waiting.digest)

    assert caught.value.fields == {"netuid": place.netuid, "version": 3}
    assert caught.value.http_status == 409


def test_a_draft_that_changed_after_it_was_read_is_not_published(place):
    read = draft(place, title="As read")
    draft(place, title="Changed since")

    with pytest.raises(RuleChanged):
        publish(place, 2, digest=read.digest)

    assert queries.rules_of(place.netuid)[0].state == IncentiveRule.State.DRAFT


def test_a_draft_that_changes_while_it_is_tried_is_not_published(place, monkeypatch):
    read = draft(place, title="As read")
    truth = rule_trial.checked

    def slow(document):
        monkeypatch.setattr(rule_trial, "checked", truth)
        draft(place, title="Changed meanwhile")
        return truth(document)

    monkeypatch.setattr(rule_trial, "checked", slow)
    with pytest.raises(RuleChanged):
        publish(place, 2, digest=read.digest)

    assert queries.rules_of(place.netuid)[0].state == IncentiveRule.State.DRAFT


@pytest.mark.parametrize("act", [lambda place: publish(place, 3), lambda place: restore(place, 1)])
def test_nothing_is_locked_while_a_rule_is_tried(place, monkeypatch, act):
    draft(place, title="Two")
    publish(place, 2)
    draft(place, title="Three")
    truth, locks = rule_trial.checked, []
    with CaptureQueriesContext(connection) as said:

        def watched(document):
            locks.append([one["sql"] for one in said if "FOR UPDATE" in one["sql"]])
            return truth(document)

        monkeypatch.setattr(rule_trial, "checked", watched)
        act(place)

    assert locks == [[]]
    assert any("FOR UPDATE" in one["sql"] for one in said.captured_queries)


def test_a_draft_and_a_version_that_is_not_there_are_not_restored(place):
    draft(place)

    with pytest.raises(RuleNotPublished):
        restore(place, 2)
    with pytest.raises(RuleUnknown):
        restore(place, 9)


def test_only_the_owner_restores(place):
    with pytest.raises(NotTheOwner):
        operations.restore_rule(netuid=place.netuid, owner=uuid4(), version=1, now=NOW)


# --- the history ---


def test_a_version_is_compared_with_the_published_one_before_it(place):
    draft(place, burn_bps=100, title="Two")
    publish(place, 2)
    draft(place, burn_bps=200, title="Two")

    change = queries.rule_change(place.netuid, 2)

    assert (change.rule.version, change.before.version) == (2, 1)
    assert "/burn_bps" in {item.pointer for item in change.changes}
    assert queries.rule_change(place.netuid, 1).changes == ()
    with pytest.raises(RuleUnknown):
        queries.rule_change(place.netuid, 3)


def test_the_history_holds_published_versions_newest_first(place):
    draft(place, burn_bps=100)
    publish(place, 2)
    draft(place)

    history = queries.rule_history(place.netuid, limit=5)

    assert [item.rule.version for item in history] == [2, 1]
    assert [item.rule.version for item in queries.rule_history(place.netuid, limit=1)] == [2]
    assert queries.rule_history(place.netuid, limit=1)[0].changes
    assert [rule.version for rule in queries.published_rules(place.netuid, before=2)] == [1]


def test_a_fault_is_told_since_its_first_epoch_until_it_is_mended(place):
    assert queries.rule_fault(place.netuid) is None
    town.closed(place, rows=[(5, 5)] * 2)
    broken = document() | {"shaping": {"kind": "forgotten"}}
    town.published(place, broken, version=2, from_epoch=2)

    for _ in range(2):
        town.closed(place, rows=[(5, 5)] * 2)

    fault = queries.rule_fault(place.netuid)
    assert (fault.since, fault.last, fault.paying_version) == (2, 3, 1)
    assert "Version 2" in fault.fault
    draft(place)
    publish(place, 3, now=at_block(3 * 360))
    for _ in range(2):
        town.closed(place, rows=[(5, 5)] * 2)
    assert queries.rule_fault(place.netuid) is None


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
