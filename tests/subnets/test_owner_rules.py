"""An owner's rules: drafted, checked while they are typed, published, copied."""

import json
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse

from subnets import queries
from subnets.models import IncentiveRule
from tests.subnets.consoles import GOOD, SIGN_IN, Owner, errors

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


def test_the_textarea_is_checked_while_it_is_typed(ada):
    page = ada.get("subnets_incentiverule_add").content.decode()

    assert f'data-rule-check="{reverse("owner:rule_check")}"' in page
    assert "rule-check.js" in page


def check(client, text):
    """Send a text as the page's script does."""
    body = urlencode({"document": text}, errors="surrogatepass")
    return client.post(
        reverse("owner:rule_check"), body, content_type="application/x-www-form-urlencoded"
    )


def test_the_check_says_that_a_rule_is_good_and_saves_nothing(ada):
    answer = check(ada.client, json.dumps(GOOD))

    body = answer.json()
    assert (answer.status_code, body["problems"]) == (200, [])
    assert len(body["digest"]) == 64
    assert IncentiveRule.objects.count() == 1


def test_the_check_names_the_place_of_each_problem(ada):
    body = check(ada.client, json.dumps(GOOD | {"score": "quality +"})).json()

    assert body["digest"] == ""
    assert [set(problem) for problem in body["problems"]] == [{"pointer", "message"}]
    assert body["problems"][0]["pointer"] == "/score"


@pytest.mark.parametrize(
    "text", ["", "{", "\0", "[" * 5_000, '{"format": 1, "format": 1}', "\ud83d"]
)
def test_the_check_answers_whatever_is_typed(ada, text):
    answer = check(ada.client, text)

    assert answer.status_code == 200
    assert answer.json()["problems"]


def test_the_check_reads_no_more_than_a_rule_may_have(ada):
    assert check(ada.client, " " * 60_000).status_code == 413


def test_the_check_is_for_who_is_signed_in(ada):
    answer = check(Client(), json.dumps(GOOD))

    assert answer.status_code == 401
    assert answer.json()["problems"]


def test_the_check_refuses_a_request_from_another_site(ada):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada.user, backend=SIGN_IN)

    assert check(client, json.dumps(GOOD)).status_code == 403


def test_the_check_takes_no_get(ada):
    assert ada.get("rule_check").status_code == 405
