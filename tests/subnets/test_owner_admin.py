"""The owners' console: everything of one's own, nothing of anybody else's."""

import json
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from subnets import operations, queries
from subnets.hyperparameters import HYPERPARAMETERS, Authority
from subnets.models import IncentiveRule, Subnet
from tests import make

pytestmark = pytest.mark.usefixtures("db")

GOOD = {
    "format": 1,
    "title": "Good work",
    "score": "quality",
    "shaping": {"kind": "linear"},
}
PAGES = ("subnet", "incentiverule", "epoch", "neuron")


class Owner:
    """Somebody signed in who holds one subnet."""

    def __init__(self, name):
        now = timezone.now()
        self.user = make.user(email=f"{name}@example.com")
        make.funded(self.user.pk, tao=10_000, now=now)
        self.netuid = make.subnet(self.user.pk, name=f"{name}’s subnet", now=now)
        self.client = Client()
        self.client.force_login(
            self.user, backend="allauth.account.auth_backends.AuthenticationBackend"
        )

    @property
    def subnet(self):
        return Subnet.objects.get(pk=self.netuid)

    @property
    def rule(self):
        """Return the newest version."""
        return queries.rules_of(self.netuid)[0]

    def get(self, page, *args):
        return self.client.get(reverse(f"owner:{page}", args=args))

    def post(self, page, *args, **fields):
        return self.client.post(reverse(f"owner:{page}", args=args), fields)

    def draft(self, document=GOOD):
        return operations.save_draft(
            netuid=self.netuid, owner=self.user.pk, document=document, now=timezone.now()
        )

    def words(self, **changed):
        """Return the whole form of the subnet as the page would send it."""
        subnet = self.subnet
        fields = {
            "name": subnet.name,
            "summary": subnet.summary,
            "description": subnet.description,
            "repository_url": subnet.repository_url,
        }
        owners = [row.name for row in HYPERPARAMETERS if row.who is Authority.OWNER]
        fields |= {name: subnet.hyperparameters[name] for name in owners}
        return fields | changed


@pytest.fixture
def ada(db):
    return Owner("ada")


@pytest.fixture
def ben(db):
    return Owner("ben")


def errors(answer):
    """Return the sentences of a form that was not accepted."""
    form = answer.context["adminform"].form
    return [
        str(line) for lines in form.errors.as_data().values() for error in lines for line in error
    ]


# Who comes in -------------------------------------------------------------------------------------


def test_a_stranger_is_sent_to_the_markets_sign_in_and_back(ada):
    wanted = reverse("owner:subnets_subnet_change", args=[ada.netuid])

    answer = Client().get(wanted, follow=True)

    assert answer.redirect_chain[-1][0].startswith(reverse("account_login"))
    assert f"next={wanted}" in answer.redirect_chain[-1][0]


def test_sign_in_leads_nowhere_but_here(ada):
    answer = ada.client.get(reverse("owner:login"), {"next": "https://evil.example/"})

    assert answer.url == reverse("owner:index")


def test_who_owns_nothing_sees_an_empty_console(ada):
    client = Client()
    client.force_login(make.user(), backend="allauth.account.auth_backends.AuthenticationBackend")

    for page in PAGES:
        answer = client.get(reverse(f"owner:subnets_{page}_changelist"))
        assert answer.status_code == 200
        assert ada.subnet.name not in answer.content.decode()


def test_an_owner_does_not_come_into_the_staffs_admin(ada):
    assert ada.client.get(reverse("admin:index")).status_code == 302


# Nothing of anybody else --------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_lists_show_ones_own_rows_only(ada, ben, page):
    for owner in (ada, ben):
        make.miner(owner.netuid, now=timezone.now())

    answer = ada.get(f"subnets_{page}_changelist")

    own = {row.pk if page == "subnet" else row.subnet_id for row in answer.context["cl"].queryset}
    assert own == (set() if page == "epoch" else {ada.netuid})


@pytest.mark.parametrize("view", ["change", "history", "delete"])
def test_anothers_subnet_and_rule_are_not_shown_by_any_address(ada, ben, view):
    for model, pk in (("subnet", ben.netuid), ("incentiverule", ben.rule.pk)):
        answer = ada.get(f"subnets_{model}_{view}", pk)

        assert answer.status_code in {302, 403, 404}
        assert ben.subnet.name not in answer.content.decode()


