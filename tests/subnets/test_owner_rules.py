"""An owner's rules: drafted, published, restored, copied."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from subnets import cel_sandbox, queries
from subnets.models import IncentiveRule
from tests.subnets import town
from tests.subnets.consoles import GOOD, Owner, errors

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def ada(db):
    return Owner("ada")


def test_a_draft_is_saved_and_pays_nobody_yet(ada):
    answer = ada.post("subnets_incentiverule_add", subnet=ada.netuid, document=json.dumps(GOOD))

    assert answer.status_code == 302
    assert (ada.rule.version, ada.rule.state, ada.rule.from_epoch) == (2, "draft", None)
    assert queries.rule_in_force(ada.netuid, 1).version == 1


def test_a_draft_is_changed_in_place(ada):
    draft = ada.draft()

    answer = ada.post(
        "subnets_incentiverule_change", draft.pk, document=json.dumps(GOOD | {"title": "Better"})
    )

    assert answer.status_code == 302
    assert (ada.rule.pk, ada.rule.version, ada.rule.document["title"]) == (draft.pk, 2, "Better")


def test_a_second_draft_does_not_silently_replace_the_first(ada):
    ada.draft()

    answer = ada.post(
        "subnets_incentiverule_add",
        subnet=ada.netuid,
        document=json.dumps(GOOD | {"title": "Second"}),
    )

    assert "Version 2 is this subnet’s draft already." in errors(answer)[0]
    assert ada.rule.document["title"] == "Good work"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "The rule is not valid JSON"),
        ("[]", "must be a JSON object"),
        ('{"format": 1}', "/score: The field 'score' is missing."),
        (json.dumps(GOOD | {"score": "qualty"}), "Did you mean quality?"),
        (json.dumps(GOOD | {"score": "quality" + " " * 20_000}), "most"),
    ],
)
def test_a_document_that_cannot_be_used_gets_a_sentence(ada, text, said):
    answer = ada.post("subnets_incentiverule_add", subnet=ada.netuid, document=text)

    assert answer.status_code == 200
    assert any(said in line for line in errors(answer)), errors(answer)
    assert ada.rule.version == 1


def test_every_problem_is_listed_with_its_place(ada):
    document = GOOD | {"title": "", "burn_bps": -1, "gates": [{"if": "quality", "reason": "r"}]}

    answer = ada.post("subnets_incentiverule_add", subnet=ada.netuid, document=json.dumps(document))

    places = {line.split(":")[0] for line in errors(answer)}
    assert places == {"/title", "/burn_bps", "/gates/0/if"}


def test_what_was_typed_survives_a_refusal(ada):
    answer = ada.post("subnets_incentiverule_add", subnet=ada.netuid, document='{"mine": ')

    assert "{&quot;mine&quot;:" in answer.content.decode()


def test_publishing_says_from_which_epoch_it_pays(ada):
    draft = ada.draft()

    answer = ada.client.post(
        reverse("owner:subnets_incentiverule_change", args=[draft.pk]),
        {"document": json.dumps(GOOD), "_publish": "Save and publish"},
        follow=True,
    )

    assert (ada.rule.state, ada.rule.from_epoch) == ("published", 2)
    assert "It pays from epoch 2 on" in answer.content.decode()


def test_a_form_that_publishes_runs_no_program_while_it_holds_the_subnet(ada, monkeypatch):
    draft, ran, truth = ada.draft(), [], cel_sandbox.evaluate_rows
    score = "quality / (1.0 + quality * latency_ms / 977.0)"
    with CaptureQueriesContext(connection) as said:

        def watched(expressions, rows):
            ran.append([one["sql"] for one in said if "FOR UPDATE" in one["sql"]])
            return truth(expressions, rows)

        monkeypatch.setattr(cel_sandbox, "evaluate_rows", watched)
        ada.post(
            "subnets_incentiverule_change", draft.pk,
            document=json.dumps(GOOD | {"score": score}), _publish="1",
        )  # fmt: skip

    assert ada.rule.state == "published"
    assert ran
    assert not any(ran)


def test_a_new_rule_can_be_published_at_once(ada):
    answer = ada.post(
        "subnets_incentiverule_add", subnet=ada.netuid, document=json.dumps(GOOD), _publish="1"
    )

    assert answer.status_code == 302
    assert (ada.rule.version, ada.rule.state) == (2, "published")


def test_the_action_publishes_ones_own_drafts(ada):
    draft = ada.draft()

    ada.post(
        "subnets_incentiverule_changelist", action="publish_drafts", _selected_action=[draft.pk]
    )

    draft.refresh_from_db()
    assert draft.state == IncentiveRule.State.PUBLISHED


def test_the_action_discards_drafts_and_leaves_what_is_published(ada):
    draft = ada.draft()
    first = queries.rules_of(ada.netuid)[-1]

    ada.post(
        "subnets_incentiverule_changelist",
        action="discard_drafts",
        _selected_action=[draft.pk, first.pk],
    )

    assert [rule.pk for rule in queries.rules_of(ada.netuid)] == [first.pk]


def test_a_published_version_is_read_only(ada):
    page = ada.get("subnets_incentiverule_change", ada.rule.pk)
    forged = ada.post("subnets_incentiverule_change", ada.rule.pk, document=json.dumps(GOOD))

    assert page.status_code == 200
    assert "<textarea" not in page.content.decode()
    assert "Pay for verified work" in page.content.decode()
    assert forged.status_code == 403
    assert ada.rule.document["title"] == "Pay for verified work"


RISKY = GOOD | {"score": "1.0 / double(failed_count)"}


def publish(ada, document, **fields):
    return ada.client.post(
        reverse("owner:subnets_incentiverule_add"),
        {"subnet": ada.netuid, "document": json.dumps(document), "_publish": "1", **fields},
        follow=True,
    )


def test_a_rule_with_warnings_is_published_only_once_they_were_shown(ada):
    page = publish(ada, RISKY)

    assert ada.rule.state == IncentiveRule.State.DRAFT
    text = page.content.decode()
    assert "Read the warnings" in text
    assert "a miner without a failure" in text
    assert page.request["PATH_INFO"].endswith(f"{ada.rule.pk}/change/")

    fields = {"document": json.dumps(RISKY), "warned": ada.rule.digest, "_publish": "1"}
    ada.post("subnets_incentiverule_change", ada.rule.pk, **fields)
    assert ada.rule.state == IncentiveRule.State.PUBLISHED


def test_warnings_read_of_another_document_do_not_count(ada):
    publish(ada, RISKY, warned="0" * 64)

    assert ada.rule.state == IncentiveRule.State.DRAFT


def test_the_action_publishes_no_rule_whose_warnings_were_not_read(ada):
    draft = ada.draft(RISKY)

    answer = ada.client.post(
        reverse("owner:subnets_incentiverule_changelist"),
        {"action": "publish_drafts", "_selected_action": [draft.pk]},
        follow=True,
    )

    assert "Read the warnings" in answer.content.decode()
    assert ada.rule.state == IncentiveRule.State.DRAFT


def test_a_rule_that_can_pay_nobody_is_refused_at_its_place(ada):
    answer = ada.post(
        "subnets_incentiverule_add",
        subnet=ada.netuid,
        document=json.dumps(GOOD | {"score": "1 / 0"}),
    )

    assert errors(answer)[0].startswith("/score: The score could not be computed for any of")
    assert ada.rule.version == 1


def test_a_draft_shows_what_it_changes(ada):
    page = ada.get("subnets_incentiverule_change", ada.draft().pk).content.decode()

    assert "What it changes against version 1" in page
    assert "The score: quality; before:" in page


def test_a_publication_shows_the_digest_that_the_draft_had(ada):
    draft = ada.draft()

    page = publish_change(ada, draft)

    assert f"SHA-256 {draft.digest}" in page


def publish_change(ada, draft):
    where = reverse("owner:subnets_incentiverule_change", args=[draft.pk])
    fields = {"document": json.dumps(draft.document), "_publish": "1"}
    return ada.client.post(where, fields, follow=True).content.decode()


def test_an_earlier_version_is_published_again_by_a_button(ada):
    first = ada.rule
    publish_change(ada, ada.draft())
    page = ada.get("subnets_incentiverule_change", first.pk).content.decode()
    assert reverse("owner:subnets_incentiverule_restore", args=[first.pk]) in page

    answer = ada.post("subnets_incentiverule_restore", first.pk)

    assert answer.status_code == 302
    assert (ada.rule.version, ada.rule.restores, ada.rule.digest) == (3, 1, first.digest)


def restored(ada, rule, **fields):
    where = reverse("owner:subnets_incentiverule_restore", args=[rule.pk])
    return ada.client.post(where, fields, follow=True).content.decode()


def test_an_earlier_version_with_warnings_is_published_again_only_once_they_were_shown(ada):
    publish_change(ada, ada.draft())
    place = town.Town(ada.netuid, ada.user.pk, (), ())
    risky = town.published(place, RISKY, version=3)
    town.published(place, GOOD, version=4)

    page = restored(ada, risky)

    assert ada.rule.version == 4
    assert "Read the warnings" in page
    assert "a miner without a failure" in page
    assert "Publish it again with these warnings" in page
    assert f'name="warned" value="{risky.digest}"' in page
    assert "is published" in restored(ada, risky, warned=risky.digest)
    assert (ada.rule.version, ada.rule.restores) == (5, 3)


def test_publishing_what_is_in_force_again_says_that_nothing_changes(ada):
    first = ada.rule

    page = restored(ada, first)

    assert "Nothing changes: version 1 is the newest published version" in page
    assert "is published" not in page

    publish_change(ada, ada.draft())
    restored(ada, first)
    assert "Nothing changes: version 3, a copy of version 1, is the newest" in restored(ada, first)
    assert ada.rule.version == 3


def test_the_newest_version_offers_no_return(ada):
    page = ada.get("subnets_incentiverule_change", ada.rule.pk).content.decode()

    assert "Publish it again" not in page


def test_a_draft_cannot_be_restored_and_the_page_says_so(ada):
    draft = ada.draft()

    page = ada.client.post(
        reverse("owner:subnets_incentiverule_restore", args=[draft.pk]), follow=True
    )

    assert "was never published" in page.content.decode()


def test_restoring_needs_a_post_and_an_own_rule(ada, db):
    bob = Owner("bob")

    assert ada.get("subnets_incentiverule_restore", ada.rule.pk).status_code == 405
    assert bob.post("subnets_incentiverule_restore", ada.rule.pk).status_code == 403


@pytest.mark.parametrize(
    "page", ["subnets_incentiverule_changelist", "subnets_incentiverule_change"]
)
def test_a_rule_that_cannot_be_applied_is_told_on_its_pages(ada, page):
    args = [ada.rule.pk] if page.endswith("change") else []
    assert "cannot be applied" not in ada.get(page, *args).content.decode()

    place = town.Town(ada.netuid, ada.user.pk, (), ())
    town.published(place, GOOD | {"shaping": {"kind": "forgotten"}}, version=2)
    town.closed(place, rows=[], now=timezone.now() + timedelta(days=2))

    text = ada.get(page, *args).content.decode()
    assert "cannot be applied" in text
    assert "Since epoch 1 version 1 pays in its place" in text


def test_a_published_version_is_copied_into_a_draft(ada):
    published = ada.rule

    answer = ada.post("subnets_incentiverule_copy", published.pk)

    assert (ada.rule.version, ada.rule.state) == (2, "draft")
    assert ada.rule.document == published.document
    assert answer.url == reverse("owner:subnets_incentiverule_change", args=[ada.rule.pk])


def test_copying_does_not_overwrite_a_draft(ada):
    published, draft = ada.rule, ada.draft()

    answer = ada.post("subnets_incentiverule_copy", published.pk)

    draft.refresh_from_db()
    assert draft.document == GOOD
    assert answer.url == reverse("owner:subnets_incentiverule_change", args=[draft.pk])


def test_a_document_is_shown_in_the_order_in_which_a_rule_is_read(ada):
    page = ada.get("subnets_incentiverule_change", ada.draft(dict(reversed(GOOD.items()))).pk)

    shown = json.loads(page.context["adminform"].form["document"].value())
    assert list(shown) == list(GOOD)
    assert "Save and add another" not in page.content.decode()


def test_copying_needs_a_post(ada):
    assert ada.get("subnets_incentiverule_copy", ada.rule.pk).status_code == 405
