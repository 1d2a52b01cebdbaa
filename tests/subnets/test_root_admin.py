"""Root sets hyperparameters in the staff's admin, by adding to the log."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from subnets.hyperparameters import HYPERPARAMETERS, Authority
from subnets.models import HyperparameterChange
from tests import make
from tests.subnets.consoles import Owner, signed_in

pytestmark = pytest.mark.usefixtures("db")
ADD = "admin:subnets_hyperparameterchange_add"


@pytest.fixture
def ada(db):
    return Owner("ada")


@pytest.fixture
def root(db):
    return make.user(staff=True)


def add(user, netuid, name, value, *, is_confirmed=True):
    fields = {"subnet": netuid, "name": name, "new_value": value}
    fields |= {"is_confirmed": "on"} if is_confirmed else {}
    return signed_in(user).post(reverse(ADD), fields)


def test_root_sets_what_no_owner_may_and_beyond_the_owners_bounds(ada, root):
    for name, value in (("kappa", 40_000), ("tempo", 10), ("tempo", 11)):
        assert add(root, ada.netuid, name, value).status_code == 302

    values = ada.subnet.hyperparameters
    assert (values["kappa"], values["tempo"]) == (40_000, 11)
    logged = HyperparameterChange.objects.order_by("id").values_list(
        "new_value", "authority", "account"
    )
    assert list(logged) == [(value, Authority.ROOT, root.pk) for value in (40_000, 10, 11)]


def test_without_the_confirmation_nothing_is_set(ada, root):
    answer = add(root, ada.netuid, "kappa", 40_000, is_confirmed=False)

    assert "is_confirmed" in answer.context["adminform"].form.errors
    assert ada.subnet.hyperparameters["kappa"] == 32_767


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("kappa", 70_000, "must lie between 0 and 65535"),
        ("kappa", 32_767, "its value already"),
        ("alpha_low", 60_000, "may not exceed"),
    ],
)
def test_what_cannot_be_set_is_an_error_in_the_form(ada, root, name, value, words):
    answer = add(root, ada.netuid, name, value)

    assert answer.status_code == 200
    assert words in str(answer.context["adminform"].form.errors)
    assert not HyperparameterChange.objects.exists()


def test_the_form_offers_every_row_with_roots_bounds(ada, root):
    page = signed_in(root).get(reverse(ADD)).content.decode()

    assert all(f'value="{row.name}"' in page for row in HYPERPARAMETERS)
    assert "tempo: 1 to 65535 blocks" in page


def test_staff_that_may_only_read_reads_the_log_and_adds_nothing(ada):
    reader = make.user()
    reader.is_staff = True
    reader.save(update_fields=["is_staff"])
    reader.user_permissions.add(Permission.objects.get(codename="view_hyperparameterchange"))
    ada.client.get("/")

    assert (
        signed_in(reader).get(reverse("admin:subnets_hyperparameterchange_changelist")).status_code
        == 200
    )
    assert add(reader, ada.netuid, "kappa", 1).status_code == 403
    assert add(ada.user, ada.netuid, "kappa", 1).status_code == 302
    assert ada.subnet.hyperparameters["kappa"] == 32_767


def test_a_change_that_was_made_is_shown_and_neither_changed_nor_deleted(ada, root):
    add(root, ada.netuid, "kappa", 40_000)
    (change,) = HyperparameterChange.objects.all()
    client = signed_in(root)
    where = reverse("admin:subnets_hyperparameterchange_change", args=[change.pk])

    assert str(root.pk) in client.get(where).content.decode()
    assert client.post(where, {"new_value": 1}).status_code == 403
    delete = reverse("admin:subnets_hyperparameterchange_delete", args=[change.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert HyperparameterChange.objects.get().new_value == 40_000


def test_an_owner_reads_the_log_of_their_own_subnet_filtered_by_name(ada, root):
    ben = Owner("ben")
    for owner in (ada, ben):
        add(root, owner.netuid, "kappa", 40_000)
    ada.post("subnets_subnet_change", ada.netuid, **ada.words(immunity_period=100))

    where = reverse("owner:subnets_hyperparameterchange_changelist")
    whole = ada.client.get(where).context["cl"].queryset
    named = ada.client.get(where, {"name": "immunity_period"}).context["cl"].queryset

    assert {change.subnet_id for change in whole} == {ada.netuid}
    assert [(change.name, change.new_value) for change in whole] == [
        ("immunity_period", 100), ("kappa", 40_000),
    ]  # fmt: skip
    assert [change.name for change in named] == ["immunity_period"]
    (one,) = named
    page = ada.get("subnets_hyperparameterchange_change", one.pk)
    assert (page.status_code, str(ada.user.pk) in page.content.decode()) == (200, True)
    assert where in ada.get("subnets_subnet_change", ada.netuid).content.decode()


def test_the_owners_form_refuses_a_second_change_at_the_field(ada):
    ada.post("subnets_subnet_change", ada.netuid, **ada.words(immunity_period=100))

    answer = ada.post("subnets_subnet_change", ada.netuid, **ada.words(immunity_period=101))

    form = answer.context["adminform"].form
    assert "may be changed again from block" in form.errors["immunity_period"][0]
    assert ada.subnet.hyperparameters["immunity_period"] == 100
