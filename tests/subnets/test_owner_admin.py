"""The owners' console: everything of one's own, nothing of anybody else's."""

import json

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ledger.money import RAO_PER_TAO as TAO
from subnets import operations, queries
from subnets.hyperparameters import HYPERPARAMETERS, Authority
from subnets.models import IncentiveRule
from tests import make
from tests.subnets.consoles import GOOD, PAGES, Owner, errors, signed_in

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def ada(db):
    return Owner("ada")


@pytest.fixture
def ben(db):
    return Owner("ben")


def test_a_stranger_is_sent_to_the_markets_sign_in_and_back(ada):
    wanted = reverse("owner:subnets_subnet_change", args=[ada.netuid])

    answer = Client().get(wanted, follow=True)

    assert answer.redirect_chain[-1][0].startswith(reverse("account_login"))
    assert f"next={wanted}" in answer.redirect_chain[-1][0]


def test_sign_in_leads_nowhere_but_here(ada):
    answer = ada.client.get(reverse("owner:login"), {"next": "https://evil.example/"})

    assert answer.url == reverse("owner:index")


def test_who_owns_nothing_sees_an_empty_console(ada):
    client = signed_in(make.user())

    for page in PAGES:
        answer = client.get(reverse(f"owner:subnets_{page}_changelist"))
        assert answer.status_code == 200
        assert ada.subnet.name not in answer.content.decode()


def test_who_owns_nothing_is_told_how_to_own_a_subnet(ada):
    told = signed_in(make.user()).get(reverse("owner:index")).content.decode()

    assert "You own no subnet yet" in told
    assert reverse("buy_slot") in told
    assert reverse("auctions") in told
    assert "You own no subnet yet" not in ada.get("index").content.decode()


def test_an_owner_does_not_come_into_the_staffs_admin(ada):
    assert ada.client.get(reverse("admin:index")).status_code == 302


@pytest.mark.parametrize("page", PAGES)
def test_lists_show_ones_own_rows_only(ada, ben, page):
    for owner in (ada, ben):
        make.miner(owner.netuid, now=timezone.now())

    answer = ada.get(f"subnets_{page}_changelist")

    own = {row.pk if page == "subnet" else row.subnet_id for row in answer.context["cl"].queryset}
    assert own == (set() if page in {"epoch", "hyperparameterchange"} else {ada.netuid})


def test_the_form_says_before_it_is_sent_which_fields_wait(ada):
    before = ada.get("subnets_subnet_change", ada.netuid).context["adminform"].form.fields
    assert not any("Waits" in str(field.help_text) for field in before.values())
    now = timezone.now()
    values = {"immunity_period": 100, "owner_cut_enabled": 0}
    operations.set_hyperparameters(netuid=ada.netuid, account=ada.user.pk, values=values, now=now)

    after = ada.get("subnets_subnet_change", ada.netuid).context["adminform"].form.fields

    assert [name for name, field in after.items() if "Waits" in str(field.help_text)] == [
        "immunity_period"
    ]
    opens = queries.waiting_hyperparameters(ada.subnet)["immunity_period"]
    assert f"from block {opens} on" in after["immunity_period"].help_text


def test_the_form_says_when_all_fields_are_frozen(ada):
    subnet = ada.subnet
    block = queries.block_now(timezone.now())
    subnet.last_epoch_block, subnet.next_epoch_block = block + 5 - 360, block + 5
    subnet.save(update_fields=["last_epoch_block", "next_epoch_block"])

    form = ada.get("subnets_subnet_change", ada.netuid).context["adminform"].form

    waiting = {name for name, field in form.fields.items() if "Waits" in str(field.help_text)}
    assert waiting == {row.name for row in HYPERPARAMETERS if row.who is Authority.OWNER}
    assert f"from block {block + 5} on" in form.fields["tempo"].help_text


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


@pytest.mark.parametrize("page", ["subnet", "epoch", "neuron", "hyperparameterchange"])
def test_subnets_epochs_and_neurons_are_not_added_here(ada, page):
    assert ada.get(f"subnets_{page}_add").status_code == 403


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


def test_a_name_that_hides_something_is_refused_at_its_field(ada):
    answer = ada.post(
        "subnets_subnet_change", ada.netuid, **ada.words(name="ada\u202e", immunity_period=1)
    )

    assert "cannot be seen" in answer.context["adminform"].form.errors["name"][0]
    assert ada.subnet.name == "ada’s subnet"


def test_a_name_that_another_subnet_has_is_refused_in_any_case(ada, ben):
    answer = ada.post("subnets_subnet_change", ada.netuid, **ada.words(name="BEN’S SUBNET"))

    assert answer.status_code == 200
    assert "Another subnet is called so" in errors(answer)[0]


def test_a_value_the_operator_set_beyond_the_owners_bounds_does_not_stop_the_rest(ada):
    operations.set_hyperparameters(
        netuid=ada.netuid, account=make.user(staff=True).pk, values={"tempo": 10},
        now=timezone.now(), authority=Authority.ROOT,
    )  # fmt: skip

    answer = ada.post("subnets_subnet_change", ada.netuid, **ada.words(summary="Still mine."))

    assert answer.status_code == 302
    assert ada.subnet.summary == "Still mine."


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
    client = signed_in(make.user(staff=True))

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


def test_the_console_writes_instants_as_the_pages_do(ada):
    page = ada.get("subnets_subnet_change", ada.netuid).content.decode()

    assert f"{ada.subnet.registered_at:%-d %b %Y %H:%M}" in page