def test_anothers_subnet_is_not_changed_by_a_forged_form(ada, ben):
    answer = ada.post(
        "subnets_subnet_change", ben.netuid, **ben.words(name="Stolen", immunity_period=1)
    )

    assert answer.status_code in {302, 403, 404}
    assert ben.subnet.name == "ben’s subnet"
    assert ben.subnet.hyperparameters["immunity_period"] == 5_000


def test_anothers_draft_is_not_changed_published_or_copied(ada, ben):
    draft = ben.draft()
    text = json.dumps(GOOD | {"title": "Stolen"})

    ada.post("subnets_incentiverule_change", draft.pk, document=text, _publish="1")
    ada.post("subnets_incentiverule_copy", draft.pk)
    ada.post(
        "subnets_incentiverule_changelist", action="publish_drafts", _selected_action=[draft.pk]
    )
    ada.post(
        "subnets_incentiverule_changelist", action="discard_drafts", _selected_action=[draft.pk]
    )

    draft.refresh_from_db()
    assert (draft.state, draft.document["title"]) == (IncentiveRule.State.DRAFT, "Good work")


def test_a_rule_cannot_be_drafted_for_anothers_subnet(ada, ben):
    answer = ada.post("subnets_incentiverule_add", subnet=ben.netuid, document=json.dumps(GOOD))

    assert answer.status_code == 200
    assert "subnet" in answer.context["adminform"].form.errors
    assert IncentiveRule.objects.filter(subnet=ben.netuid).count() == 1


def test_the_form_of_a_new_rule_names_ones_own_subnets_only(ada, ben):
    page = ada.get("subnets_incentiverule_add").content.decode()

    assert ada.subnet.name in page
    assert ben.subnet.name not in page


def test_what_the_former_owner_did_is_not_told_to_the_buyer(ada, ben):
    ada.post("subnets_subnet_change", ada.netuid, **ada.words(summary="Better."))
    operations.transfer_ownership(
        netuid=ada.netuid, seller=ada.user.pk, buyer=ben.user.pk, price_rao=1, now=timezone.now()
    )

    page = ben.get("subnets_subnet_history", ada.netuid)

    assert page.status_code == 200
    assert "ada@example.com" not in page.content.decode()
    assert ada.get("subnets_subnet_change", ada.netuid).status_code == 302


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_deleted_here(ada, page):
    make.miner(ada.netuid, now=timezone.now())
    rows = [row.pk for row in ada.get(f"subnets_{page}_changelist").context["cl"].queryset]

    ada.post(
        f"subnets_{page}_changelist", action="delete_selected", _selected_action=rows, post="yes"
    )
    answers = [ada.post(f"subnets_{page}_delete", row, post="yes").status_code for row in rows]

    assert set(answers) <= {403}
    after = [row.pk for row in ada.get(f"subnets_{page}_changelist").context["cl"].queryset]
    assert after == rows


@pytest.mark.parametrize("page", ["subnet", "epoch", "neuron"])
def test_subnets_epochs_and_neurons_are_not_added_here(ada, page):
    assert ada.get(f"subnets_{page}_add").status_code == 403


# A subnet's words and hyperparameters -------------------------------------------------------------


def test_an_owner_changes_words_and_hyperparameters(ada):
    answer = ada.post(
        "subnets_subnet_change",
        ada.netuid,
        **ada.words(name="Products", repository_url="https://example.org/x", immunity_period=100),
    )

    assert answer.status_code == 302
    assert (ada.subnet.name, ada.subnet.repository_url) == ("Products", "https://example.org/x")
    assert ada.subnet.hyperparameters["immunity_period"] == 100


def test_the_page_says_what_each_hyperparameter_does_and_how_far_it_goes(ada):
    page = ada.get("subnets_subnet_change", ada.netuid).content.decode()

    assert "How long a new neuron is safe from being replaced. 0 to 65535 blocks" in page
    assert 'name="immunity_period"' in page
    assert 'name="kappa"' not in page
    assert "kappa" in page


def test_a_value_out_of_bounds_is_an_error_at_its_field_and_nothing_is_saved(ada):
    answer = ada.post(
        "subnets_subnet_change", ada.netuid, **ada.words(name="Other", immunity_period=70_000)
    )

    assert answer.status_code == 200
    form = answer.context["adminform"].form
    assert "immunity_period must lie between 0 and 65535" in form.errors["immunity_period"][0]
    assert ada.subnet.name == "ada’s subnet"
    assert 'value="Other"' in answer.content.decode()


def test_what_only_the_operator_sets_is_not_changed_by_a_forged_field(ada):
    ada.post("subnets_subnet_change", ada.netuid, **ada.words(kappa=1, owner_cut=65_535))

    assert ada.subnet.hyperparameters["kappa"] == 32_767
    assert ada.subnet.hyperparameters["owner_cut"] == 11_796


def test_two_values_that_pass_only_together_are_set_together(ada):
    answer = ada.post(
        "subnets_subnet_change", ada.netuid, **ada.words(alpha_low=60_000, alpha_high=65_000)
    )

    assert answer.status_code == 302
    values = ada.subnet.hyperparameters
    assert (values["alpha_low"], values["alpha_high"]) == (60_000, 65_000)


def test_two_values_that_contradict_each_other_are_refused_in_words(ada):
    answer = ada.post(
        "subnets_subnet_change", ada.netuid, **ada.words(alpha_low=60_000, alpha_high=50_000)
    )

    assert "may not exceed" in errors(answer)[0]
    assert ada.subnet.hyperparameters["alpha_high"] == 58_982


def test_a_name_that_another_subnet_has_is_refused_in_any_case(ada, ben):
    answer = ada.post("subnets_subnet_change", ada.netuid, **ada.words(name="BEN’S SUBNET"))

    assert answer.status_code == 200
    assert "Another subnet is called" in errors(answer)[0]


def test_a_value_the_operator_set_beyond_the_owners_bounds_does_not_stop_the_rest(ada):
    values = ada.subnet.hyperparameters | {"tempo": 10}
    Subnet.objects.filter(pk=ada.netuid).update(hyperparameters=values, next_epoch_block=10_000)

    answer = ada.post("subnets_subnet_change", ada.netuid, **ada.words(summary="Still mine."))

    assert answer.status_code == 302
    assert ada.subnet.summary == "Still mine."


# Rules --------------------------------------------------------------------------------------------


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


# The live check -----------------------------------------------------------------------------------


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
    client.force_login(ada.user, backend="allauth.account.auth_backends.AuthenticationBackend")

    assert check(client, json.dumps(GOOD)).status_code == 403


def test_the_check_takes_no_get(ada):
    assert ada.get("rule_check").status_code == 405


# Lists and staff ----------------------------------------------------------------------------------


def test_the_list_of_neurons_costs_the_same_for_one_and_for_many(
    ada, django_assert_max_num_queries
):
    now = timezone.now()
    for _ in range(3):
        make.miner(ada.netuid, now=now)

    with django_assert_max_num_queries(8):
        assert ada.get("subnets_neuron_changelist").status_code == 200


def test_staff_reads_every_model_and_changes_none(ada):
    make.miner(ada.netuid, now=timezone.now())
    client = Client()
    client.force_login(
        make.user(staff=True), backend="allauth.account.auth_backends.AuthenticationBackend"
    )

    for app, models in {
        "subnets": [
            "subnet",
            "ownership",
            "hotkey",
            "neuron",
            "incentiverule",
            "epoch",
            "epochterm",
        ],
        "compute": ["machine", "job", "lease", "result", "score"],
    }.items():
        for model in models:
            assert client.get(reverse(f"admin:{app}_{model}_changelist")).status_code == 200
            assert client.get(reverse(f"admin:{app}_{model}_add")).status_code == 403
    changed = client.post(
        reverse("admin:subnets_subnet_change", args=[ada.netuid]), {"name": "Staff’s"}
    )
    assert changed.status_code == 403
    assert ada.subnet.name == "ada’s subnet"


def test_an_owners_wallet_is_not_touched_by_the_console(ada):
    before_rao = make.wallet_rao(ada.user.pk)

    ada.post("subnets_subnet_change", ada.netuid, **ada.words(summary="New."))

    assert make.wallet_rao(ada.user.pk) == before_rao > 9_000 * TAO
